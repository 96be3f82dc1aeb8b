"""The meter's promises, over any sequence of observations.

1. Instance-seconds of all segments = integral of the instance count.
2. No two segments overlap, and none is missing while an instance is there.
3. No segment spans a UTC midnight, none is empty.
4. A replayed or late observation adds nothing.
5. Splitting the idle tail changes neither the sum nor the borders.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.catalog.prices import Former, PriceBook
from autoscaler.endpoints.status import Meter, UsageKind, UsageSegment
from autoscaler.ledger.meter import advance, open_segments, split_idle

START = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)
TYPE = "ml.g6e.xlarge"
FELL = START + timedelta(hours=5, minutes=7)
BOOK = PriceBook(
    listed={TYPE: Decimal(1)},
    read_at=FELL,
    former={TYPE: (Former(FELL, Decimal(3), "list us-east-1 2026-11-24"),)},
)

steps = st.lists(
    st.tuples(
        st.integers(0, 2 * 86_400),  # seconds since the one before; 0: at the same moment
        st.integers(0, 3),
        st.sampled_from(["ml.g6e.xlarge", "ml.g6e.12xlarge"]),
        st.sampled_from(UsageKind),
    ),
    max_size=25,
)
Observation = tuple[datetime, int, str, UsageKind]


def observations(drawn: list[tuple[int, int, str, UsageKind]]) -> list[Observation]:
    moment, seen = START, []
    for seconds, instances, instance_type, kind in drawn:
        moment += timedelta(seconds=seconds)
        seen.append((moment, instances, instance_type, kind))
    return seen


def step(meter: Meter, seen: Observation) -> tuple[Meter, tuple[UsageSegment, ...]]:
    moment, instances, instance_type, kind = seen
    return advance(
        meter,
        moment,
        instances=instances,
        instance_type=instance_type,
        kind=kind,
        endpoint="llama",
        team="search",
        prices=BOOK,
    )


def run(seen: list[Observation], until: datetime) -> list[UsageSegment]:
    meter, segments = Meter(since=START), []
    for observation in seen:
        meter, closed = step(meter, observation)
        segments += closed
    left = open_segments(meter, until, endpoint="llama", team="search", prices=BOOK)
    return [*segments, *left]


def end_of(seen: list[Observation]) -> datetime:
    return (seen[-1][0] if seen else START) + timedelta(hours=7)


def integral(seen: list[Observation], until: datetime) -> float:
    borders = [*seen, (until, 0, "", UsageKind.SERVING)]
    return sum(a[1] * (b[0] - a[0]).total_seconds() for a, b in pairwise(borders))


@given(steps)
def test_the_segments_add_up_to_the_instances_that_were_there(drawn: list) -> None:
    seen = observations(drawn)
    segments = run(seen, end_of(seen))
    assert sum(s.instance_seconds for s in segments) == integral(seen, end_of(seen))


@given(steps)
def test_segments_neither_overlap_nor_leave_a_gap(drawn: list) -> None:
    seen = observations(drawn)
    segments = run(seen, end_of(seen))
    covered = sum(((s.end - s.start for s in segments)), timedelta())
    borders = [*seen, (end_of(seen), 0, "", UsageKind.SERVING)]
    there = sum((b[0] - a[0] for a, b in pairwise(borders) if a[1]), timedelta())
    assert covered == there
    assert all(a.end <= b.start for a, b in pairwise(segments))


@given(steps)
def test_each_second_has_the_price_of_its_time(drawn: list) -> None:
    seen = observations(drawn)
    for segment in run(seen, end_of(seen)):
        assert not segment.start < FELL < segment.end or segment.instance_type != TYPE
        if segment.instance_type == TYPE:
            assert segment.usd_per_hour == (3 if segment.end <= FELL else 1)


@given(steps)
def test_no_segment_is_empty_or_spans_a_midnight(drawn: list) -> None:
    seen = observations(drawn)
    for segment in run(seen, end_of(seen)):
        assert segment.start < segment.end
        assert segment.start.date() == (segment.end - timedelta(microseconds=1)).date()


@given(steps, st.data())
def test_replays_and_late_observations_add_nothing(drawn: list, data: st.DataObject) -> None:
    seen = observations(drawn)
    noisy: list[Observation] = []
    for index, observation in enumerate(seen):
        noisy += [observation] * data.draw(st.integers(1, 3))
        earlier = seen[data.draw(st.integers(0, index))]
        if earlier[0] < observation[0] and observation[1]:
            late = (earlier[0] - timedelta(seconds=1), 3, "ml.p5.48xlarge", UsageKind.IDLE_TAIL)
            meter, closed = step(Meter(instances=1, since=observation[0]), late)
            assert closed == () and meter.since == observation[0]
    assert run(noisy, end_of(seen)) == run(seen, end_of(seen))


@given(steps, st.integers(-3600, 10 * 86_400))
def test_splitting_the_idle_tail_keeps_the_sum(drawn: list, seconds: int) -> None:
    seen = observations(drawn)
    segments = run(seen, end_of(seen))
    last_active_at = START + timedelta(seconds=seconds)
    split = split_idle(segments, last_active_at)
    assert sum(s.instance_seconds for s in split) == sum(s.instance_seconds for s in segments)
    assert all(a.end <= b.start for a, b in pairwise(split))
    serving = [s for s in split if s.kind is UsageKind.SERVING]
    assert all(s.end <= last_active_at for s in serving)
