"""What must hold at every moment: looked at whenever anybody has written into the table."""

from __future__ import annotations

from typing import Any

from moto.dynamodb.models import dynamodb_backends

from autoscaler.endpoints.phases import TRANSITIONS
from autoscaler.policy.types import Phase
from tests.histories.faults import Call
from tests.histories.template import STACK
from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION

WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})


class Watch:
    """Follows every endpoint's phase and generation, and keeps what was against the rules."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.lives: dict[str, list[tuple[str, int]]] = {}

    def written(self, call: Call) -> None:
        if call.service == "dynamodb" and call.operation in WRITES:
            for name, phase, generation in _statuses():
                self._follow(name, phase, generation)

    def _follow(self, name: str, phase: str, generation: int) -> None:
        life = self.lives.setdefault(name, [])
        if life and life[-1] == (phase, generation):
            return
        if life:
            before, last = life[-1]
            if phase != before and Phase(phase) not in TRANSITIONS[Phase(before)]:
                self.problems.append(f"{name} went from {before} to {phase}")
            if generation < last:
                self.problems.append(f"{name} went back from generation {last} to {generation}")
        life.append((phase, generation))


def _statuses() -> list[tuple[str, str, int]]:
    table = dynamodb_backends[ACCOUNT_ID][DEFAULT_REGION].tables[STACK]
    fleet = next((rows for key, rows in table.items.items() if key.value == "FLEET"), {})
    found = []
    for sort_key, item in fleet.items():
        key = str(sort_key.value)
        if key.endswith("#STATUS") and not key.startswith("#"):
            attrs: dict[str, Any] = item.attrs
            name = key.removesuffix("#STATUS")
            found.append((name, str(attrs["phase"].value), int(attrs["generation"].value)))
    return found
