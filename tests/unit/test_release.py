"""A sleep looks at its instances first when the last ones say that they may be gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.control.release import RELEASES_KEPT, first_look, with_release
from tests.memory import NOON
from tests.samples import asleep

USUAL = 45.0


@pytest.mark.parametrize(
    ("lasted", "seconds"),
    [
        ((), USUAL),
        ((100,), 97),
        ((300, 100, 200), 97),
        ((300, 291), 291 * 0.85),  # it was over when anybody looked
        ((300, 100), 85),
        ((300, 100, 100), 97),
        ((300, 300, 300), 291),
        ((20,), USUAL),  # gone before anybody looked: not sooner than where nothing is known
        ((3600,), 600),  # a guard and the end of a hold shall not wait for an hour
    ],
)
def test_the_first_look_is_a_little_before_the_shortest_of_the_last(
    lasted: tuple[float, ...], seconds: float
) -> None:
    assert first_look(lasted).total_seconds() == pytest.approx(seconds)


@given(st.lists(st.floats(1, 7200), max_size=8))
def test_it_is_never_later_than_the_instances_ever_took(lasted: list[float]) -> None:
    assert first_look(lasted) <= timedelta(seconds=max(USUAL, min(lasted, default=USUAL)))


def test_the_last_few_are_kept() -> None:
    status = asleep("llama", observed_instances=1, wished_at=NOON)
    for seconds in range(60, 60 + RELEASES_KEPT + 2):
        lasted = with_release(status, NOON + timedelta(seconds=seconds, milliseconds=300))
        status = status.model_copy(update={"release_seconds": lasted})
    assert lasted == (62.0, 63.0, 64.0, 65.0, 66.0)


def test_a_sleep_that_had_no_instance_says_nothing_of_how_long_they_take() -> None:
    status = asleep("llama", observed_instances=0, wished_at=NOON, release_seconds=(90.0,))
    assert with_release(status, NOON + timedelta(seconds=4)) == (90.0,)
