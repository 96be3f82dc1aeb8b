"""How fast a place is written to: Slack allows one message a second in a channel, and short bursts
above that (docs.slack.dev, "Rate limits"). Whoever comes too soon comes again later: no function
waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from .sinks import RetryLater

BURST = 4  # messages at once, after a pause
PER_SECOND = 1.0


class Pauses(Protocol):
    """Until when places asked not to be written to, known to every process that writes to them.
    Neither raises: a message that could be told must not fail for them."""

    def until(self, place: str) -> datetime | None:
        """None: it asked for nothing that is known."""

    def keep(self, place: str, until: datetime) -> None:
        """A later time that is known already stays."""


class Pace:
    """A bucket of `burst` messages for each place, filled at `per_second`; of this process alone:
    Slack's own answer is the judge, and this only keeps us from asking for it. A pause that a place
    asks for (`Retry-After`) is kept by every process with the same `pauses`."""

    def __init__(
        self,
        now: Callable[[], datetime],
        burst: int = BURST,
        per_second: float = PER_SECOND,
        pauses: Pauses | None = None,
    ) -> None:
        self._now, self._burst, self._rate, self._pauses = now, burst, per_second, pauses
        self._left: dict[str, tuple[float, datetime]] = {}
        self._closed: dict[str, datetime] = {}

    def take(self, place: str) -> None:
        """Raises RetryLater when it is too soon for one more."""
        now = self._now()
        self._refuse_within_a_pause(place, now)
        left, at = self._left.get(place, (float(self._burst), now))
        left = min(self._burst, left + max(0.0, (now - at).total_seconds()) * self._rate)
        if left < 1:
            raise RetryLater((1 - left) / self._rate)
        self._left[place] = (left - 1, now)

    def close(self, place: str, seconds: float) -> RetryLater:
        """The place asked for a pause: nobody asks before that. Returns what is to be raised."""
        until = self._now() + timedelta(seconds=seconds)
        self._closed[place] = until
        if self._pauses is not None:
            self._pauses.keep(place, until)
        return RetryLater(seconds)

    def _refuse_within_a_pause(self, place: str, now: datetime) -> None:
        until = self._closed.get(place)
        if self._pauses is not None and (until is None or until <= now):
            until = self._pauses.until(place)
        if until is not None and now < until:
            self._closed[place] = until
            raise RetryLater((until - now).total_seconds())
