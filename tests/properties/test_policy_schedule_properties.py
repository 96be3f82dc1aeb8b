"""What holds of every schedule: a clock change never moves a window in local time, and edges are
exactly where the bounds change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policy import bounds_at, edges_between, next_edge
from autoscaler.spec import EndpointSpec, Window
from tests.properties.policy_strategies import DAYS, ZONES, moments, specs, windows
from tests.unit.policy_cases import a_spec


class TestClockChanges:
    """Against an oracle of its own: the wall clock, read wherever it is unambiguous."""

    @staticmethod
    def shown(window: Window, local: datetime) -> bool:
        clock = local.time()
        today, yesterday = (DAYS[(local.weekday() - back) % 7] in window.days for back in (0, 1))
        if window.start < window.end:
            return today and window.start <= clock < window.end
        return (today and clock >= window.start) or (yesterday and clock < window.end)

    @staticmethod
    def doubled(local: datetime) -> bool:
        return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()

    @pytest.mark.parametrize("zone", ZONES)
    @settings(deadline=None)
    @given(
        window=windows(),
        year=st.sampled_from([2017, 2018, 2025, 2026]),
        minute=st.integers(0, 365 * 24 * 60),
    )
    def test_local_time_decides(
        self, zone: str, window: dict[str, object], year: int, minute: int
    ) -> None:
        spec = a_spec(windows=[window], zone=zone)
        moment = datetime(year, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
        self.check(spec, moment.astimezone(ZoneInfo(zone)))

    @pytest.mark.parametrize("zone", ZONES)
    @settings(max_examples=25, deadline=None)
    @given(window=windows(), year=st.sampled_from([2017, 2018, 2025, 2026]))
    def test_around_every_change(self, zone: str, window: dict[str, object], year: int) -> None:
        spec = a_spec(windows=[window], zone=zone)
        for change in changes(zone, year):
            for quarter in range(-12 * 4, 12 * 4):
                moment = change + timedelta(minutes=15 * quarter)
                self.check(spec, moment.astimezone(ZoneInfo(zone)))

    def check(self, spec: EndpointSpec, local: datetime) -> None:
        is_open = bounds_at(spec, local).name is not None
        shown = self.shown(spec.schedule.windows[0], local)
        # In a doubled hour a window stays open between the first start and the second end.
        assert is_open == shown or (self.doubled(local) and is_open)

    def test_the_oracle_has_changes_to_look_at(self) -> None:
        found = {zone: len(changes(zone, 2018)) for zone in ZONES}
        assert found == dict(zip(ZONES, [2, 2, 0, 2, 2], strict=True))


@cache
def changes(zone: str, year: int) -> list[datetime]:
    """The UTC hours at which the zone's offset changed."""
    info = ZoneInfo(zone)
    start = datetime(year, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(minutes=30 * half) for half in range(365 * 48)]
    offsets = [hour.astimezone(info).utcoffset() for hour in hours]
    return [
        hour
        for hour, before, after in zip(hours[1:], offsets, offsets[1:], strict=False)
        if before != after
    ]


@settings(deadline=None)
@given(specs(), moments)
def test_edges_are_exactly_where_the_bounds_change(spec: EndpointSpec, moment: datetime) -> None:
    end = moment + timedelta(days=2)
    edges = edges_between(spec, moment, end)
    assert next_edge(spec, moment, timedelta(days=2)) == (edges[0] if edges else None)
    for edge in edges:
        just_before = bounds_at(spec, edge - timedelta(seconds=1))
        assert not bounds_at(spec, edge).same_effect(just_before)
    for minute in range(0, 2 * 24 * 60, 7):
        at = moment + timedelta(minutes=minute)
        last = max((edge for edge in edges if edge <= at), default=moment)
        assert bounds_at(spec, at).same_effect(bounds_at(spec, last))
