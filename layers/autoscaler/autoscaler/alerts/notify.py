"""From an event to people: each is told once, or stays in the queue until it could be told."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from .events.base import Event
from .message import Message, message_of


class RetryLater(RuntimeError):
    """The sink takes nothing before so many seconds have passed."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"told to try again in {seconds:g} s")


class SeenStore(Protocol):
    """Remembers what was told."""

    def first_time(self, key: str, ttl: timedelta, holder: str) -> bool:
        """Marks the key; False when another holder marked it within its ttl.

        The same holder (one queue message) may come again after it crashed.
        """

    def forget(self, key: str) -> None:
        """Takes the mark back: it was not told after all."""


class Sink(Protocol):
    """Where messages go: Slack, or a log."""

    def send(self, message: Message) -> None:
        """Raises RetryLater, or an error that says why the message was not taken."""


class Told(StrEnum):
    """What became of an event."""

    SENT = "sent"
    REPEATED = "repeated"
    NOT_FOR_PEOPLE = "not_for_people"


def notify(event: Event, seen: SeenStore, sink: Sink, holder: str) -> Told:
    """Sends the event unless it was told already. Raises what the sink raises; the mark is then
    taken back, so that the next delivery is the first again."""
    if not event.told:
        return Told.NOT_FOR_PEOPLE
    key = event.dedupe_key
    if not seen.first_time(key, timedelta(seconds=event.repeat_seconds), holder):
        return Told.REPEATED
    try:
        sink.send(message_of(event))
    except BaseException:
        seen.forget(key)
        raise
    return Told.SENT
