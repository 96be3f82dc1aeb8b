"""`python -m tools.permissions check LEDGER` and `... write`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.embedded.iam import ledger
from tools.permissions.audit import audit
from tools.permissions.grants import roles
from tools.permissions.page import PAGE, page

ROOT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """The exit status: 1 if a permission is granted for nothing, 2 if there is no ledger."""
    parser = argparse.ArgumentParser(prog="python -m tools.permissions")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="every permission was needed by some test")
    check.add_argument("ledger", type=Path, help="the folder that EMBEDDED_IAM_LEDGER named")
    check.add_argument("--template", type=Path, default=ROOT / "template.yaml")
    commands.add_parser("write", help="docs/permissions.md, from the template")
    given = parser.parse_args(arguments)
    if given.command == "write":
        place = ROOT / PAGE
        place.write_text(page(roles(ROOT / "template.yaml"), place.read_text()))
        return 0
    return _check(given.ledger, given.template.resolve())


def _check(folder: Path, template: Path) -> int:
    uses = list(ledger.read(folder)) if folder.is_dir() else []
    if not uses:
        _say(f"{folder}: no test has written into this ledger; set {ledger.VARIABLE} for them")
        return 2
    found = audit(roles(template), uses, template.parent)
    for one in found:
        _say(str(one))
    granted = sum(len(grant.permissions) for grant in roles(template).grants)
    _say(f"{granted} permissions, {len(uses)} uses, {len(found)} findings")
    return 1 if found else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
