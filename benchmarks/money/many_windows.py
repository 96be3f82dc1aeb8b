"""What a schedule of many windows costs: checked by `plan`, and foretold at a tick.

Processor seconds on the machine at hand, and how many times as much as 6 windows take in the same
run: 400 are 67 times as many, and what grows like their square would be 4,444 times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from time import process_time
from typing import Any

from autoscaler.policy.budget import period_end
from autoscaler.policy.forecast import asked_for
from autoscaler.policy.schedule_check import faults, oddities
from autoscaler.spec import EndpointSpec, parse_spec
from autoscaler.spec.days import WEEK
from benchmarks.staging.figures import Figure, at_most

FEW, MORE, MOST = 6, 24, 400
_ROUNDS = 3  # the fastest counts
NOW = datetime(2026, 5, 1, 0, 30, tzinfo=UTC)  # nearly the whole month is to come


@dataclass(frozen=True)
class Seconds:
    """Of so many windows."""

    checked: float
    foretold: float


def daily(count: int) -> EndpointSpec:
    """So many windows that share out each day, and keep a copy by turns."""
    length = 1440 // count
    return parse_spec(
        {
            "name": "many",
            "model": {"id": "acme/model"},
            "instances": {"types": ["ml.g6e.xlarge"]},
            "scaling": {"max_copies": 2, "keep_alive": "10m"},
            "schedule": {
                "time_zone": "Europe/Berlin",
                "windows": [_window(n, n * length, (n + 1) * length) for n in range(count)],
            },
        }
    )


def _window(number: int, since: int, until: int) -> dict[str, Any]:
    return {
        "name": f"w{number}",
        "days": list(WEEK),
        "start": f"{time(since // 60, since % 60):%H:%M}",
        "end": f"{time(until // 60, until % 60):%H:%M}" if until < 1440 else "24:00",
        "min_copies": number % 2,
    }


def seconds_of(count: int) -> Seconds:
    """How long a check and a forecast of so many windows take."""
    spec, end = daily(count), period_end("month", NOW)
    return Seconds(
        _fastest(lambda: [*faults(spec, NOW), *oddities(spec, NOW)]),
        _fastest(lambda: asked_for(spec, None, NOW, end)),
    )


def _fastest(work: Callable[[], object]) -> float:
    found = []
    for _ in range(_ROUNDS):
        since = process_time()
        work()
        found.append(process_time() - since)
    return min(found)


def figures() -> list[Figure]:
    """The check of 400 windows grows no faster than twice their number; the seconds are told."""
    few = seconds_of(FEW)
    rows: list[Figure] = []
    for count in (MORE, MOST):
        many = seconds_of(count)
        for what, much, little in (
            ("checked over five years", many.checked, few.checked),
            ("foretold for a month", many.foretold, few.foretold),
        ):
            text = f"{count} daily windows {what}, {much:.3f} s; as a multiple of {FEW} windows"
            rows.append(at_most(text, much / little, 2 * count / FEW, "{:.1f}x"))
    return rows
