"""All events by name, and the way back from the bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from . import budgets, capacity, costs, life, observing, overrides, requests, rounds
from .base import Event

EVENTS: Mapping[str, type[Event]] = {
    name: found
    for module in (life, overrides, capacity, requests, costs, budgets, observing, rounds)
    for name, found in vars(module).items()
    if isinstance(found, type) and issubclass(found, Event) and found is not Event
}


class EventError(ValueError):
    """A detail that is no event of ours; names the field."""


def parse_event(detail_type: str, detail: Mapping[str, Any]) -> Event:
    """Returns the typed event; raises EventError for an unknown type or a malformed detail."""
    if detail_type not in EVENTS:
        raise EventError(f"there is no event {detail_type!r}; known: {', '.join(sorted(EVENTS))}")
    try:
        return EVENTS[detail_type].model_validate(detail)
    except ValidationError as invalid:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in invalid.errors()]
        raise EventError(f"{detail_type}: {'; '.join(problems)}") from invalid
