"""A price that changes: each hour has that of its time, in cost, baseline, budget and forecast."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from autoscaler.aws.price_book import price_item, read_book
from autoscaler.catalog.instances import instances
from autoscaler.catalog.prices import HOLDS_AFTER, Former, PriceBook, bundled
from autoscaler.control.progress import record_asleep
from autoscaler.control.purse import forecast, spent_of
from autoscaler.control.refresh_prices import refresh_prices
from autoscaler.control.savings import saved_this_month
from autoscaler.control.sweep import Kind, Orphan, Resource, Verdict
from autoscaler.control.wishes import request_sleep
from autoscaler.endpoints.status import Cause, Meter, UsageKind
from autoscaler.ledger.costs import summarize
from autoscaler.ledger.periods import Period, PeriodKind
from autoscaler.ledger.report import read_books, write_report
from autoscaler.policy.forecast import Spending, at_todays_price
from tests.ledger_books import segment
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import awake, put, spec
from tests.unit.test_ledger_report import MemoryReports
from tests.unit.test_refresh_prices import ScriptedList

NAME, TYPE = "llama", "ml.g6e.xlarge"
DEAR, CHEAP = Decimal(4), Decimal("2.5")
FELL = NOON - timedelta(hours=12)  # 24 November, 00:00 UTC
MONTH = Period.holding(PeriodKind.MONTH, NOON.date())
BOOK = PriceBook(
    listed={TYPE: CHEAP},
    read_at=NOON,
    former={TYPE: (Former(FELL, DEAR, "list us-east-1 2026-11-22"),)},
    since=datetime(2026, 9, 1, tzinfo=UTC),
)


@pytest.fixture
def world() -> MemoryWorld:
    world = memory_world()
    world.store.book = BOOK
    return world


def awake_since(world: MemoryWorld, hours: int, created: int) -> None:
    meter = Meter(
        instances=1, instance_type=TYPE, kind=UsageKind.SERVING, since=NOON - timedelta(hours=hours)
    )
    made = NOON - timedelta(hours=created)
    fields = {"meters": (meter,), "created_at": made, "last_awake_at": made}
    put(world, awake(NAME, **fields), spec(NAME, budget={"monthly_usd": 900}))


def test_what_would_have_run_always_has_the_price_of_each_time(world) -> None:
    awake_since(world, hours=1, created=4_000)
    report = summarize(read_books(world.store, MONTH), MONTH, NOON, world.store.prices())
    assert report.total.baseline_usd == 23 * 24 * DEAR + 12 * CHEAP
    assert report.total.cost.total == CHEAP
    days = {slot.slot.start.day: slot.baseline_usd for slot in report.slots}
    assert (days[23], days[24]) == (24 * DEAR, 12 * CHEAP)


def test_what_ran_on_while_the_price_fell_is_cut_there(world) -> None:
    awake_since(world, hours=14, created=4_000)
    month, today = spent_of(world.store.load(NAME), NOON)
    assert (month, today) == (2 * DEAR + 12 * CHEAP, 12 * CHEAP)
    report = summarize(read_books(world.store, MONTH), MONTH, NOON, world.store.prices())
    (line,) = report.endpoints
    assert line.cost.total == month
    assert line.budget.spent_usd == month
    request_sleep(world, world.store.load(NAME), Cause.PERSON, "over")
    priced = [(s.usd_per_hour, s.price_origin) for s in world.store.segments]
    assert set(priced) == {
        (DEAR, "list us-east-1 2026-11-22"), (CHEAP, f"list us-east-1 {NOON.date()}"),
    }  # fmt: skip


def test_a_cut_at_noon_is_within_a_day(world) -> None:
    until = NOON + timedelta(hours=2)
    world.store.book = PriceBook(
        "us-east-1", {TYPE: CHEAP}, NOON, {TYPE: (Former(NOON, DEAR, ""),)}
    )
    awake_since(world, hours=3, created=4_000)
    assert spent_of(world.store.load(NAME), until)[1] == 3 * DEAR + 2 * CHEAP


def test_always_awake_saves_nothing_whenever_the_price_fell(world) -> None:
    awake_since(world, hours=24 * 23 + 12, created=4_000)
    report = summarize(read_books(world.store, MONTH), MONTH, NOON, world.store.prices())
    assert report.total.savings_usd == 0
    request_sleep(world, world.store.load(NAME), Cause.PERSON, "over")
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, 2)
    asleep = world.store.load(NAME)
    assert saved_this_month(asleep, world.store.segments, NOON) == 0


def test_a_removed_endpoint_is_compared_at_the_price_of_its_time(world) -> None:
    world.store.segments.append(segment(FELL - timedelta(hours=5), 240, usd_per_hour=DEAR))
    report = summarize(read_books(world.store, MONTH), MONTH, NOON, world.store.prices())
    assert report.total.savings_usd == 0


# ------------------------------------------------------------------- what is kept of it


def refreshed(world: MemoryWorld, **usd: str) -> PriceBook:
    listed = {f"ml.{name.replace('_', '.')}": Decimal(price) for name, price in usd.items()}
    done = refresh_prices(world.store, ScriptedList(listed), world.announcer, world.clock)
    assert done.problem is None
    return world.store.book


def test_a_reading_keeps_what_a_type_cost_before(world) -> None:
    world.store.book = bundled("eu-west-1")
    first = refreshed(world, g6e_xlarge="2.94", g5_xlarge="1.50")
    assert (first.former, first.since) == ({}, NOON), "nothing is known of before"
    at = world.clock.forward(days=1)
    book = refreshed(world, g6e_xlarge="2.00", g5_xlarge="1.50")
    held = Former(at + HOLDS_AFTER, Decimal("2.94"), "list eu-west-1 2026-11-24")
    assert (book.former, book.since) == ({TYPE: (held,)}, NOON)
    assert book.usd(TYPE, at, at + 2 * HOLDS_AFTER) == Decimal("2.94") + 2
    assert book.at(TYPE, at) == Decimal("2.94")
    assert book.at(TYPE, at + HOLDS_AFTER) == 2 == book.usd_per_hour(TYPE)
    item = price_item({}, book)
    assert read_book(item, "eu-west-1") == book
    world.clock.forward(days=1)
    assert refreshed(world, g6e_xlarge="2.00", g5_xlarge="1.50").former == book.former


def test_a_type_that_the_list_begins_or_ceases_to_have(world) -> None:
    """What the bundled table said until then was what was reckoned with."""
    world.store.book = PriceBook("eu-west-1", {TYPE: Decimal(3)}, NOON - timedelta(days=1))
    book = refreshed(world, g5_xlarge="1.57")
    kept = {name: [(one.usd_per_hour, one.origin) for one in held]
            for name, held in book.former.items()}  # fmt: skip
    assert kept[TYPE] == [(Decimal(3), "list eu-west-1 2026-11-23")]
    ((usd, origin),) = kept["ml.g5.xlarge"]
    assert usd == instances()["ml.g5.xlarge"].usd_per_hour
    assert origin.startswith("table other-region us-east-1 ")
    assert book.since == NOON - timedelta(days=1)


def test_a_price_that_flutters_does_not_fill_the_item(world) -> None:
    for number in range(200):
        world.clock.forward(days=1)
        book = refreshed(world, g6e_xlarge=("2.00", "2.10")[number % 2])
    assert len(book.former[TYPE]) == 12
    every = {name: Decimal("63.296") for name in instances()}
    former = dict.fromkeys(every, book.former[TYPE])
    whole = price_item({}, PriceBook("us-east-1", every, NOON, former, NOON))
    assert len(json.dumps(whole)) < 100_000, "an item of DynamoDB has 400 KB at most"


def test_an_item_of_a_release_that_kept_no_prices_begins_with_its_own_reading() -> None:
    body = {"region": "us-east-1", "read_at": NOON.isoformat(), "usd_per_hour": {TYPE: "2.61"}}
    book = read_book({"body": {"S": json.dumps(body)}}, "us-east-1")
    assert (book.former, book.known_since) == ({}, NOON)
    after = book.renewed({TYPE: Decimal(2)}, NOON + timedelta(days=1))
    assert (after.since, after.at(TYPE, NOON)) == (NOON, Decimal("2.61"))


# ------------------------------------------------------------------- what is said of it


def test_a_report_says_what_changed_and_what_is_not_known(world) -> None:
    awake_since(world, hours=1, created=4_000)
    world.store.book = PriceBook(
        "us-east-1", BOOK.listed, NOON, BOOK.former, NOON - timedelta(days=10)
    )
    blobs = MemoryReports()
    write_report(
        world.store, blobs, world.clock, world.announcer, MONTH, prices=world.store.prices()
    )
    notes = json.loads(blobs.files["reports/month/2026-11-01/costs.json"][0])["notes"]
    assert (
        "ml.g6e.xlarge cost $4.00 an hour until 24 Nov 2026 00:00 UTC, and $2.50 from then on: "
        "what ran and the always-on baseline have the price of their time."
    ) in notes
    assert (
        "Changes of prices are known from 14 Nov 2026 12:00 UTC on: before, the always-on "
        "baseline has the first price that is known."
    ) in notes


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("2.6054", "2.6101", "cost $2.6054 an hour until {}, and $2.6101 from then on"),
        ("2.6054", "2.61541", "cost $2.61 an hour until {}, and $2.62 from then on"),
        ("2.60541", "2.60542", "cost $2.605410 an hour until {}, and $2.605420 from then on"),
        ("0.0701", "0.0702", "cost $0.0701 an hour until {}, and $0.0702 from then on"),
    ],
)
def test_two_prices_are_told_apart(world, before: str, after: str, told: str) -> None:
    """`$2.61 an hour until noon, and $2.61 from then on` was said."""
    awake_since(world, hours=20, created=2)
    change = NOON - timedelta(hours=2)
    former = {TYPE: (Former(change, Decimal(before), "list us-east-1 2026-11-01"),)}
    world.store.book = PriceBook("us-east-1", {TYPE: Decimal(after)}, NOON, former, NOON)
    blobs = MemoryReports()
    write_report(
        world.store, blobs, world.clock, world.announcer, MONTH, prices=world.store.prices()
    )
    notes = json.loads(blobs.files["reports/month/2026-11-01/costs.json"][0])["notes"]
    (note,) = [one for one in notes if "from then on" in one]
    assert told.format("24 Nov 2026 10:00 UTC") in note


def test_a_report_of_a_stack_whose_prices_never_changed_says_neither(world) -> None:
    awake_since(world, hours=1, created=2)
    world.store.book = PriceBook("us-east-1", BOOK.listed, NOON, {}, NOON - timedelta(hours=2))
    blobs = MemoryReports()
    write_report(
        world.store, blobs, world.clock, world.announcer, MONTH, prices=world.store.prices()
    )
    notes = json.loads(blobs.files["reports/month/2026-11-01/costs.json"][0])["notes"]
    assert not [n for n in notes if "from then on" in n or "Changes of prices" in n]


# ------------------------------------------------------------------- forecast and orphans


def test_the_rest_of_a_month_is_foretold_at_the_price_of_now(world) -> None:
    """Ten hours on every day: at the old price until yesterday, and from now on at the new one."""
    days = Spending(NOON.date(), Decimal(0), (10 * DEAR,) * 7)
    quiet = awake(NAME, meters=(), spending=days, created_at=NOON - timedelta(days=90))
    record = put(world, quiet).model_copy(update={"prices": BOOK})
    rest = Decimal("0.5") + 6  # days of November, from noon on the 24th
    assert forecast(record, NOON) == rest * 10 * CHEAP


def test_a_mean_of_both_prices_is_foretold_at_the_price_of_now() -> None:
    today, hours = date(2026, 11, 24), 10
    prices = {today - timedelta(days=n): DEAR if n > 9 else CHEAP for n in range(400)}
    spending = Spending(today - timedelta(days=80))
    for back in range(80, 0, -1):
        day = today - timedelta(days=back)
        spending = spending.having(day, hours * prices[day])
    found = at_todays_price(spending, prices.get, today - timedelta(days=80), today)
    assert found.on == today
    for mean in found.by_weekday:
        assert mean is not None and abs(mean - hours * CHEAP) < Decimal("0.1")


def test_an_endpoint_that_came_after_the_price_fell_is_left_alone() -> None:
    today = date(2026, 11, 24)
    prices = {today - timedelta(days=n): DEAR if n > 9 else CHEAP for n in range(400)}
    spending = Spending(today, Decimal(0), (CHEAP,) * 7)
    begun = today - timedelta(days=8)
    assert at_todays_price(spending, prices.get, begun, today).by_weekday == (CHEAP,) * 7


def test_the_first_day_is_in_no_mean_and_neither_is_its_price() -> None:
    """Its weekday has the week after in it alone, and that was cheap."""
    today = date(2026, 11, 24)
    prices = {today - timedelta(days=n): DEAR if n > 13 else CHEAP for n in range(30)}
    spending = Spending()
    for back in range(14, 0, -1):
        day = today - timedelta(days=back)
        spending = spending.having(day, prices[day] * (1 if back == 14 else 10))
    found = at_todays_price(spending, prices.get, today - timedelta(days=20), today)
    assert found.by_weekday == (10 * CHEAP,) * 7


def test_an_orphan_has_cost_what_it_cost_then() -> None:
    of_two_days = Resource(
        kind=Kind.ENDPOINT, name="left", created_at=FELL - timedelta(hours=36),
        instances={TYPE: 2},
    )  # fmt: skip
    orphan = Orphan(of_two_days, Verdict.SEEN_ONCE, BOOK)
    assert orphan.usd_until(NOON) == 2 * (36 * DEAR + 12 * CHEAP)
