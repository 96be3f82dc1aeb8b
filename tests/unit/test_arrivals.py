"""How many requests come a second: what was served, and what grew between two looks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.observe import observe
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy.types import Episode
from autoscaler.ports import Capacity, Load
from tests.memory import NOON
from tests.samples import awake, spec

UP = Capacity(exists=True, desired_copies=1, current_copies=1)


def arrivals(seconds: float, *, before: float, backlog: int, served: float = 0.0) -> float | None:
    """Between two looks so far apart; nothing runs in the model."""
    looked = Episode(looked_at=NOON - timedelta(seconds=seconds), waiting=before)
    record = EndpointRecord(spec=spec(), status=awake("llama", episode=looked))
    load = Load(backlog=backlog, concurrency_per_copy=0.0, served_per_second=served)
    return observe(record, load, UP, NOON).arrivals_per_second


@pytest.mark.parametrize(
    ("seconds", "before", "backlog", "served", "expected"),
    [
        (60, 0, 30, 0.0, 0.5),
        (60, 30, 30, 2.0, 2.0),  # what is served comes too
        (60, 30, 0, 1.0, 0.5),  # a backlog that is worked off came before
        (60, 30, 0, 0.2, 0.0),
        (180, 0, 90, 0.0, 0.5),
        (181, 0, 90, 0.0, 0.0),  # says little about now
        (30, 0, 15, 0.0, 0.5),
    ],
)
def test_what_waits_grows_by_what_comes_and_is_not_served(
    seconds: float, before: float, backlog: int, served: float, expected: float
) -> None:
    found = arrivals(seconds, before=before, backlog=backlog, served=served)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.3, 10.0])
def test_six_requests_between_two_looks_in_a_row_are_no_rate_of_thousands_an_hour(
    seconds: float,
) -> None:
    """The look at a wake that has just answered comes seconds after a tick's: six requests made it
    start two more copies, for the hour that a long start has them stay."""
    assert arrivals(seconds, before=0, backlog=6) == pytest.approx(0.2)
