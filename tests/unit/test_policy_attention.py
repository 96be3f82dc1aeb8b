"""When metrics are left out of a look: only where they could not change what is decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.policy import Bounds, History, Observation, Phase
from autoscaler.policy.attention import LONGEST_UNREAD, may_wait
from autoscaler.policy.types import Hold
from tests.unit.policy_cases import MINUTE, NOON, PEAK, a_spec, seen

SPEC = a_spec(
    scaling={"max_copies": 4, "keep_alive": "10m", "target_concurrency": 8},
    serving={"concurrency_per_copy": 16},
)
ALONE = a_spec(scaling={"max_copies": 1, "keep_alive": "10m", "target_concurrency": 8})
KEPT = a_spec(zone="UTC", windows=[PEAK], scaling={"max_copies": 4})


def quiet(minutes_idle: float = 2, **changes: Any) -> Observation:
    at = {"last_active_at": NOON - minutes_idle * MINUTE, "phase_since": NOON - 60 * MINUTE}
    fields = {"backlog": 0, "in_flight": 1.0, "bounds": Bounds(1, 4), **at, **changes}
    return replace(seen(desired_copies=1, observed_copies=1), **fields)


def read(minutes_ago: float = 1) -> Any:
    return NOON - minutes_ago * MINUTE


def test_a_calm_copy_that_was_just_at_work_is_left_alone() -> None:
    assert may_wait(SPEC, quiet(), History(), read(), NOON)


@pytest.mark.parametrize(
    ("why", "changed"),
    [
        ("something waits", {"backlog": 1}),
        ("nobody could look at its queue", {"backlog": None}),
        ("something that may wait could be worked off", {"deferrable": 1}),
        ("its metrics did not come", {"in_flight": None}),
        ("a copy is on its way", {"desired_copies": 2}),
        ("a copy may have to go", {"desired_copies": 2, "observed_copies": 2}),
        ("it does not serve yet", {"phase": Phase.WAKING}),
        ("more copies may soon be wanted", {"in_flight": 4.1}),
        ("it may have been idle for its keep-alive", {"last_active_at": NOON - 10 * MINUTE}),
        ("its bounds are to be moved", {"bounds": Bounds(1, 3)}),
    ],
)
def test_read_when(why: str, changed: dict[str, Any]) -> None:
    assert not may_wait(SPEC, quiet(**changed), History(), read(), NOON), why


def test_one_that_can_have_no_other_copy_is_left_alone_however_busy() -> None:
    assert may_wait(ALONE, quiet(in_flight=15.0, bounds=Bounds(1, 1)), History(), read(), NOON)


@pytest.mark.parametrize(("minutes", "left"), [(7.9, True), (8, False), (60, False)])
def test_never_longer_than_a_few_minutes(minutes: float, left: bool) -> None:
    kept = quiet(minutes_idle=30, bounds=Bounds(1, 4))
    assert may_wait(KEPT, kept, History(), read(minutes), NOON) is left
    assert timedelta(minutes=8) == LONGEST_UNREAD


def test_a_hold_that_ends_makes_it_look() -> None:
    idle = quiet(minutes_idle=30)
    held = replace(idle, hold=Hold(NOON + MINUTE, 1, "a test", "ana"))
    assert may_wait(SPEC, held, History(), read(), NOON)
    assert not may_wait(SPEC, held, History(), read(), NOON + MINUTE)
