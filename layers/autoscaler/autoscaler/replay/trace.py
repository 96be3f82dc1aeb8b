"""Requests that can be replayed: when they arrive and how long a copy works on each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """Seconds a copy works on one request: fixed + input / rate + output × seconds per token.

    The defaults are those of the comparison in docs/policy.md: an 8B model on one 48 GB card.
    """

    fixed_seconds: float = 0.3
    input_tokens_per_second: float = 6000.0
    seconds_per_output_token: float = 0.018

    def seconds(self, input_tokens: float, output_tokens: float) -> float:
        """Returns the service time of one request."""
        return (
            self.fixed_seconds
            + input_tokens / self.input_tokens_per_second
            + output_tokens * self.seconds_per_output_token
        )


@dataclass(frozen=True)
class Trace:
    """Requests in order of arrival. All in seconds from the start of the trace."""

    name: str
    arrivals: Sequence[float]
    services: Sequence[float]

    def __len__(self) -> int:
        return len(self.arrivals)

    @property
    def seconds(self) -> float:
        """From the start until the last request would be done if none waited."""
        if not self.arrivals:
            return 0.0
        return max(a + s for a, s in zip(self.arrivals[-2000:], self.services[-2000:], strict=True))

    def until(self, seconds: float) -> Trace:
        """The requests that arrive before."""
        count = bisect_left(self.arrivals, seconds)
        return Trace(self.name, self.arrivals[:count], self.services[:count])
