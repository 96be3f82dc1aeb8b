"""What the state machines of a release give to functions and to one another, and what they read.

Executions outlive a deployment by hours: those that run keep their definition, and call functions
and machines of the next release.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

# A variable and what is read of it; what Step Functions itself says of a result or an error is
# the same in every release.
_READ = re.compile(r"\$([a-z_]+(?:\.[A-Za-z_]+)*)")
_OF_STEP_FUNCTIONS = re.compile(r"states\.(result|errorOutput|context)(\.|$)(?!Payload)")
_INPUT = re.compile(r"(requests|states\.input)\.")


def machines(release: Path) -> dict[str, dict[str, Any]]:
    """The definitions by the name of their file."""
    found = sorted((release / "statemachines").glob("*.asl.yaml"))
    return {
        path.name.partition(".")[0]: yaml.load(path.read_text(), yaml.CSafeLoader) for path in found
    }


def states(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Those of the machine and of every Map's processor."""
    for name, state in definition["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


def payloads(definition: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(state, substitution of the function's ARN, payload) of every call of a function."""
    for name, state in states(definition):
        arguments = state.get("Arguments")
        if state.get("Resource") == "arn:aws:states:::lambda:invoke":
            yield name, arguments["FunctionName"].strip("${}"), arguments["Payload"]


def reads(definition: Any) -> set[str]:
    """Every path of a variable that an expression of the machine reads."""
    if isinstance(definition, dict):
        return {path for value in definition.values() for path in reads(value)}
    if isinstance(definition, list):
        return {path for value in definition for path in reads(value)}
    if isinstance(definition, str) and definition.startswith("{%"):
        found = set(_READ.findall(definition))
        return {path for path in found if "." in path and not _OF_STEP_FUNCTIONS.match(path)}
    return set()


def no_longer_read(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """What executions in flight still read, and today's machine does not: nobody sees any more
    whether it is there."""
    return reads(before) - reads(after)


def newly_wanted(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """What today's machine wants of its input, and whoever started it in the release before did
    not need to give."""
    return {path for path in reads(after) - reads(before) if _INPUT.match(path)}
