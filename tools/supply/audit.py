"""`make audit`: asks pip-audit for known vulnerabilities of both layers and of development.

Ends with 0 only if every package was looked up and none is vulnerable, with 1 if one is, and with 3
if some could not be looked up: then nothing is known, and that is what it says.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.supply.packages import LAYERS, ROOT

FOUND, NOT_AUDITED = 1, 3
_LOCKS = (
    *(ROOT / "layers" / layer / "requirements.txt" for layer in LAYERS),
    ROOT / "requirements" / "dev.txt",
)
# `--strict`, or what could not be looked up would count as sound.
_ARGUMENTS = ("--strict", "--disable-pip", "--require-hashes", "--progress-spinner", "off")
_VULNERABLE = re.compile(r"^Found \d+ known vulnerabilit", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """Of one lock."""

    lock: Path
    status: int  # 0: looked up, and sound
    said: str


Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


def audit(lock: Path, tool: str, run: Run = _run) -> Verdict:
    """What pip-audit says of a lock; any end that is no clear answer is NOT_AUDITED."""
    done = run([tool, *_ARGUMENTS, "--requirement", str(lock)])
    said = f"{done.stdout}\n{done.stderr}".strip()
    if done.returncode == 0 and "No known vulnerabilities found" in said:
        return Verdict(lock, 0, said)
    if _VULNERABLE.search(said):
        return Verdict(lock, FOUND, said)
    return Verdict(lock, NOT_AUDITED, said)


def main(tool: str, run: Run = _run) -> int:
    verdicts = [audit(lock, tool, run) for lock in _LOCKS]
    for one in verdicts:
        word = {0: "sound", FOUND: "VULNERABLE"}.get(one.status, "NOT AUDITED")
        print(f"{one.lock.relative_to(ROOT)}: {word}")  # noqa: T201 - for whoever runs it
        if one.status:
            print(one.said[-2000:])  # noqa: T201
    statuses = {one.status for one in verdicts}
    return FOUND if FOUND in statuses else max(statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
