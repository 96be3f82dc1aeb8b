"""How fast a place is written to: Slack allows one message a second in a channel, and short bursts
above that (docs.slack.dev, "Rate limits"). Whoever comes too soon comes again later: no function
waits."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta

from .sinks import RetryLater

BURST = 4  # messages at once, after a pause
PER_SECOND = 1.0


class Pace:
    """A bucket of `burst` messages for each place, filled at `per_second`; of this process alone.

    Slack's own answer is the judge: this only keeps us from asking for it.
    """

    def __init__(
        self, now: Callable[[], datetime], burst: int = BURST, per_second: float = PER_SECOND
    ) -> None:
        self._now, self._burst, self._rate = now, burst, per_second
        self._left: dict[Hashable, tuple[float, datetime]] = {}
        self._closed: dict[Hashable, datetime] = {}

    def take(self, place: Hashable) -> None:
        """Raises RetryLater when it is too soon for one more."""
        now = self._now()
        if (until := self._closed.get(place)) is not None and now < until:
            raise RetryLater((until - now).total_seconds())
        left, at = self._left.get(place, (float(self._burst), now))
        left = min(self._burst, left + max(0.0, (now - at).total_seconds()) * self._rate)
        if left < 1:
            raise RetryLater((1 - left) / self._rate)
        self._left[place] = (left - 1, now)

    def close(self, place: Hashable, seconds: float) -> RetryLater:
        """The place asked for a pause: nobody asks before that. Returns what is to be raised."""
        self._closed[place] = self._now() + timedelta(seconds=seconds)
        return RetryLater(seconds)
