"""What `ports.EndpointStore` promises, checked over every implementation of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import boto3
import pytest
from moto import mock_aws

from autoscaler.aws.table import TableStore
from autoscaler.catalog.prices import PriceBook
from autoscaler.endpoints.status import HistoryEntry, Traffic, UsageKind, UsageSegment
from autoscaler.policy.types import Phase, Stop
from autoscaler.ports import ConflictError, EndpointStore
from tests.memory import NOON, MemoryStore
from tests.samples import asleep, spec
from tests.tables import make_table


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[EndpointStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        make_table(dynamodb)
        yield TableStore("table", dynamodb)


def segment(name: str, start_minutes: float, minutes: float) -> UsageSegment:
    start = NOON + timedelta(minutes=start_minutes)
    return UsageSegment(
        endpoint=name,
        team="research",
        instance_type="ml.g6e.xlarge",
        instances=1,
        kind=UsageKind.SERVING,
        start=start,
        end=start + timedelta(minutes=minutes),
        usd_per_hour=Decimal("2.61"),
    )


def test_what_is_stored_is_read_back_unchanged(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    store.create(spec("llama-big"), asleep("llama-big"))
    record = store.load("llama")
    assert record is not None
    assert (record.spec, record.status) == (spec("llama"), asleep("llama"))
    assert {r.status.name for r in store.load_all()} == {"llama", "llama-big"}
    assert store.load("nobody") is None


def test_of_a_forgotten_endpoint_its_last_generation_is_remembered(store: EndpointStore) -> None:
    assert store.last_generation("llama") == 0
    store.create(spec("llama"), asleep("llama", generation=7))
    store.forget(asleep("llama", generation=7))
    assert (store.load("llama"), store.last_generation("llama")) == (None, 7)
    store.create(spec("llama"), asleep("llama", generation=8))
    store.forget(asleep("llama", generation=9))
    assert store.last_generation("llama") == 9


def test_a_name_is_taken_once(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    with pytest.raises(ConflictError):
        store.create(spec("llama"), asleep("llama"))


def test_a_write_from_an_old_look_is_refused_and_writes_nothing_at_all(
    store: EndpointStore,
) -> None:
    store.create(spec("llama"), asleep("llama"))
    first = store.save(asleep("llama", phase=Phase.WAKING))
    assert first.version == 1
    with pytest.raises(ConflictError):
        store.save(asleep("llama", phase=Phase.SLEEPING), segments=[segment("llama", 0, 5)])
    record = store.load("llama")
    assert record is not None
    assert record.status == first
    assert store.usage(NOON, NOON + timedelta(hours=1)) == []


def test_a_status_its_spec_its_segments_and_its_history_are_written_together(
    store: EndpointStore,
) -> None:
    store.create(spec("llama"), asleep("llama"))
    line = HistoryEntry(
        endpoint="llama", at=NOON, generation=1, phase=Phase.ASLEEP, text="Applied."
    )
    other = spec("llama", team="billing")
    store.save(asleep("llama"), spec=other, segments=[segment("llama", 0, 5)], entries=[line])
    record = store.load("llama")
    assert record is not None
    assert record.spec == other
    assert store.usage(NOON, NOON + timedelta(hours=1)) == [segment("llama", 0, 5)]
    assert store.history("llama") == [line]
    assert store.history("nobody") == []


def test_usage_is_what_touches_the_span(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    store.save(
        asleep("llama"),
        segments=[segment("llama", minutes, 10) for minutes in (-20, -5, 5, 30)],
    )
    found = store.usage(NOON, NOON + timedelta(minutes=20))
    assert [s.start for s in found] == [NOON + timedelta(minutes=m) for m in (-5, 5)]


def test_a_forgotten_endpoint_keeps_its_usage(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    saved = store.save(asleep("llama"), segments=[segment("llama", 0, 5)])
    with pytest.raises(ConflictError):
        store.forget(asleep("llama"))
    store.forget(saved)
    assert store.load("llama") is None
    assert store.usage(NOON, NOON + timedelta(hours=1)) == [segment("llama", 0, 5)]


def test_traffic_adds_up_by_hour(store: EndpointStore) -> None:
    day = NOON.date()
    for hour, waited in ((0, 1.5), (0, 2.0), (11, 4.0)):
        store.count_traffic(
            Traffic(
                endpoint="llama",
                start=NOON + timedelta(hours=hour),
                requests=2,
                output_tokens=7,
                waited_seconds=waited,
                kept=1,
            )
        )
    noon, late = sorted(store.traffic(day, day), key=lambda t: t.start)
    assert (noon.requests, noon.output_tokens, noon.waited_seconds) == (4, 14, 3.5)
    assert (noon.kept, late.kept) == (2, 1)
    assert (late.start, late.end) == (NOON + timedelta(hours=11), NOON + timedelta(hours=12))
    assert store.traffic(day + timedelta(days=1), day + timedelta(days=40)) == []
    assert store.traffic(day - timedelta(days=40), day - timedelta(days=1)) == []


def test_waits_add_up_by_bin(store: EndpointStore) -> None:
    for waits in ({0: 2, 5: 1}, {5: 3, 17: 1}, {}):
        counted = Traffic(endpoint="llama", start=NOON, requests=3, waits=waits)
        store.count_traffic(counted)
    (hour,) = store.traffic(NOON.date(), NOON.date())
    assert (hour.requests, hour.waits) == (9, {0: 2, 5: 4, 17: 1})


def test_two_segments_that_began_together_are_two(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    both = [segment("llama", 0, 5), segment("llama", 0, 9).model_copy(update={"over_gap": True})]
    store.save(asleep("llama"), segments=both)
    found = sorted(store.usage(NOON, NOON + timedelta(minutes=20)), key=lambda s: s.end)
    assert found == both


def test_traffic_that_was_counted_by_day_is_still_read(store: EndpointStore) -> None:
    if not isinstance(store, TableStore):
        pytest.skip("memory has no past")
    item = {
        "pk": {"S": "TRAFFIC#2026-11"},
        "sk": {"S": "2026-11-24#llama"},
        "endpoint": {"S": "llama"},
        "traffic_day": {"S": "2026-11-24"},
        "requests": {"N": "9"},
    }
    store._db.put_item(TableName="table", Item=item)
    store.count_traffic(Traffic(endpoint="llama", start=NOON, requests=1))
    old, new = sorted(store.traffic(NOON.date(), NOON.date()), key=lambda t: t.start)
    assert (old.start, old.hours, old.requests) == (NOON - timedelta(hours=12), 24, 9)
    assert old.kept == 0
    assert (new.start, new.hours, new.requests) == (NOON, 1, 1)


def test_failures_of_a_message_are_counted_apart_from_others(store: EndpointStore) -> None:
    assert [store.count_failure("llama", "m-1", NOON) for _ in range(3)] == [1, 2, 3]
    assert store.count_failure("llama", "m-2", NOON) == 1


def a_season() -> list[UsageSegment]:
    """Of two types, which nobody has looked at for 120 days: more than a transaction takes."""
    days = [segment("llama", 1440 * day, 1440) for day in range(120)]
    return [*days, *(one.model_copy(update={"instance_type": "ml.g5.xlarge"}) for one in days)]


def test_more_than_a_transaction_takes_is_stored_all_the_same(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    line = HistoryEntry(endpoint="llama", at=NOON, generation=1, phase=Phase.ASLEEP, text="seen")
    saved = store.save(asleep("llama"), segments=a_season(), entries=[line])
    assert store.load_all()[0].status == saved
    assert store.history("llama") == [line]
    found = store.usage(NOON, NOON + timedelta(days=121))
    key = UsageSegment.model_dump_json
    assert sorted(found, key=key) == sorted(a_season(), key=key)


def test_whoever_wrote_it_first_and_could_not_end_is_not_counted_beside_the_next(
    store: EndpointStore,
) -> None:
    store.create(spec("llama"), asleep("llama"))
    newer = store.save(asleep("llama"))
    with pytest.raises(ConflictError):
        store.save(asleep("llama"), segments=a_season())
    store.save(newer, segments=a_season())
    assert len(store.usage(NOON, NOON + timedelta(days=121))) == len(a_season())


def test_records_come_with_the_prices_that_were_kept(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    assert store.load_all()[0].prices.read_at is None
    region = store.prices().region
    book = PriceBook(region, {"ml.g6e.xlarge": Decimal("2.94")}, NOON)
    store.keep_prices(book)
    record = store.load("llama")
    assert record is not None
    assert record.prices == store.load_all()[0].prices == store.prices() == book
    assert len(store.load_all()) == 1, "the book is no endpoint"


def test_the_first_due_time_of_those_that_may_wait_is_kept(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    store.create(spec("llama-big"), asleep("llama-big"))

    def due(name: str = "llama") -> datetime | None:
        record = store.load(name)
        assert record is not None
        return record.deferrable_due_at

    third, first, second = (NOON + timedelta(hours=hours, seconds=0.25) for hours in (9, 1, 3))
    for moment in (third, first, second):
        store.note_due("llama", moment, NOON)
    assert due() == first
    assert due("llama-big") is None
    store.forget_due("llama", second)
    assert due() == first, "that is not the one that is done"
    store.note_due("llama", second, first + timedelta(seconds=1))
    assert due() == second, "what is past says nothing of those that still wait"
    store.forget_due("llama", second)
    assert due() is None
    assert {record.status.name for record in store.load_all()} == {"llama", "llama-big"}


def test_a_due_time_goes_with_its_endpoint(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    store.note_due("llama", NOON + timedelta(hours=1), NOON)
    found = store.load("llama")
    assert found is not None
    store.forget(found.status)
    store.create(spec("llama"), asleep("llama"))
    again = store.load("llama")
    assert again is not None
    assert again.deferrable_due_at is None


def test_the_stacks_state_is_written_by_who_read_it_last(store: EndpointStore) -> None:
    first = store.stack()
    assert (first.version, first.stopped) == (0, None)
    stopped = first.model_copy(update={"stopped": Stop(NOON, "ada", "a leak")})
    saved = store.save_stack(stopped)
    assert store.stack() == saved
    with pytest.raises(ConflictError):
        store.save_stack(first)
    with pytest.raises(ConflictError):
        store.save_stack(stopped.model_copy(update={"budget_by": "bob"}))
    assert store.stack().stopped == Stop(NOON, "ada", "a leak")


def test_records_come_with_the_stacks_state(store: EndpointStore) -> None:
    store.create(spec("llama"), asleep("llama"))
    state = store.save_stack(store.stack().model_copy(update={"budget_by": "ada"}))
    (record,) = store.load_all()
    assert record.stack == state
    one = store.load("llama")
    assert one is not None and one.stack == state
