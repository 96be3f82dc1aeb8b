"""Holds and the other overrides: set, replaced, refused, released, expired; and what they do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.control import orders, overrides
from autoscaler.control.closing import why_requests_wait
from autoscaler.control.in_force import Kind, keeps_copies, told_of
from autoscaler.control.overrides import Asked
from autoscaler.control.patience import expected_ready, time_until_ready
from autoscaler.control.reconcile import reconcile
from autoscaler.control.size import may_sleep
from autoscaler.control.wishes import may_not_wake
from autoscaler.control.world import OrderError
from autoscaler.endpoints.status import Cause, EndpointStatus, UsageKind
from autoscaler.policy.forecast import Spending
from autoscaler.policy.types import Hold, Override, OverrideKind, Phase
from autoscaler.ports import Load
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"
HOUR = timedelta(hours=1)
SLEEP, WARM, PAUSE = OverrideKind.SLEEP_UNTIL, OverrideKind.KEEP_WARM, OverrideKind.PAUSE_SCALE_IN
PEAK = {"name": "peak", "days": ["tue"], "start": "08:00", "end": "18:00", "min_copies": 1}
IDLE = Load(backlog=0, concurrency_per_copy=0.0)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def asked(hours: float = 2, **changes: Any) -> Asked:
    return Asked(**{"duration": hours * HOUR, "reason": "a demo", "author": "ada", **changes})


def kinds(world: MemoryWorld) -> list[str]:
    return world.announcer.kinds()


def status_of(world: MemoryWorld) -> EndpointStatus:
    return world.store.records[NAME].status


def test_a_hold_wakes_it_and_is_announced_and_released(world) -> None:
    put(world, asleep(NAME))
    status = overrides.hold(world, NAME, 2, asked())
    assert (status.phase, status.cause, status.wish_copies) == (Phase.WAKING, Cause.HOLD, 2)
    assert status.hold is not None
    assert overrides.release(world, NAME, "bob").hold is None
    assert (kinds(world).count("HoldSet"), kinds(world).count("HoldEnded")) == (1, 1)
    assert world.announcer.events[-1].author == "bob"


def test_releasing_what_is_not_held_says_nothing(world) -> None:
    put(world, awake(NAME))
    overrides.release(world, NAME, "ada")
    assert world.announcer.events == []


@pytest.mark.parametrize(
    ("copies", "hours", "words"),
    [
        (3, 1, "min_copies 3 is not within 0..2"),
        (1, 0, "a hold must last longer than nothing"),
        (1, 24 * 400, "a hold lasts 366 days at most"),
    ],
)
def test_an_impossible_hold_is_refused(world, copies, hours, words) -> None:
    put(world, awake(NAME))
    with pytest.raises(OrderError, match=words):
        overrides.hold(world, NAME, copies, asked(hours))
    assert status_of(world).hold is None


@pytest.mark.parametrize("kind", OverrideKind)
def test_each_kind_is_told_shown_and_expires_by_itself(world, kind) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(backlog=0, concurrency_per_copy=1.0, invocations=1.0)
    overrides.override(world, NAME, kind, asked(2))
    record = world.store.records[NAME]
    (shown,) = orders.describe(world, record, with_history=False)["overrides"]
    assert (shown["kind"], shown["author"], shown["reason"]) == (kind.value, "ada", "a demo")
    (sentence,) = told_of(record.status, world.clock.now())
    assert sentence.endswith("until 24 Nov 14:00 UTC by ada: a demo")
    world.clock.forward(minutes=121)
    reconcile(world)
    reconcile(world)
    assert status_of(world).overrides == ()
    assert (kinds(world).count("OverrideSet"), kinds(world).count("OverrideEnded")) == (1, 1)
    assert [e.author for e in world.announcer.events if e.detail_type == "OverrideEnded"] == [None]


def test_a_second_one_of_a_kind_has_to_say_that_it_replaces_the_first(world) -> None:
    put(world, awake(NAME))
    overrides.override(world, NAME, PAUSE, asked(2))
    with pytest.raises(
        OrderError, match=r"kept from scaling in until 24 Nov 14:00 UTC by ada.*--replace"
    ):
        overrides.override(world, NAME, PAUSE, asked(5, author="bob"))
    status = overrides.override(world, NAME, PAUSE, asked(5, author="bob", replace=True))
    assert [one.author for one in status.overrides] == ["bob"]
    overrides.hold(world, NAME, 1, asked(2))
    with pytest.raises(OrderError, match=r"held at 1 copy or more until .* --replace"):
        overrides.hold(world, NAME, 2, asked(3))
    assert overrides.hold(world, NAME, 2, asked(3, replace=True)).hold.min_copies == 2


ADVERSE = [(Kind.HOLD, SLEEP), (WARM, SLEEP), (PAUSE, SLEEP), (SLEEP, Kind.HOLD), (SLEEP, WARM)]


def order(world: MemoryWorld, kind: Kind | OverrideKind) -> None:
    if kind is Kind.HOLD:
        overrides.hold(world, NAME, 1, asked())
    else:
        overrides.override(world, NAME, OverrideKind(kind.value), asked())


@pytest.mark.parametrize(("first", "second"), ADVERSE)
def test_two_that_contradict_each_other_are_refused(world, first, second) -> None:
    put(world, awake(NAME))
    order(world, first)
    with pytest.raises(OrderError, match="release it first: autoscaler release llama"):
        order(world, second)
    world.clock.forward(hours=3)  # the first is over, whether or not a tick has seen it
    order(world, second)


def test_a_release_ends_all_or_the_one_that_it_names(world) -> None:
    put(world, awake(NAME))
    for kind in (WARM, PAUSE, Kind.HOLD):
        order(world, kind)
    status = overrides.release(world, NAME, "bob", Kind.PAUSE_SCALE_IN)
    assert [one.kind for one in status.overrides] == [WARM]
    before = len(world.store.entries)
    status = overrides.release(world, NAME, "bob")
    assert (status.hold, status.overrides) == (None, ())
    lines = world.store.entries[before:]
    assert [line.text for line in lines] == ["bob released the hold.", "bob released keep-warm."]
    assert len({line.at for line in lines}) == 2, "they are stored by their time"


def test_what_keeps_it_warm_wakes_it_at_once(world) -> None:
    put(world, asleep(NAME))
    status = overrides.override(world, NAME, WARM, asked())
    assert (status.phase, status.cause) == (Phase.WAKING, Cause.PERSON)


@pytest.mark.parametrize(
    ("status", "budget"),
    [
        ({"wakes_today": 3, "wakes_on": NOON.date()}, {"wakes_per_day": 3}),
        ({"spent_in": "2026-11", "spent_usd": Decimal(50)}, {"monthly_usd": 50}),
        ({"retry_at": NOON + HOUR}, {}),
    ],
)
def test_what_keeps_it_warm_does_not_wake_it_beyond_its_budget(world, status, budget) -> None:
    put(world, asleep(NAME, **status), spec(NAME, budget=budget))
    assert overrides.override(world, NAME, WARM, asked()).phase is Phase.ASLEEP
    assert overrides.hold(world, NAME, 1, asked()).phase is Phase.WAKING, "a hold does"


def test_put_to_sleep_against_its_window_it_sleeps_and_its_requests_wake_it(world) -> None:
    put(world, awake(NAME), spec(NAME, schedule={"windows": [PEAK]}))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = IDLE
    reconcile(world)
    assert status_of(world).phase is Phase.AWAKE
    overrides.override(world, NAME, SLEEP, asked())
    reconcile(world)
    assert (status_of(world).phase, status_of(world).cause) == (Phase.SLEEPING, Cause.IDLE)
    world.load.loads[NAME] = Load(backlog=1, concurrency_per_copy=0.0)
    assert not may_sleep(world, NAME, status_of(world).generation)
    assert status_of(world).phase is Phase.WAKING


def test_even_for_requests_they_wait_and_are_told_until_when(world) -> None:
    put(world, asleep(NAME))
    world.scaler.settle(NAME, 0)
    world.load.loads[NAME] = Load(backlog=4, concurrency_per_copy=None)
    overrides.override(world, NAME, SLEEP, asked(), even_for_requests=True)
    record, now = world.store.records[NAME], world.clock.now()
    assert may_not_wake(record, now)
    why = why_requests_wait(record, now)
    assert why == "llama sleeps, even for requests, until 24 Nov 14:00 UTC, as ada asked: a demo"
    assert time_until_ready(record, now, now) == timedelta(minutes=30)
    expected = expected_ready(record, now)
    assert expected is not None
    assert timedelta(hours=2) < expected < timedelta(hours=2, minutes=10)
    reconcile(world)
    assert status_of(world).phase is Phase.ASLEEP
    (delayed,) = [e for e in world.announcer.events if e.detail_type == "WakeDelayed"]
    assert (delayed.until, delayed.waiting) == (now + 2 * HOUR, 4)
    world.clock.forward(hours=2, minutes=1)
    reconcile(world)
    assert status_of(world).phase is Phase.WAKING


def test_even_for_requests_no_request_turns_its_sleep_round(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(backlog=4, concurrency_per_copy=2.0)
    overrides.override(world, NAME, SLEEP, asked(), even_for_requests=True)
    reconcile(world)
    assert (status_of(world).phase, status_of(world).cause) == (Phase.SLEEPING, Cause.PERSON)
    assert may_sleep(world, NAME, status_of(world).generation)


def test_only_a_sleep_can_be_even_for_requests(world) -> None:
    put(world, awake(NAME))
    with pytest.raises(OrderError, match="even_for_requests is for sleep_until"):
        overrides.override(world, NAME, WARM, asked(), even_for_requests=True)


def test_what_is_put_to_sleep_is_not_woken_by_hand_before_it_is_released(world) -> None:
    put(world, asleep(NAME))
    order(world, SLEEP)
    with pytest.raises(OrderError, match=r"put to sleep until .* release it first"):
        orders.wake(world, NAME, "bob")
    overrides.release(world, NAME, "bob")
    assert orders.wake(world, NAME, "bob").phase is Phase.WAKING


@pytest.mark.parametrize("kind", [WARM, PAUSE])
def test_what_is_kept_is_not_put_to_sleep_by_hand(world, kind) -> None:
    put(world, awake(NAME))
    order(world, kind)
    with pytest.raises(OrderError, match=r"by ada: a demo; release it first"):
        orders.sleep(world, NAME, "bob")


def test_what_keeps_it_warm_while_it_goes_to_sleep_turns_it_round(world) -> None:
    """Also when the one who asked for it died before the wake was wished."""
    put(world, awake(NAME, phase=Phase.SLEEPING, generation=2))
    record = world.store.records[NAME]
    order(world, WARM)
    warm = status_of(world).overrides
    world.store.records[NAME] = record.having(
        record.status.model_copy(update={"overrides": warm, "version": status_of(world).version})
    )
    assert status_of(world).phase is Phase.SLEEPING
    assert keeps_copies(status_of(world), world.clock.now())
    assert not may_sleep(world, NAME, 2)
    assert status_of(world).phase is Phase.WAKING


def test_idle_hours_that_a_person_keeps_warm_are_counted_so(world) -> None:
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = IDLE
    order(world, WARM)
    for _ in range(3):
        reconcile(world)
        world.clock.forward(minutes=10)
    (meter,) = status_of(world).meters
    assert meter.kind is UsageKind.KEPT_WARM


OLD = '{"until": "2026-11-24T14:00:00Z", "min_copies": 1, "reason": "x", "author": "ada"}'


def test_a_status_that_was_stored_before_there_were_overrides_is_read() -> None:
    stored = asleep(NAME).model_dump_json(exclude={"overrides", "hold"})
    assert "overrides" not in stored
    status = EndpointStatus.model_validate_json(stored[:-1] + f', "hold": {OLD}}}')
    assert isinstance(status.hold, Hold)
    assert status.overrides == ()


def test_what_is_stored_of_them_is_read_back(world) -> None:
    put(world, awake(NAME))
    order(world, PAUSE)
    status = status_of(world)
    assert EndpointStatus.model_validate_json(status.model_dump_json()) == status


@pytest.mark.parametrize(
    ("status", "budget"),
    [
        ({"spent_in": "2026-11", "spent_usd": Decimal(50)}, {"monthly_usd": 50}),
        ({"spending": Spending(on=NOON.date(), usd=Decimal(9))}, {"daily_usd": 9}),
    ],
)
def test_what_a_spent_budget_puts_to_sleep_is_not_turned_round_to_be_kept_warm(
    world, status, budget
) -> None:
    warm = Override(WARM, NOON, NOON + 2 * HOUR, "a demo", "ada")
    long_idle = NOON - timedelta(hours=6)
    put(
        world,
        awake(NAME, overrides=(warm,), last_active_at=long_idle, **status),
        spec(NAME, budget=budget),
    )
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = IDLE
    reconcile(world)
    asleep_soon = status_of(world)
    assert (asleep_soon.phase, asleep_soon.cause) == (Phase.SLEEPING, Cause.BUDGET)
    assert may_sleep(world, NAME, asleep_soon.generation)
    assert status_of(world).phase is Phase.SLEEPING


def test_warmth_that_is_asked_for_while_it_falls_asleep_is_none_of_more_wakes_than_the_day_has(
    world,
) -> None:
    warm = Override(WARM, NOON, NOON + 2 * HOUR, "a demo", "ada")
    spent = {"wakes_on": NOON.date(), "wakes_today": 3}
    put(
        world,
        asleep(NAME, phase=Phase.SLEEPING, cause=Cause.IDLE, overrides=(warm,), **spent),
        spec(NAME, budget={"wakes_per_day": 3}),
    )
    assert may_sleep(world, NAME, 1)


@pytest.mark.parametrize("when_spent", ["cap", "alert"])
def test_keeping_warm_wakes_at_once_what_its_budget_lets_wake(world, when_spent) -> None:
    put(
        world,
        asleep(NAME, spending=Spending(on=NOON.date(), usd=Decimal(9))),
        spec(NAME, budget={"daily_usd": 9, "when_spent": when_spent}),
    )
    status = overrides.override(world, NAME, WARM, asked())
    assert status.phase is (Phase.WAKING if when_spent == "alert" else Phase.ASLEEP)


def test_asleep_for_longer_than_its_budget_is_spent_the_longer_is_said(world) -> None:
    put(
        world,
        asleep(NAME, spending=Spending(on=NOON.date(), usd=Decimal(9))),
        spec(NAME, budget={"daily_usd": 9, "when_spent": "sleep"}),
    )
    overrides.override(world, NAME, SLEEP, asked(72), even_for_requests=True)
    left = expected_ready(world.store.load(NAME), NOON)
    assert left is not None
    assert left >= timedelta(hours=72)


def test_copies_that_somebody_takes_from_whom_even_requests_shall_not_wake_stay_away(world) -> None:
    put(world, awake(NAME))
    overrides.override(world, NAME, SLEEP, asked(), even_for_requests=True)
    world.scaler.settle(NAME, 0)
    reconcile(world)
    assert (status_of(world).phase, status_of(world).cause) == (Phase.SLEEPING, Cause.PERSON)
