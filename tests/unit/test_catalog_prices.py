"""A Region's price book: its own list first, the bundled table with a label, unknown as unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from autoscaler.catalog.instances import instances
from autoscaler.catalog.prices import BUNDLED_ON, OTHER_REGION, PriceBook, bundled

READ = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
IRELAND = PriceBook("eu-west-1", {"ml.g6e.xlarge": Decimal("2.94")}, READ)


def test_the_regions_own_price_comes_with_region_and_date() -> None:
    price = IRELAND.price("ml.g6e.xlarge")

    assert (price.usd_per_hour, price.kind, price.region) == (Decimal("2.94"), "list", "eu-west-1")
    assert price.as_of == READ.date()
    assert price.source == "AWS Price List API, eu-west-1, read 2026-11-25"


def test_what_the_list_lacks_is_the_bundled_price_and_says_so() -> None:
    price = IRELAND.price("ml.g5.xlarge")

    assert price.usd_per_hour == instances()["ml.g5.xlarge"].usd_per_hour
    assert (price.kind, price.region) == (OTHER_REGION, "us-east-1")
    assert price.source.startswith("us-east-1 price, eu-west-1's own not known")


def test_in_us_east_1_the_bundled_price_is_its_own() -> None:
    price = bundled().price("ml.g5.xlarge")

    assert (price.usd_per_hour, price.kind) == (Decimal("1.408"), "list")


def test_what_nobody_knows_stays_unknown_in_every_region() -> None:
    for book in (bundled(), bundled("eu-west-1"), IRELAND):
        assert book.usd_per_hour("ml.p5e.48xlarge") is None
        assert book.price("ml.p5e.48xlarge").kind == "unknown"
        assert book.usd_per_hour("ml.none.such") is None


def test_a_list_may_know_what_the_table_does_not() -> None:
    book = PriceBook("us-east-1", {"ml.p5e.48xlarge": Decimal("70")}, READ)

    assert book.usd_per_hour("ml.p5e.48xlarge") == Decimal(70)


def test_a_report_can_say_where_its_prices_come_from() -> None:
    assert bundled("eu-west-1").is_foreign
    assert not IRELAND.is_foreign
    assert not bundled().is_foreign
    assert "eu-west-1's own is not known" in bundled("eu-west-1").sentence()
    assert "of eu-west-1, on demand, as AWS's price list had them on 2026-11-25" in (
        IRELAND.sentence()
    )
    assert "us-east-1 on demand, as of 2026-09-27" in bundled().sentence()


@pytest.mark.parametrize(
    ("book", "instance_type", "origin"),
    [
        (PriceBook(), "ml.g6e.xlarge", f"table list us-east-1 {BUNDLED_ON}"),
        (PriceBook("eu-west-1"), "ml.g6e.xlarge", f"table other-region us-east-1 {BUNDLED_ON}"),
        (IRELAND, "ml.g6e.xlarge", "list eu-west-1 2026-11-25"),
        (PriceBook(), "ml.new.large", None),
    ],
    ids=["bundled", "another Region's", "the Region's own", "unknown"],
)
def test_the_origin_of_a_price_is_short(
    book: PriceBook, instance_type: str, origin: str | None
) -> None:
    assert book.price(instance_type).origin == origin
