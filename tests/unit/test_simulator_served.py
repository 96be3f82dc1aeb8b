"""What a simulated policy is told of the requests that were answered, as late as by CloudWatch."""

from __future__ import annotations

import pytest

from autoscaler.replay.served import Served


def told(answers: list[int], now: float) -> float:
    """Requests a minute in the busiest of the minutes that are told; so many were answered in each
    from the beginning on."""
    served, until = Served(), 0
    for minute, count in enumerate(answers, start=1):
        until += count
        served.note(until, 60.0 * minute)
    return 60 * served.busiest(now)


@pytest.mark.parametrize(
    ("answers", "now", "expected"),
    [
        ([], 0, 0),
        ([7], 60, 0),  # a minute that is just over is not told yet
        ([7], 90, 0),
        ([7], 120, 7),
        ([7, 3], 120, 7),
        ([3, 7, 9], 180, 7),  # the busiest
        ([9, 3, 7, 8], 240, 7),  # what is older than three minutes says nothing of now
        ([9, 3, 7, 8], 225, 3),  # between two ticks: of the first minute it was so at 180
        ([5] * 60, 3600, 5),
    ],
)
def test_the_busiest_of_the_minutes_that_are_told(
    answers: list[int], now: float, expected: float
) -> None:
    assert told(answers, now) == pytest.approx(expected)


def test_only_full_minutes_are_counted() -> None:
    served = Served()
    for now, answered in ((15.0, 9), (60.0, 10), (75.0, 30), (120.0, 31), (120.0, 99)):
        served.note(answered, now)
    assert 60 * served.busiest(121.0) == pytest.approx(10)
    assert 60 * served.busiest(181.0) == pytest.approx(21)
