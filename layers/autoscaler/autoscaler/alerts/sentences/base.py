"""The text of an event, without its frame; each module beside this one registers its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from ..events.base import Event

Fact = tuple[str, str]
MOST_FACTS = 10  # as many as a section of Slack's has fields


@dataclass(frozen=True)
class Bars:
    """What a chart shows: a stacked bar of dollars for each label, split by series."""

    title: str
    labels: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]  # name, dollars for each label

    @property
    def totals(self) -> tuple[float, ...]:
        return tuple(map(sum, zip(*(values for _, values in self.series), strict=True)))


@dataclass(frozen=True)
class Sentence:
    """The text of one event, without its frame."""

    title: str
    body: str
    facts: tuple[Fact, ...] = ()


@singledispatch
def told(event: Event) -> Sentence:
    """The sentence of an event; TypeError for a type that has none (a test covers them all)."""
    raise TypeError(f"{event.detail_type} has no sentence")


@singledispatch
def charted(event: Event) -> Bars | None:
    """What of an event is better seen than read."""
    return None
