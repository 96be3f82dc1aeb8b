"""How often, how long: full jitter inside a budget, and never sooner than told."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .errors import HubBusyError, HubUnavailableError

# A quoted name may hold a comma or a semicolon: it is taken out first.
_QUOTED = re.compile(r'"[^"]*"')
_PARAMETER = re.compile(r"\s*(r|t)=(\d+(?:\.\d+)?)\s*")


class TransientError(Exception):
    """Worth another attempt, not before `wait_seconds` if the server named a time."""

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True)
class RetryPolicy:
    """`attempts` in a row without progress; `wait_budget_seconds` over the whole operation.

    `left_seconds` is what the process itself has left, so that it never ends in a wait.
    """

    attempts: int = 6
    base_seconds: float = 0.5
    cap_seconds: float = 20.0
    wait_budget_seconds: float = 180.0
    left_seconds: Callable[[], float] = lambda: math.inf


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
        if self._failures >= self.policy.attempts or delay_seconds > self._left_seconds():
            return False
        self._waited_seconds += delay_seconds
        self.sleep(delay_seconds)
        return True

    def wait(self, trouble: TransientError, what: str) -> None:
        """Sleeps before the next attempt; raises HubUnavailableError when the budget is spent,
        and of these HubBusyError when the reply named a time that must be kept."""
        self._failures += 1
        delay_seconds = self._delay_seconds(trouble.wait_seconds)
        why = None
        if self._failures >= self.policy.attempts:
            why = f"gave up after {self._failures} attempts; the last one said: {trouble}"
        elif delay_seconds > self._left_seconds():
            why = (
                f"{trouble}; waiting {delay_seconds:.0f} s more would exceed the retry "
                f"budget of {self.policy.wait_budget_seconds:.0f} s, or the time that is left"
            )
        if why is not None and trouble.wait_seconds is not None:
            raise HubBusyError(f"{what}: {why}", delay_seconds) from trouble
        if why is not None:
            raise HubUnavailableError(f"{what}: {why}") from trouble
        self._waited_seconds += delay_seconds
        self.sleep(delay_seconds)

    def _left_seconds(self) -> float:
        return min(
            self.policy.wait_budget_seconds - self._waited_seconds, self.policy.left_seconds()
        )

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
    if re.fullmatch(r"\d{1,20}(\.\d+)?", value):
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def _rate_limit_reset(value: str) -> float | None:
    """The longest reset of the quotas that are spent.

    The Hub writes e.g. `"api";r=5;t=42, "resolvers";r=0;t=55`: of the second nothing remains.
    """
    resets = []
    for item in _QUOTED.sub("", value).split(","):
        found = map(_PARAMETER.fullmatch, item.split(";"))
        said = {match[1]: float(match[2]) for match in found if match}
        if said.get("r") == 0 and "t" in said:
            resets.append(said["t"])
    return max(resets, default=None)
