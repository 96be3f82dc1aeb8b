"""What AWS documents of the actions that are met here (actions.json says whence)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("actions.json")
_PLACE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Action:
    """One action: the kinds of resources that it can be limited to, and its condition keys."""

    name: str
    level: str  # "Read", "Write", "List", "Tagging", "Permissions management"
    kinds: tuple[str, ...]  # none: it is asked for on "*"
    keys: frozenset[str]  # "aws:ResourceTag" for all of its tags


@cache
def actions() -> dict[str, Action]:
    """All of them by name, like "sqs:SendMessage"."""
    return {
        name: Action(name, one["level"], tuple(one["resources"]), frozenset(one["keys"]))
        for name, one in json.loads(_FILE.read_text())["actions"].items()
    }


@cache
def kinds() -> dict[str, str]:
    """The ARN of each kind of resource, like "sqs:queue", with ${Places}."""
    found: dict[str, str] = json.loads(_FILE.read_text())["resources"]
    return found


def is_limited_by(action: Action, key: str) -> bool:
    """Whether a condition on `key` can ever hold for an action."""
    plain = key.partition("/")[0]
    return plain in action.keys or plain in ("aws:SecureTransport", "aws:SourceAccount")


def fits(action: Action, arn: str) -> bool:
    """Whether an ARN is of a kind that the action takes."""
    service = action.name.partition(":")[0]
    return any(_shape(f"{service}:{kind}").fullmatch(arn) for kind in action.kinds)


@cache
def _shape(kind: str) -> re.Pattern[str]:
    text = kinds()[kind]
    free = {"Partition", "Region", "Account"}
    parts = [
        (r"[^:]*" if piece in free else r".*") if number % 2 else re.escape(piece)
        for number, piece in enumerate(_PLACE.split(text))
    ]
    return re.compile("".join(parts), re.DOTALL)
