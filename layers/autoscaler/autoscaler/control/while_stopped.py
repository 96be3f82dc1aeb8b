"""An announcer whose events say that the kill switch is on while it is: whoever reads of an
endpoint in Slack must not wonder why it does not wake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..alerts.events.base import Event
from ..endpoints.stack_state import StackState
from ..policy.budget import stopped_text
from ..ports import Announcer


class Stack(Protocol):
    """Where the switch is read; `ports.EndpointStore` is one."""

    def stack(self) -> StackState: ...


class WhileStopped:
    """Announcer over another one. One read for each batch that people are told of."""

    def __init__(self, announcer: Announcer, stack: Stack) -> None:
        self._announcer, self._stack = announcer, stack

    def announce(self, event: Event) -> None:
        self.announce_all([event])

    def announce_all(self, events: Sequence[Event]) -> None:
        if not any(event.told for event in events):
            self._announcer.announce_all(events)
            return
        state = self._stack.stack()
        self._announcer.announce_all([_saying(event, state) for event in events])


def _saying(event: Event, state: StackState) -> Event:
    stop = state.stop_of(event.endpoint)
    return event.model_copy(update={"stopped": stopped_text(stop)}) if stop else event
