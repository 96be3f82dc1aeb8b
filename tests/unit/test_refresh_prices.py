"""The price list is read once a day; whatever goes wrong with it, the old prices stay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.aws.price_list import AwsPriceList
from autoscaler.catalog.prices import PriceBook, bundled
from autoscaler.control.reconcile import reconcile
from autoscaler.control.refresh_prices import Refreshed, refresh_prices
from autoscaler.control.wishes import request_sleep
from autoscaler.endpoints.status import Cause
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import write_report
from autoscaler.ports import Load, PriceListError
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import awake, put
from tests.unit.test_ledger_report import MemoryReports

NAME = "llama"
IRISH = {"ml.g6e.xlarge": Decimal("2.94"), "ml.m5.large": Decimal("0.13")}


@dataclass
class ScriptedList:
    """Answers, or fails, as the test says."""

    answer: Mapping[str, Decimal] | Exception
    asked: int = 0

    def read(self, region: str) -> Mapping[str, Decimal]:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def world() -> MemoryWorld:
    world = memory_world()
    world.store.book = bundled("eu-west-1")
    return world


def refresh(world: MemoryWorld, answer: Mapping[str, Decimal] | Exception) -> Refreshed:
    prices = ScriptedList(answer)
    done = refresh_prices(world.store, prices, world.announcer, world.clock)
    assert prices.asked == 1
    return done


def test_a_regions_prices_reach_the_closed_segment_and_the_report(world) -> None:
    done = refresh(world, IRISH)
    assert (done.problem, done.changed) == (None, ("ml.g6e.xlarge",))
    assert dict(world.store.book.listed) == {"ml.g6e.xlarge": Decimal("2.94")}, "ours only"
    put(world, awake(NAME, last_active_at=NOON))
    world.scaler.settle(NAME, 1)
    reconcile(world)
    world.clock.forward(hours=1)
    request_sleep(world, world.store.load(NAME), Cause.PERSON, "over")
    assert {s.usd_per_hour for s in world.store.segments} == {Decimal("2.94")}
    blobs = MemoryReports()
    written = write_report(
        world.store, blobs, world.clock, world.announcer, Period.day(NOON.date()),
        prices=world.store.prices(),
    )  # fmt: skip
    assert written.cost_usd == Decimal("2.94") * 2, "an hour before noon, and one after"
    page = blobs.files["reports/day/2026-11-24/costs.html"][0].decode()
    assert "Prices are those of eu-west-1" in page


def test_without_its_own_list_a_region_is_billed_at_another_ones_price_and_told_so(world) -> None:
    put(world, awake(NAME, last_active_at=NOON))
    world.clock.forward(hours=1)
    request_sleep(world, world.store.load(NAME), Cause.PERSON, "over")
    assert {s.usd_per_hour for s in world.store.segments} == {Decimal("2.61")}
    blobs = MemoryReports()
    write_report(
        world.store, blobs, world.clock, world.announcer, Period.day(NOON.date()),
        prices=world.store.prices(),
    )  # fmt: skip
    notes = json.loads(blobs.files["reports/day/2026-11-24/costs.json"][0])["notes"]
    assert any("eu-west-1's own is not known" in note for note in notes)


def test_what_was_closed_before_keeps_its_price(world) -> None:
    put(world, awake(NAME, last_active_at=NOON))
    world.scaler.settle(NAME, 1)
    world.load.loads[NAME] = Load(backlog=0, concurrency_per_copy=1.0)
    world.clock.forward(hours=13)  # over a UTC midnight, which closes a segment
    reconcile(world)
    refresh(world, IRISH)
    world.clock.forward(hours=1)
    request_sleep(world, world.store.load(NAME), Cause.PERSON, "over")
    by_day = {s.start.day: s.usd_per_hour for s in world.store.segments}
    assert by_day == {24: Decimal("2.61"), 25: Decimal("2.94")}


def test_a_refusal_keeps_a_fresh_book_silently_and_says_so_when_it_is_a_week_old(world) -> None:
    refresh(world, IRISH)
    kept = world.store.book
    world.clock.forward(days=7)
    done = refresh(world, PriceListError("ThrottlingException"))
    assert (done.problem, world.store.book) == ("ThrottlingException", kept)
    assert world.announcer.events == []
    world.clock.forward(hours=1)
    refresh(world, PriceListError("ThrottlingException"))
    world.clock.forward(days=1)
    refresh(world, PriceListError("ThrottlingException"))
    assert world.announcer.kinds() == ["PricesStale"] * 2
    first, second = world.announcer.events
    assert first.dedupe_key == second.dedupe_key, "people hear of one book once"
    assert first.read_at == NOON


def test_a_list_that_was_never_read_is_told(world) -> None:
    refresh(world, PriceListError("AccessDeniedException"))
    (event,) = world.announcer.events
    assert (event.region, event.read_at) == ("eu-west-1", None)
    assert world.store.book == bundled("eu-west-1")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"ml.m5.large": Decimal("0.1")}, "names none of the"),
        ({}, "names none of the"),
        ({"ml.g6e.xlarge": Decimal("0.05")}, "$0.05 an hour for ml.g6e.xlarge"),
        ({"ml.g6e.xlarge": Decimal(900)}, "$900 an hour for ml.g6e.xlarge"),
    ],
)
def test_what_cannot_be_a_price_list_changes_nothing(world, answer: Any, says: str) -> None:
    before = world.store.book
    done = refresh(world, answer)
    assert done.problem is not None
    assert says in done.problem
    assert world.store.book == before


# ------------------------------------------------------------------- AWS's own answers


class Pages:
    """get_products as boto3's client answers it."""

    def __init__(self, *pages: list[str] | Exception) -> None:
        self.pages, self.asked = list(pages), []

    def get_products(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        page = self.pages[len(self.asked) - 1]
        if isinstance(page, Exception):
            raise page
        more = {"NextToken": f"t{len(self.asked)}"} if len(self.asked) < len(self.pages) else {}
        return {"PriceList": page, **more}


def product(
    name: Any = "ml.g6e.xlarge", usd: Any = "2.9400000000", unit: str = "Hrs", **changes: str
) -> str:
    attributes = {"component": "Hosting", "regionCode": "eu-west-1", "instanceName": name}
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    return json.dumps(
        {
            "product": {"productFamily": "ML Instance", "attributes": attributes | changes},
            "terms": {"OnDemand": {"S.T": {"priceDimensions": {"S.T.R": dimension}}}},
        }
    )


def test_all_pages_are_read_with_the_regions_filter() -> None:
    pages = Pages([product()], [product("ml.g5.xlarge", "1.57")])
    assert AwsPriceList(pages).read("eu-west-1") == {
        "ml.g6e.xlarge": Decimal("2.94"), "ml.g5.xlarge": Decimal("1.57"),
    }  # fmt: skip
    assert [one.get("NextToken") for one in pages.asked] == [None, "t1"]
    filters = {f["Field"]: f["Value"] for f in pages.asked[0]["Filters"]}
    assert filters == {"regionCode": "eu-west-1", "component": "Hosting"}
    assert pages.asked[0]["ServiceCode"] == "AmazonSageMaker"


def test_what_is_not_an_hour_of_hosting_in_the_region_does_not_count() -> None:
    others = [
        product("ml.a", component="Training"),
        product("ml.b", regionCode="us-east-1"),
        product("ml.c", unit="GB-Mo"),
        product("ml.d", usd="0.0000000000"),
        product(None),
        json.dumps({"product": {}, "terms": {}}),
    ]
    assert list(AwsPriceList(Pages([product(), *others])).read("eu-west-1")) == ["ml.g6e.xlarge"]


def test_of_two_prices_the_larger_counts() -> None:
    pages = Pages([product(usd="3"), product(usd="2")])
    assert AwsPriceList(pages).read("eu-west-1") == {"ml.g6e.xlarge": Decimal(3)}


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (["no json"], "is not JSON"),
        (["[]"], "is no object"),
        ([product(usd="dear")], "'dear' for ml.g6e.xlarge"),
        ([product(usd=None)], "None for ml.g6e.xlarge"),
        ([], "has no Hosting price of eu-west-1"),
        (
            ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetProducts"
            ),
            "AccessDeniedException",
        ),
    ],
)
def test_an_odd_answer_is_said_and_not_guessed_at(page: Any, says: str) -> None:
    with pytest.raises(PriceListError, match=says):
        AwsPriceList(Pages(page)).read("eu-west-1")


def test_a_list_without_an_end_is_given_up() -> None:
    with pytest.raises(PriceListError, match="does not end"):
        AwsPriceList(Pages(*([product()] for _ in range(100)))).read("eu-west-1")


def test_a_book_of_another_region_is_not_taken_for_ones_own() -> None:
    from autoscaler.aws.price_book import price_item, read_book

    book = PriceBook("eu-west-1", {"ml.g6e.xlarge": Decimal("2.94")}, NOON - timedelta(days=1))
    item = price_item({}, book)
    assert read_book(item, "eu-west-1") == book
    assert read_book(item, "us-east-1") == bundled("us-east-1")
    assert read_book(None, "eu-west-1") == bundled("eu-west-1")
