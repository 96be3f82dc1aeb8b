"""What telling people needs: what was told, what is held back, the secret, the ways out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from .console import Console
from .events.base import Event
from .routing import Target
from .secret import AlertConfig
from .sinks import Sink


class SeenStore(Protocol):
    """Remembers what was told."""

    def first_time(self, key: str, ttl: timedelta, holder: str) -> bool:
        """Marks the key; False when another holder marked it within its ttl.

        The same holder (one queue message) may come again after it crashed.
        """

    def forget(self, key: str) -> None:
        """Takes the mark back: it was not told after all."""


class ToldStore(SeenStore, Protocol):
    """One that knows besides when telling is over."""

    def keep(self, key: str, ttl: timedelta) -> None:
        """It is told: from now on not even the same holder may come again."""


@dataclass(frozen=True)
class Held:
    """An event that is told later. `key` is its own: held twice it is there once."""

    target: str
    at: datetime  # since when it is held
    quiet: bool  # quiet hours hold it, not its like
    event: Event
    key: str


class HeldStore(Protocol):
    """Keeps what is told later; nothing of it is lost when a function dies."""

    def hold(self, held: Held) -> None: ...

    def all(self) -> list[Held]: ...

    def drop(self, held: Sequence[Held]) -> None:
        """They were told."""


class Configs(Protocol):
    """The alerts' secret, understood."""

    def current(self) -> AlertConfig:
        """At most some minutes old."""

    def reread(self) -> AlertConfig:
        """As it is in this moment."""


@dataclass(frozen=True)
class Office:
    """Where alerts are told from. `last_resort` takes what no route takes; it raises
    SinkRejectedError when nobody reads it. `team_of` looks up whose an endpoint is. `refused`
    counts what a sink refused, for an alarm."""

    configs: Configs
    seen: ToldStore
    held: HeldStore
    sink_of: Callable[[Target, AlertConfig], Sink]
    last_resort: Sink
    team_of: Callable[[str], str]
    now: Callable[[], datetime]
    refused: Callable[[], None]
    console: Console | None = None
