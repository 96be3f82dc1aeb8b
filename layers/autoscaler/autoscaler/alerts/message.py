"""An event as a sink sends it: its sentences in their frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..policy.wording import at_utc
from .console import Console
from .events.base import Event, Severity
from .links import links_of
from .sentences import (  # noqa: F401 - each registers with `told`
    budgets,
    capacity,
    costs,
    life,
    observing,
    overrides,
    requests,
    rounds,
)
from .sentences.base import Bars, Fact, charted, told
from .tamed import tamed

Link = tuple[str, str]
_MOST_IN_FORCE = 8  # lines: two endpoints with all kinds, or eight of which one is in force
STACK = ""  # the endpoint of what concerns the whole stack


@dataclass(frozen=True)
class Message:
    """What a sink sends. `in_force`: what people asked for of its endpoints until some time;
    `notes`: what has to be said besides, of the sending itself."""

    severity: Severity
    title: str
    body: str
    facts: tuple[Fact, ...]
    context: str
    kind: str = ""  # the event's name
    endpoint: str = STACK
    links: tuple[Link, ...] = ()
    in_force: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    bars: Bars | None = None

    @property
    def fallback(self) -> str:
        """One line, for notifications and for logs."""
        return f"{self.title}. {self.body}".replace("*", "")

    def noting(self, *notes: str) -> Message:
        """The same with lines that say what went wrong on the way."""
        return replace(self, notes=(*self.notes, *(note for note in notes if note)))


def message_of(event: Event, console: Console | None = None) -> Message:
    """The event as people read it, with links into the console that is given."""
    links = links_of(event, console) if console else ()
    event = tamed(event)
    sentence = told(event)
    whose = (event.team,) if event.team else ()
    generation = f"generation {event.generation}" if event.generation else ""
    about = tuple(text for text in (generation, event.stopped) if text)
    parts = (event.severity.value, event.detail_type, *whose, at_utc(event.at), *about)
    return Message(
        severity=event.severity,
        title=sentence.title,
        body=sentence.body,
        facts=sentence.facts,
        context=" · ".join(parts),
        kind=event.detail_type,
        endpoint=event.endpoint,
        links=links,
        in_force=in_force_of([event]),
        bars=charted(event),
    )


def in_force_of(events: Sequence[Event]) -> tuple[str, ...]:
    """`llama is held at 2 copies or more until … by ana: load test`: of each endpoint as its last
    event has it; of many endpoints the first, and how many more there are. Events that are
    tamed already."""
    last = {event.endpoint: event for event in sorted(events, key=lambda event: event.at)}
    said = [f"{name} is {one}" for name, event in sorted(last.items()) for one in event.in_force]
    more = len(said) - _MOST_IN_FORCE
    return (*said[:_MOST_IN_FORCE], *((f"… and {more} more",) if more > 0 else ()))


def own_message(
    severity: Severity, title: str, body: str, now: datetime, lines: Sequence[Fact] = ()
) -> Message:
    """What the alerts say of themselves."""
    return Message(
        severity=severity,
        title=title,
        body=body,
        facts=tuple(lines),
        context=f"{severity} · Alerts · {at_utc(now)}",
        kind="Alerts",
    )
