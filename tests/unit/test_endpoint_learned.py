"""The learned pattern as stored: nothing that decisions could notice is lost on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given

from autoscaler.endpoints.learned import StoredPattern
from autoscaler.policy import Pattern
from tests.properties.policy_strategies import patterns

NOON = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)


@given(patterns(NOON))
def test_what_is_stored_comes_back(pattern: Pattern) -> None:
    stored = StoredPattern.of(pattern)
    again = StoredPattern.model_validate_json(stored.model_dump_json())
    assert again == stored
    assert StoredPattern.of(again.pattern()) == stored


def test_two_busy_weeks_stay_small() -> None:
    pattern = Pattern()
    for hour in range(14 * 24):
        moment = datetime.fromtimestamp(hour * 3600, UTC)
        for seconds in (40, 80, 200, 800):
            pattern = pattern.with_gap(moment, moment + timedelta(seconds=seconds))
            pattern = pattern.with_burst(moment, seconds, 1000.0 * seconds, 60.0)
    assert len(StoredPattern.of(pattern).model_dump_json()) < 30_000


def test_a_version_with_other_bins_learns_anew() -> None:
    stored = StoredPattern.of(Pattern().with_gap(NOON, NOON + timedelta(hours=1)))
    assert stored.pattern() != Pattern()
    assert stored.model_copy(update={"edges": (60.0, 120.0)}).pattern() == Pattern()


def test_a_table_of_before_has_no_pattern() -> None:
    assert StoredPattern.model_validate_json("{}").pattern() == Pattern()
