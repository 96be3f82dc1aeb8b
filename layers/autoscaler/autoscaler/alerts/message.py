"""An event as a sink sends it: its sentences in their frame."""

from __future__ import annotations

from dataclasses import dataclass

from ..policy.wording import at_utc
from .events.base import Event, Severity
from .sentences import (  # noqa: F401 - each registers with `told`
    budgets,
    capacity,
    costs,
    life,
    overrides,
    requests,
)
from .sentences.base import Fact, told


@dataclass(frozen=True)
class Message:
    """What a sink sends."""

    severity: Severity
    title: str
    body: str
    facts: tuple[Fact, ...]
    context: str

    @property
    def fallback(self) -> str:
        """One line, for notifications and for logs."""
        return f"{self.title}. {self.body}"


def message_of(event: Event) -> Message:
    """The event as people read it."""
    sentence = told(event)
    about = f" · generation {event.generation}" if event.generation else ""
    about += f" · {event.stopped}" if event.stopped else ""
    return Message(
        severity=event.severity,
        title=sentence.title,
        body=sentence.body,
        facts=sentence.facts,
        context=f"{event.severity} · {event.detail_type} · {at_utc(event.at)}{about}",
    )
