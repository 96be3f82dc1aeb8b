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
            pattern = pattern.with_gap(moment, timedelta(seconds=seconds))
    assert len(StoredPattern.of(pattern).model_dump_json()) < 30_000


def test_a_table_of_before_has_no_pattern() -> None:
    assert StoredPattern.model_validate_json("{}").pattern() == Pattern()
