"""What a report says of an endpoint that failed, or was deleted, and was applied again."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.alerts.events.life import EndpointSlept
from autoscaler.catalog.prices import PriceBook
from autoscaler.control.apply import apply
from autoscaler.control.awake import record_awake
from autoscaler.control.plan import Setting
from autoscaler.control.progress import record_asleep, record_staged
from autoscaler.control.updating import machine_noted
from autoscaler.control.wishes import (
    created_anew,
    request_retirement,
    request_sleep,
    request_wake,
)
from autoscaler.endpoints.lives import (
    SPANS_KEPT,
    FailedSpan,
    MachineBefore,
    answered,
    with_failed,
)
from autoscaler.endpoints.status import Cause, ColdStart, EndpointRecord
from autoscaler.ledger.billed import always_on
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.figures import CostReport, Costs
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import period_since_first
from autoscaler.policy.types import Phase
from tests.ledger_books import BOOK, MONDAY, PRICES, segment
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put, spec

NAME, PRICE = "llama", PRICES["ml.g6e.xlarge"]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def of_day(day: datetime, *segments: Any, record: EndpointRecord) -> CostReport:
    books = Books([record], segments)
    return summarize(books, Period.day(day.date()), MONDAY + 9 * DAY, BOOK)


def record(**changes: Any) -> EndpointRecord:
    fields = {"created_at": MONDAY - 3 * DAY, "last_awake_at": MONDAY - DAY, **changes}
    return put(memory_world(), asleep(NAME, **fields), spec(NAME, team="search"))


def anew(before: EndpointRecord, at: datetime, awake_at: datetime | None = None) -> EndpointRecord:
    """It failed when its phase says so, and was applied again; it answered with an instance that it
    had since `awake_at`."""
    changes: dict[str, Any] = {**created_anew(before.status, at), "phase": Phase.ASLEEP}
    if awake_at:
        changes["failed_spans"] = answered(
            changes["failed_spans"], awake_at, before.status.last_awake_at
        )
        changes["last_awake_at"] = awake_at
    return before.having(before.status.model_copy(update=changes))


def failed(at: datetime) -> EndpointRecord:
    return record(phase=Phase.FAILED, phase_since=at)


def test_the_report_of_a_day_that_is_over_stays_when_a_failed_endpoint_is_applied_again() -> None:
    used = segment(MONDAY + HOUR, 60)
    before = failed(MONDAY + 3 * DAY)
    after = anew(before, MONDAY + 5 * DAY, MONDAY + 6 * DAY)
    reports = [of_day(MONDAY, used, record=one).total for one in (before, after)]
    assert [one.baseline_usd for one in reports] == [24 * PRICE, 24 * PRICE]
    assert [one.savings_usd for one in reports] == [23 * PRICE, 23 * PRICE]


def test_the_time_in_which_it_had_failed_is_no_saving() -> None:
    again = anew(failed(MONDAY + 6 * HOUR), MONDAY + 10 * HOUR, MONDAY + 12 * HOUR)
    total = of_day(MONDAY, segment(MONDAY + 12 * HOUR, 60), record=again).total
    assert total.baseline_usd == (6 + 12) * PRICE  # it goes on with the first instance
    next_day = of_day(MONDAY + DAY, record=again).total
    assert next_day.baseline_usd == 24 * PRICE


def test_one_that_was_created_anew_and_never_answered_saves_nothing_yet() -> None:
    again = anew(failed(MONDAY - HOUR), MONDAY + HOUR)
    assert of_day(MONDAY, record=again).total.baseline_usd == 0
    assert of_day(MONDAY + DAY, record=again).total.baseline_usd == 0


def days_of(one: EndpointRecord, *segments: Any) -> list[Decimal]:
    """Hours of the baseline of each day of MONDAY's week."""
    each = [of_day(MONDAY + n * DAY, *segments, record=one).total for n in range(7)]
    return [(day.baseline_usd or 0) / PRICE for day in each]


def test_while_one_that_was_created_anew_waits_for_capacity_nothing_is_saved() -> None:
    """It had failed long before, got its instance on Saturday and was awake once more later."""
    back, used = MONDAY + 5 * DAY + 6 * HOUR, segment(MONDAY + 5 * DAY + 6 * HOUR, 60)
    waits = anew(failed(MONDAY - 2 * DAY), MONDAY - DAY)
    assert days_of(waits) == [0] * 7
    here = anew(failed(MONDAY - 2 * DAY), MONDAY - DAY, back)
    assert days_of(here, used) == [0, 0, 0, 0, 0, 18, 24]
    later = here.having(here.status.model_copy(update={"last_awake_at": MONDAY + 8 * DAY}))
    assert days_of(later, used) == [0, 0, 0, 0, 0, 18, 24]
    assert of_day(MONDAY + 8 * DAY, record=later).total.baseline_usd == 24 * PRICE


def test_a_try_that_had_an_instance_and_brought_no_answer_is_compared_while_it_had_it() -> None:
    waits = anew(failed(MONDAY - 2 * DAY), MONDAY - DAY)
    tries = segment(MONDAY + HOUR, 60), segment(MONDAY + 2 * DAY, 120)
    assert days_of(waits, *tries) == [1, 0, 2, 0, 0, 0, 0]
    week = Period.week(MONDAY.date())
    total = summarize(Books([waits], tries), week, MONDAY + 9 * DAY, BOOK).total
    assert total.baseline_usd == 3 * PRICE


@pytest.mark.parametrize(("awake_at", "hours"), [(-3, 24), (6, 18), (30, 0)])
def test_where_it_was_not_kept_when_the_instance_came_the_first_that_is_known_counts(
    awake_at: int, hours: int
) -> None:
    """As it was stored before: it may have been awake at other times than the last one, too."""
    anew_at, last = MONDAY - DAY, MONDAY + awake_at * HOUR
    span = FailedSpan(start=MONDAY - 2 * DAY, end=anew_at)
    one = record(created_at=anew_at, applied_at=MONDAY - 9 * DAY, last_awake_at=last,
                 failed_spans=(span,))  # fmt: skip
    total = of_day(MONDAY, segment(last, 60), record=one).total
    assert total.baseline_usd == hours * PRICE


def test_one_that_waited_for_its_first_instance_over_midnight_is_compared_from_then_on() -> None:
    asked_at = MONDAY + 2 * HOUR
    creation = ColdStart(
        requested_at=MONDAY - 20 * HOUR,
        ready_at=MONDAY + 3 * HOUR,
        cause=Cause.APPLY,
        copies=1,
        asked_at=asked_at,
    )
    new = record(created_at=MONDAY - DAY, last_awake_at=MONDAY + 3 * HOUR, creation=creation)
    used = segment(asked_at, 120)
    assert of_day(MONDAY, used, record=new).total.baseline_usd == 22 * PRICE
    tried = segment(MONDAY + HOUR, 5)  # a try that had an instance for five minutes
    assert of_day(MONDAY, tried, used, record=new).total.baseline_usd == 23 * PRICE
    assert of_day(MONDAY + DAY, record=new).total.baseline_usd == 24 * PRICE
    assert of_day(MONDAY - DAY, record=new).total.baseline_usd == 0


def test_an_update_does_not_make_it_older_than_its_first_instance() -> None:
    """Weights were staged over midnight, and the file was changed on the same day."""
    began = MONDAY + 2 * HOUR
    updated = record(
        created_at=MONDAY - DAY, last_awake_at=MONDAY + 9 * HOUR, creation=None, began_at=began
    )
    used = segment(began, 120)
    assert of_day(MONDAY, used, record=updated).total.baseline_usd == 22 * PRICE
    again = anew(
        updated.having(
            updated.status.model_copy(
                update={"phase": Phase.FAILED, "phase_since": MONDAY + 12 * HOUR}
            )
        ),
        MONDAY + 13 * HOUR,
    )
    assert of_day(MONDAY, used, record=again).total.baseline_usd == 10 * PRICE


def test_what_lies_between_two_endpoints_of_a_name_is_no_saving() -> None:
    second = record(created_at=MONDAY + 20 * HOUR, last_awake_at=MONDAY + 21 * HOUR)
    used = (segment(MONDAY + HOUR, 60), segment(MONDAY + 21 * HOUR, 60))
    total = of_day(MONDAY, *used, record=second).total
    assert total.baseline_usd == (1 + 3) * PRICE


def between(*segments: Any, days: int = 1, record: EndpointRecord | None = None) -> Costs:
    """All of an endpoint's figures from MONDAY on."""
    until = MONDAY + days * DAY
    books = Books([record] if record else [], segments)
    return summarize(books, Period.since(MONDAY, until), until, BOOK).total


def test_between_two_endpoints_of_a_name_that_are_both_gone_nothing_was_on() -> None:
    first = segment(MONDAY, 60, made_at=MONDAY - HOUR)
    second = segment(MONDAY + 300 * DAY, 60, made_at=MONDAY + 299 * DAY)
    total = between(first, second, days=301)
    assert total.baseline_usd == 2 * PRICE == total.cost.total


def test_each_endpoint_of_a_name_is_compared_from_its_first_to_its_last_instance() -> None:
    """The first had two runs, the second another type and one run; the third is there."""
    first = [segment(MONDAY + n * HOUR, 60, made_at=MONDAY) for n in (1, 4)]
    dear = {"instance_type": "ml.g6e.12xlarge", "usd_per_hour": PRICES["ml.g6e.12xlarge"]}
    made = MONDAY + 8 * HOUR
    second = segment(made + HOUR, 120, made_at=made, **dear)
    third = record(created_at=MONDAY + 20 * HOUR, last_awake_at=MONDAY + 21 * HOUR)
    used = segment(MONDAY + 21 * HOUR, 60, made_at=MONDAY + 20 * HOUR)
    of_the_gone = 4 * PRICE + 2 * PRICES["ml.g6e.12xlarge"]
    assert between(*first, second).baseline_usd == of_the_gone
    assert between(*first, second, used, record=third).baseline_usd == of_the_gone + 3 * PRICE
    assert between(*first, second, record=third).baseline_usd == of_the_gone, "not on yet"


def test_what_an_older_release_wrote_is_of_the_endpoint_that_was_there() -> None:
    """The stack was updated in the middle of the second one's life."""
    first = [segment(MONDAY + n * HOUR, 60) for n in (0, 2)]
    made = MONDAY + 8 * HOUR
    second = [segment(made + HOUR, 60), segment(made + 5 * HOUR, 60, made_at=made)]
    assert between(*first, *second).baseline_usd == (3 + 5) * PRICE
    present = record(created_at=made, last_awake_at=made + 6 * HOUR)
    assert between(*first, *second, record=present).baseline_usd == (3 + 15) * PRICE
    assert between(*first).baseline_usd == 3 * PRICE, "none is known: they count as of one"


def test_who_is_created_anew_after_a_failure_is_still_the_same_endpoint() -> None:
    made = MONDAY - 3 * DAY
    again = anew(failed(MONDAY + 6 * HOUR), MONDAY + 10 * HOUR, MONDAY + 12 * HOUR)
    assert again.status.first_applied_at == made
    used = [segment(MONDAY + n * HOUR, 60, made_at=made) for n in (5, 12)]
    assert between(*used, record=again).baseline_usd == (6 + 12) * PRICE


def test_all_time_begins_when_it_was_applied_first() -> None:
    world = memory_world()
    status = asleep(NAME, phase=Phase.FAILED, created_at=NOON - 9 * DAY, phase_since=NOON - DAY)
    put(world, status)
    setting = Setting("stack", "UTC", "us-east-1", lambda model, revision: "c" * 40)
    _, after = apply(world, setting, document(NAME))
    assert (after.phase, after.created_at) == (Phase.STAGING, NOON)
    assert after.failed_spans == (FailedSpan(start=NOON - DAY, end=NOON),)
    assert period_since_first(world.store, world.clock).start == NOON - 9 * DAY


def test_since_when_it_has_the_instance_that_answered_is_kept_when_it_is_awake_again() -> None:
    """Weights are staged and capacity is missing for ten days after it was applied again."""
    world = memory_world()
    status = asleep(NAME, phase=Phase.FAILED, phase_since=NOON - DAY, last_awake_at=NOON - 2 * DAY)
    put(world, status)
    setting = Setting("stack", "UTC", "us-east-1", lambda model, revision: "c" * 40)
    _, after = apply(world, setting, document(NAME))
    asked = world.clock.forward(days=10)
    assert record_staged(world, NAME, after.generation, "c" * 40, "s3://weights")
    assert world.store.records[NAME].status.failed_spans[-1].back_at is None
    world.clock.forward(minutes=5)
    world.scaler.settle(NAME, 1)
    assert record_awake(world, NAME, after.generation)
    kept = (FailedSpan(start=NOON - DAY, end=NOON, back_at=asked),)
    assert world.store.records[NAME].status.failed_spans == kept
    put_to_sleep(world)
    again = request_wake(world, world.store.records[NAME], Cause.MESSAGE, 1, "A request waits.")
    world.clock.forward(minutes=5)
    world.scaler.settle(NAME, 1)
    assert record_awake(world, NAME, again.status.generation)
    assert world.store.records[NAME].status.failed_spans == kept


def put_to_sleep(world: MemoryWorld) -> None:
    asked = request_sleep(world, world.store.records[NAME], Cause.IDLE, "idle")
    world.clock.forward(minutes=5)
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, asked.status.generation)


def test_one_that_had_failed_saves_nothing_while_it_is_removed() -> None:
    world = memory_world()
    world.clock.moment = MONDAY + 5 * DAY
    fields = {"created_at": MONDAY - 3 * DAY, "last_awake_at": MONDAY - DAY}
    status = asleep(NAME, phase=Phase.FAILED, phase_since=MONDAY + DAY, **fields)
    before = put(world, status, spec(NAME, team="search"))
    removed = request_retirement(world, before, Cause.PERSON, discard_requests=True)
    assert removed.status.failed_spans == (FailedSpan(start=MONDAY + DAY, end=MONDAY + 5 * DAY),)
    used = segment(MONDAY, 60)
    assert days_of(before, used) == days_of(removed, used) == [24, 0, 0, 0, 0, 0, 0]


def test_the_first_sleep_of_one_that_was_created_anew_costs_what_it_cost_since() -> None:
    world = memory_world()
    status = awake(NAME, created_at=NOON - HOUR, last_wake_at=NOON - 2 * DAY)
    record = put(world, status.model_copy(update={"applied_at": NOON - 9 * DAY}))
    world.store.segments.append(segment(NOON - 2 * DAY, 600))
    request_sleep(world, record, Cause.IDLE, "idle")
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, 2)
    (slept,) = [e for e in world.announcer.events if isinstance(e, EndpointSlept)]
    assert slept.cost_usd == Decimal("2.61")  # the bundled price of its one hour


def test_who_applies_a_file_that_cannot_run_again_and_again_has_one_span() -> None:
    first = with_failed((), MONDAY, MONDAY + HOUR, MONDAY - HOUR)
    spans = first
    for hour in range(2, 99):
        spans = with_failed(spans, MONDAY + (hour - 1) * HOUR, MONDAY + hour * HOUR, MONDAY - HOUR)
    assert spans == (FailedSpan(start=MONDAY, end=MONDAY + 98 * HOUR),)
    apart = spans
    for day in range(10, 40):
        begin = MONDAY + day * DAY
        apart = with_failed(apart, begin, begin + HOUR, begin - HOUR)
    assert len(apart) == SPANS_KEPT


def test_what_ran_before_another_file_is_compared_with_its_own_machines() -> None:
    """Dear machines until noon, and cheap ones from then on."""
    noon, dear = MONDAY + 12 * HOUR, "ml.g6e.12xlarge"
    changed = record(
        machines_before=(MachineBefore(until=noon, instance_type=dear),),
    )
    used = segment(MONDAY, 60, instance_type=dear, usd_per_hour=PRICES[dear])
    total = of_day(MONDAY, used, record=changed).total
    assert total.baseline_usd == 12 * PRICES[dear] + 12 * PRICE
    assert of_day(MONDAY + DAY, record=changed).total.baseline_usd == 24 * PRICE
    unknown = record(machines_before=(MachineBefore(until=noon, instance_type="ml.odd.xlarge"),))
    assert of_day(MONDAY, record=unknown).total.baseline_usd is None
    assert of_day(MONDAY + DAY, record=unknown).total.baseline_usd == 24 * PRICE


def test_of_shared_machines_the_part_of_the_time_counts() -> None:
    shared = {"types": ["ml.g6e.xlarge"], "shared": "pool", "max_instances": 2}
    before = MachineBefore(until=MONDAY + 12 * HOUR, instance_type="ml.g6e.xlarge")
    status = asleep(
        NAME,
        created_at=MONDAY - 3 * DAY,
        last_awake_at=MONDAY - DAY,
        copies_per_instance=2,
        machines_before=(before,),
    )
    one = put(memory_world(), status, spec(NAME, instances=shared))
    assert of_day(MONDAY, record=one).total.baseline_usd == 12 * PRICE + 12 * PRICE / 2


def test_an_update_to_other_machines_keeps_which_it_had() -> None:
    one = record()
    dear = spec(NAME, instances={"types": ["ml.g6e.12xlarge"]})
    (kept,) = machine_noted(one, dear, NOON)["machines_before"]
    assert kept == MachineBefore(until=NOON, instance_type="ml.g6e.xlarge")
    assert machine_noted(one, spec(NAME, scaling={"max_copies": 1}), NOON) == {}


HOURS = st.integers(-48, 72)


@given(
    made=HOURS,
    awake_at=st.none() | HOURS,
    spans=st.lists(st.tuples(HOURS, st.integers(0, 30)), max_size=4),
    used=st.lists(st.tuples(st.integers(0, 23), st.integers(1, 5)), max_size=5),
)
def test_a_day_of_always_on_has_24_hours_at_most_and_its_parts_add_up(
    made: int, awake_at: int | None, spans: list[tuple[int, int]], used: list[tuple[int, int]]
) -> None:
    failed_spans: list[FailedSpan] = []
    for begin, length in sorted(spans):
        since = max([MONDAY + begin * HOUR, *(one.end for one in failed_spans)])
        failed_spans.append(FailedSpan(start=since, end=since + length * HOUR))
    one = record(
        created_at=MONDAY + 80 * HOUR,
        applied_at=MONDAY + made * HOUR,
        last_awake_at=None if awake_at is None else MONDAY + awake_at * HOUR,
        failed_spans=tuple(failed_spans),
    )
    segments = [
        segment(MONDAY + a * HOUR, min(24 - a, n) * 60, usd_per_hour=PRICE) for a, n in sorted(used)
    ]
    whole = always_on(
        one,
        segments,
        PriceBook(listed={"ml.g6e.xlarge": Decimal(1)}, read_at=MONDAY),
        MONDAY,
        MONDAY + DAY,
    )
    if whole is None:
        return
    hours = whole.usd(MONDAY, MONDAY + DAY)
    assert hours is not None and 0 <= hours <= 24
    each = [whole.usd(MONDAY + n * HOUR, MONDAY + (n + 1) * HOUR) for n in range(24)]
    assert sum(part for part in each if part is not None) == hours
    assert all(part is not None and 0 <= part <= 1 for part in each)
