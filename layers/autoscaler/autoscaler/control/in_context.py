"""An announcer whose events say what people ordered and is in force: the kill switch, and holds and
the other overrides of the endpoint. Whoever reads in Slack that one does not wake, or does not
sleep, must not wonder why. All that is announced passes here: no announcer can forget it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..alerts.events.base import Event
from ..alerts.events.life import HoldSet
from ..alerts.events.overrides import OverrideSet
from ..endpoints.migrations import NewerSchemaError, UnreadableError
from ..endpoints.stack_state import StackState
from ..endpoints.status import EndpointRecord
from ..policy.budget import stopped_text
from ..ports import Announcer
from .in_force import Kind, in_force, sentence

_LONGEST = 300  # characters of a sentence: reason and author may have 200 each


class Fleet(Protocol):
    """Where it is read; `ports.EndpointStore` is one."""

    def stack(self) -> StackState: ...

    def load(self, name: str) -> EndpointRecord | None: ...


class InContext:
    """Announcer over another one. For each batch that people are told of, one read of the stack and
    one of each endpoint."""

    def __init__(self, announcer: Announcer, fleet: Fleet) -> None:
        self._announcer, self._fleet = announcer, fleet

    def announce(self, event: Event) -> None:
        self.announce_all([event])

    def announce_all(self, events: Sequence[Event]) -> None:
        if not any(event.told for event in events):
            self._announcer.announce_all(events)
            return
        state = self._fleet.stack()
        names = {event.endpoint for event in events if event.told and event.endpoint}
        records = {name: self._record(name) for name in names}
        self._announcer.announce_all(
            [_saying(event, state, records.get(event.endpoint)) for event in events]
        )

    def _record(self, name: str) -> EndpointRecord | None:
        try:
            return self._fleet.load(name)
        except (NewerSchemaError, UnreadableError):
            return (
                None  # that it cannot be read is told elsewhere; what happened is told all the same
            )


def _saying(event: Event, state: StackState, record: EndpointRecord | None) -> Event:
    said: dict[str, Any] = {}
    if stop := state.stop_of(event.endpoint):
        said["stopped"] = stopped_text(stop)
    if record is not None and (sentences := _in_force(event, record)):
        said["in_force"] = sentences
    return event.model_copy(update=said) if said else event


def _in_force(event: Event, record: EndpointRecord) -> tuple[str, ...]:
    """Without the one whose beginning the event itself tells."""
    found = in_force(record.status, event.at).items()
    return tuple(_bounded(sentence(kind, one)) for kind, one in found if kind is not _begun(event))


def _begun(event: Event) -> Kind | None:
    if isinstance(event, HoldSet):
        return Kind.HOLD
    return Kind(event.kind.value) if isinstance(event, OverrideSet) else None


def _bounded(text: str) -> str:
    """On one line: an e-mail's lines are ours."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
