"""`python -m tools.asl FOLDER`: state machines against the schema of the Amazon States Language.

The schema is cfn-lint's, in whose environment this runs. `sam validate --lint` does not look at it:
to it state machines are files that lie somewhere. Our own rules beside AWS's are in
tests/contract/machine_rules.py.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:machine"
_ROLE = "arn:aws:iam::123456789012:role/machine"
_SUFFIX = ".asl.yaml"
# The schema of cfn-lint 1.58 wants a number where the language takes an expression that makes one.
_NO_FAULT = re.compile(r"^'\{%.*%\}' is not of type '(number|integer)'$")


def wrapped(file: Path) -> dict[str, Any]:
    """The machine in a CloudFormation template, its substitutions filled in."""
    text = re.sub(r"\$\{\w*(Arn|Prefix)\}", _ARN, file.read_text())
    definition = yaml.safe_load(re.sub(r"\$\{\w+\}", "1", text))
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": _ROLE, "Definition": definition},
    }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Machine": machine}}


def findings(folder: Path) -> list[str]:
    """Sentences that name the file and the place; none if all is well."""
    found: list[str] = []
    with TemporaryDirectory() as place:
        for file in sorted(folder.glob(f"*{_SUFFIX}")):
            copy = Path(place, file.name.removesuffix(_SUFFIX) + ".json")
            copy.write_text(json.dumps(wrapped(file), indent=1))
        run = subprocess.run(
            [Path(sys.executable).with_name("cfn-lint"), "--format", "json", f"{place}/*.json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not run.stdout.strip().startswith("["):
            raise RuntimeError(f"cfn-lint did not answer: {run.stdout}{run.stderr}")
        for match in json.loads(run.stdout):
            if _NO_FAULT.match(match["Message"]):
                continue
            path = [str(part) for part in match["Location"].get("Path") or ()]
            _, _, place_in_it = "/".join(path).partition("Definition/")
            name = Path(match["Filename"]).stem + _SUFFIX
            found.append(f"{name}: {place_in_it}: {match['Message']} ({match['Rule']['Id']})")
    return found


def main(folder: str) -> int:
    """The exit status."""
    machines = len(list(Path(folder).glob(f"*{_SUFFIX}")))
    if not machines:
        sys.stderr.write(f"{folder}: no file ends with {_SUFFIX}\n")
        return 2
    found = findings(Path(folder))
    for one in found:
        sys.stderr.write(f"{one}\n")
    sys.stdout.write(f"{machines} state machines, {len(found)} findings\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
