"""How often, how long: full jitter inside a budget, and never sooner than told."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .errors import HubUnavailableError

# The Hub writes e.g. `"resolvers";r=0;t=42`: nothing remaining, reset in 42 s.
_RATE_LIMIT_RESET = re.compile(r";\s*r=(\d+)\b.*;\s*t=(\d+)\b")


class TransientError(Exception):
    """Worth another attempt, not before `wait_seconds` if the server named a time."""

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True)
class RetryPolicy:
    """`attempts` in a row without progress; `wait_budget_seconds` over the whole operation."""

    attempts: int = 6
    base_seconds: float = 0.5
    cap_seconds: float = 20.0
    wait_budget_seconds: float = 180.0


@dataclass
class Retrier:
    """Counts the attempts of one operation."""

    policy: RetryPolicy
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float, float], float] = random.uniform
    _failures: int = field(default=0, init=False)
    _waited_seconds: float = field(default=0.0, init=False)

    def progressed(self) -> None:
        """Something came through: the next failure is a first one again."""
        self._failures = 0

    def may_wait(self, trouble: TransientError) -> bool:
        """Sleeps before the next attempt; False, at once, when the budget is spent."""
        self._failures += 1
        delay_seconds = self._delay_seconds(trouble.wait_seconds)
        spent = self._waited_seconds + delay_seconds > self.policy.wait_budget_seconds
        if self._failures >= self.policy.attempts or spent:
            return False
        self._waited_seconds += delay_seconds
        self.sleep(delay_seconds)
        return True

    def wait(self, trouble: TransientError, what: str) -> None:
        """Sleeps before the next attempt; raises HubUnavailableError when the budget is spent."""
        self._failures += 1
        if self._failures >= self.policy.attempts:
            raise HubUnavailableError(
                f"{what}: gave up after {self._failures} attempts; the last one said: {trouble}"
            ) from trouble
        delay_seconds = self._delay_seconds(trouble.wait_seconds)
        if self._waited_seconds + delay_seconds > self.policy.wait_budget_seconds:
            raise HubUnavailableError(
                f"{what}: {trouble}; waiting {delay_seconds:.0f} s more would exceed the retry "
                f"budget of {self.policy.wait_budget_seconds:.0f} s"
            ) from trouble
        self._waited_seconds += delay_seconds
        self.sleep(delay_seconds)

    def _delay_seconds(self, told_seconds: float | None) -> float:
        ceiling = min(self.policy.cap_seconds, self.policy.base_seconds * 2**self._failures)
        return (told_seconds or 0.0) + self.jitter(0.0, ceiling)


def told_to_wait(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a reply asks for: the longer of `Retry-After` and `RateLimit`; None if neither.

    `headers` has lower-case names.
    """
    waits = [
        seconds
        for seconds in (
            _retry_after(headers.get("retry-after", ""), now or datetime.now(UTC)),
            _rate_limit_reset(headers.get("ratelimit", "")),
        )
        if seconds is not None
    ]
    return max(waits, default=None)


def _retry_after(value: str, now: datetime) -> float | None:
    value = value.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def _rate_limit_reset(value: str) -> float | None:
    match = _RATE_LIMIT_RESET.search(value)
    return float(match[2]) if match and int(match[1]) == 0 else None
