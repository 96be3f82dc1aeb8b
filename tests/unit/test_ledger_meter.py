"""The meter by example: a day's wakes and sleeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.catalog.prices import bundled
from autoscaler.endpoints.status import Meter, UsageKind, UsageSegment
from autoscaler.ledger.meter import advance, open_segments, split_idle

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WHO: dict[str, Any] = {"endpoint": "llama", "team": "search", "prices": bundled()}


def moved(
    meter: Meter,
    minutes: float,
    instances: int,
    kind: UsageKind = UsageKind.SERVING,
    asking: bool = False,
) -> tuple[Meter, tuple[UsageSegment, ...]]:
    return advance(
        meter,
        NOON + timedelta(minutes=minutes),
        instances=instances,
        instance_type="ml.g6e.xlarge",
        kind=kind,
        asking=asking,
        **WHO,
    )


def test_a_wake_and_a_sleep_are_three_segments() -> None:
    asleep = Meter(since=NOON - timedelta(hours=3))
    waking, none = moved(asleep, 0, 1, UsageKind.PROVISIONING)
    awake, first = moved(waking, 6, 1, UsageKind.SERVING)
    sleeping, second = moved(awake, 30, 1, UsageKind.IDLE_TAIL)
    gone, third = moved(sleeping, 33, 0, UsageKind.IDLE_TAIL)
    segments = [*none, *first, *second, *third]
    assert [(s.kind, s.instance_seconds) for s in segments] == [
        (UsageKind.PROVISIONING, 360),
        (UsageKind.SERVING, 1440),
        (UsageKind.IDLE_TAIL, 180),
    ]
    assert gone.instances == 0


def test_nothing_changed_is_no_segment_and_the_same_meter() -> None:
    meter, _ = moved(Meter(since=NOON), 0, 2)
    assert moved(meter, 5, 2) == (meter, ())


def test_zero_instances_open_nothing() -> None:
    meter = Meter(since=NOON)
    assert moved(meter, 60, 0, UsageKind.IDLE_TAIL) == (meter, ())


def test_two_days_of_the_same_are_closed_at_each_midnight() -> None:
    meter, _ = moved(Meter(since=NOON), 0, 1)
    later, segments = moved(meter, 2 * 24 * 60, 1)
    assert [s.end.hour for s in segments] == [0, 0]
    assert [s.instance_seconds / 3600 for s in segments] == [12, 24]
    assert later.since == datetime(2026, 11, 26, tzinfo=UTC)


def test_what_is_only_asked_for_stays_open_over_midnight_and_is_cut_there_when_it_came() -> None:
    meter, _ = moved(Meter(since=NOON), 0, 1, UsageKind.PROVISIONING)
    later, segments = moved(meter, 13 * 60, 1, UsageKind.PROVISIONING, asking=True)
    assert (later, segments) == (meter, ())
    served, segments = moved(later, 14 * 60, 1)
    assert [s.instance_seconds / 3600 for s in segments] == [12, 2]
    assert served.since == NOON + timedelta(hours=14)


def test_a_look_at_midnight_itself_closes_the_day() -> None:
    meter, _ = moved(Meter(since=NOON), 0, 1)
    later, segments = moved(meter, 12 * 60, 1)
    assert len(segments) == 1 and later.since == datetime(2026, 11, 25, tzinfo=UTC)


def test_a_late_observation_changes_nothing() -> None:
    meter, _ = moved(Meter(since=NOON), 10, 1)
    assert moved(meter, 9, 4) == (meter, ())


def test_the_idle_tail_begins_with_the_last_activity() -> None:
    meter, _ = moved(Meter(since=NOON), 0, 2)
    _, closed = moved(meter, 30, 2, UsageKind.IDLE_TAIL)
    serving, tail = split_idle(closed, NOON + timedelta(minutes=20))
    assert (serving.kind, serving.instance_seconds) == (UsageKind.SERVING, 2 * 1200)
    assert (tail.kind, tail.instance_seconds) == (UsageKind.IDLE_TAIL, 2 * 600)
    assert tail.usd_per_hour == bundled().usd_per_hour("ml.g6e.xlarge")


def test_nothing_is_idle_after_it_is_known() -> None:
    meter, _ = moved(Meter(since=NOON), 0, 2)
    _, closed = moved(meter, 30, 1)
    known_until = NOON + timedelta(minutes=25)
    split = split_idle(closed, NOON + timedelta(minutes=20), known_until=known_until)
    serving, idle = UsageKind.SERVING, UsageKind.IDLE_TAIL
    assert [(s.kind, s.instance_seconds / 120) for s in split] == [
        (serving, 20),
        (idle, 5),
        (serving, 5),
    ]
    assert split_idle(closed, known_until, known_until=known_until) == closed


def test_without_any_activity_all_of_it_was_idle() -> None:
    meter, _ = moved(Meter(since=NOON), 0, 1)
    _, closed = moved(meter, 30, 0)
    assert [s.kind for s in split_idle(closed, NOON - timedelta(hours=1))] == [UsageKind.IDLE_TAIL]


def test_the_open_meter_counts_up_to_now() -> None:
    meter, _ = moved(Meter(since=NOON), 0, 3)
    (segment,) = open_segments(meter, NOON + timedelta(minutes=10), **WHO)
    assert segment.instance_seconds == 3 * 600 and segment.kind is UsageKind.SERVING
