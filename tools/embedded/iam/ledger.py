"""What roles were allowed to do, kept for `python -m tools.permissions check`.

Written when an account ends, if EMBEDDED_IAM_LEDGER names a folder: one file a process, a line of
JSON for each different thing that was allowed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.embedded.iam.policy import Entry, Permission

VARIABLE = "EMBEDDED_IAM_LEDGER"


@dataclass(frozen=True)
class Use:
    """One action on one resource that a role was allowed."""

    template: str  # the folder that the role's template lies in; "" for a role of no stack
    role: str  # its logical id
    action: str
    resource: str
    context: tuple[tuple[str, tuple[str, ...]], ...]
    by: tuple[Permission, ...]  # everything that allows it: with one alone, all depends on it
    entries: tuple[Entry, ...] = ()  # the resources of statements that take its resource in

    def written(self) -> str:
        return json.dumps(
            {
                "template": self.template,
                "role": self.role,
                "action": self.action,
                "resource": self.resource,
                "context": {key: list(values) for key, values in self.context},
                "by": [[one.sid, one.action] for one in self.by],
                "entries": [[one.sid, one.action, one.number] for one in self.entries],
            }
        )


def read(folder: Path) -> Iterable[Use]:
    """All uses in a folder; a line that was cut off raises ValueError with its file."""
    for file in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            try:
                yield _use(json.loads(line))
            except (ValueError, KeyError, TypeError) as wrong:
                raise ValueError(f"{file}, line {number}: {wrong}") from None


def _use(one: dict[str, object]) -> Use:
    context, by, entries = one["context"], one["by"], one["entries"]
    assert isinstance(context, dict)
    assert isinstance(by, list)
    assert isinstance(entries, list)
    return Use(
        template=str(one["template"]),
        role=str(one["role"]),
        action=str(one["action"]),
        resource=str(one["resource"]),
        context=tuple((key, tuple(values)) for key, values in context.items()),
        by=tuple(Permission(sid, action) for sid, action in by),
        entries=tuple(Entry(sid, action, number) for sid, action, number in entries),
    )


def write(uses: Iterable[Use]) -> None:
    """Appends to this process's file, if somebody asked for a ledger."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    with (Path(folder) / f"{os.getpid()}.jsonl").open("a") as file:
        file.writelines(f"{use.written()}\n" for use in uses)
