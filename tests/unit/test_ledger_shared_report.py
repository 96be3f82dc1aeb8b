"""A report of two endpoints that share machines, beside one that has its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.endpoints.status import EndpointRecord, Meter, UsageKind, UsageSegment
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.csv import render_csv
from autoscaler.ledger.figures import CostReport, Costs
from autoscaler.ledger.html import render_html
from autoscaler.ledger.periods import Period
from tests.ledger_books import BOOK, MONDAY, PRICES, segment
from tests.samples import asleep, spec

DAY = Period.day(MONDAY.date())
TUESDAY = MONDAY + timedelta(days=1, hours=6)
PRICE = PRICES["ml.g6e.xlarge"]
HALF = Decimal("0.5")
THIRD = Decimal(1) / 3
CENT = Decimal("0.01")


def member(name: str, team: str, per_instance: int, **changes: Any) -> EndpointRecord:
    machines = {"types": ["ml.g6e.xlarge"], "shared": "small-models", "max_instances": 4}
    budget = changes.pop("budget", {})
    wanted = spec(name, team=team, instances=machines, budget=budget)
    fields = {"created_at": MONDAY - timedelta(days=3), "last_awake_at": MONDAY, **changes}
    return EndpointRecord(
        spec=wanted, status=asleep(name, copies_per_instance=per_instance, **fields)
    )


def shared(name: str, team: str, first: float, last: float, weight: Decimal, **changes: Any) -> Any:
    """Hours of Monday."""
    fields = {"endpoint": name, "team": team, "shared": "small-models", "weight": weight}
    start = MONDAY + timedelta(hours=first)
    return segment(start, (last - first) * 60, **{**fields, **changes})


def books() -> Books:
    own = EndpointRecord(
        spec=spec("own", team="legal"),
        status=asleep("own", created_at=MONDAY - timedelta(days=3), last_awake_at=MONDAY),
    )
    segments = [
        shared("ada", "search", 0, 6, HALF, kind=UsageKind.PROVISIONING),
        shared("ada", "search", 6, 18, HALF),
        shared("bob", "legal", 3, 12, THIRD, instances=2),
        shared("bob", "legal", 12, 15, 2 * THIRD, instances=2, kind=UsageKind.IDLE_TAIL),
        segment(MONDAY + timedelta(hours=1), 90, endpoint="own", team="legal"),
    ]
    return Books([member("ada", "search", 2), member("bob", "legal", 3), own], segments)


def report(kept: Books | None = None) -> CostReport:
    return summarize(kept or books(), DAY, TUESDAY, BOOK)


def sums(parts: Sequence[Costs]) -> tuple[Decimal, float]:
    money = sum((part.cost.total for part in parts), Decimal(0))
    return money.quantize(CENT), round(sum(part.instance_hours for part in parts), 6)


def test_the_parts_add_up_to_the_machines_that_there_were() -> None:
    found = report()
    # 3 h of one, 12 h of two, 3 h of one, and an hour and a half of the own one.
    assert found.total.instance_hours == pytest.approx(3 + 24 + 3 + 1.5)
    assert found.total.cost.total.quantize(CENT) == (Decimal("31.5") * PRICE).quantize(CENT)
    assert sums(found.endpoints) == sums(found.teams) == sums([found.total])
    slots = sum((slot.cost.total for slot in found.slots), Decimal(0))
    assert slots.quantize(CENT) == found.total.cost.total.quantize(CENT)


def test_each_pays_by_the_weight_of_its_copies() -> None:
    ada, bob, own = report().endpoints
    # Beside a third of bob's a half is three fifths of it; beside two thirds, three sevenths.
    expected = 3 + 9 * 2 * 3 / 5 + 3 * 2 * 3 / 7 + 3
    assert ada.instance_hours == pytest.approx(expected)
    assert bob.instance_hours == pytest.approx(30 - expected)
    assert float(ada.cost.provisioning) == pytest.approx((3 + 3 * 2 * 3 / 5) * float(PRICE))
    assert float(bob.cost.idle_tail) == pytest.approx(3 * 2 * 4 / 7 * float(PRICE))
    assert own.cost.total == Decimal("1.5") * PRICE


def test_a_part_of_the_period_is_split_as_the_whole_is() -> None:
    hours = Period.since(MONDAY + timedelta(hours=10), MONDAY + timedelta(hours=13))
    found = summarize(books(), hours, TUESDAY, BOOK)
    assert found.total.instance_hours == pytest.approx(6)
    assert found.endpoints[0].instance_hours == pytest.approx(2 * 2 * 3 / 5 + 2 * 3 / 7)


def test_the_baseline_of_each_is_its_part_of_one_instance() -> None:
    found = report()
    assert [e.baseline_usd for e in found.endpoints] == [
        24 * PRICE * HALF, 24 * PRICE * THIRD, 24 * PRICE,
    ]  # fmt: skip
    assert found.total.baseline_usd == sum(e.baseline_usd or 0 for e in found.endpoints)


def test_one_that_has_left_is_compared_with_the_least_that_its_copies_took() -> None:
    left = [
        shared("gone", "legal", 0, 6, HALF, instances=2),
        shared("gone", "legal", 6, 10, Decimal("1.5"), instances=2),
    ]
    (line,) = report(Books([], left)).endpoints
    assert (line.shared, line.baseline_usd) == ("small-models", 10 * PRICE * HALF)
    assert line.instance_hours == 20


def test_open_meters_are_split_and_the_budget_is_what_the_tick_reckons_with() -> None:
    noon = MONDAY + timedelta(hours=12)

    def running(weight: Decimal, share: Decimal) -> tuple[Meter, ...]:
        return (
            Meter(
                instances=1, instance_type="ml.g6e.xlarge", kind=UsageKind.SERVING, since=MONDAY,
                shared="small-models", weight=weight, share=share,
            ),
        )  # fmt: skip

    fleet = [
        member(
            "ada", "search", 2, meters=running(HALF, Decimal("0.6")), budget={"monthly_usd": 100}
        ),
        member("bob", "legal", 2, meters=running(HALF, Decimal("0.4"))),
    ]
    found = summarize(Books(fleet, []), DAY, noon, BOOK)
    ada, bob = found.endpoints
    assert (ada.cost.serving, bob.cost.serving) == (6 * PRICE, 6 * PRICE)
    assert ada.budget is not None
    assert ada.budget.spent_usd == 12 * Decimal("0.6") * PRICE


def test_the_page_and_the_notes_say_what_is_shared() -> None:
    found = report()
    page = render_html(found)
    assert "Instances, its part of small-models" in page
    assert "1.2 of 2 instances × 3 h provisioning" in page
    assert "0.86 of 2 instances × 3 h serving" in page
    assert "1 × 3 h serving" in page and "1 × 1 h 30 min serving" in page
    assert "one instance per endpoint (or its part of a shared one)" in page
    (split,) = [note for note in found.notes if "small-models" in note]
    assert "ada and bob" in split
    assert any("Alone it would need a whole one" in note for note in found.notes)


def test_nothing_is_said_of_sharing_when_nobody_shares() -> None:
    own = Books(books().records[2:], books().segments[4:])
    found = report(own)
    assert found.sharing == {} and found.endpoints[0].shared == ""
    assert "share" not in " ".join(found.notes)
    assert "or its part" not in render_html(found) and " of 2 instances" not in render_html(found)


def test_the_table_keeps_its_columns() -> None:
    def table(kept: Books) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(render_csv(report(kept)))))

    rows = table(books())
    assert rows[0].keys() == table(Books(books().records[2:], books().segments[4:]))[0].keys()
    assert float(rows[0]["instance_hours"]) + float(rows[1]["instance_hours"]) == pytest.approx(30)


def test_the_document_reads_back_with_its_shares() -> None:
    again = CostReport.model_validate_json(report().model_dump_json())
    assert again.sharing == {"small-models": ("ada", "bob")}
    assert [span.own_instances for span in again.endpoints[0].timeline] == pytest.approx(
        [1, 1.2, 1.2, 6 / 7, 1]
    )


def test_the_days_of_shared_machines_add_up_to_their_week() -> None:
    segments: list[UsageSegment] = []
    for day in range(7):
        shift = timedelta(days=day)
        for used in books().segments:
            moved = {"start": used.start + shift, "end": used.end + shift}
            segments.append(used.model_copy(update=moved))
    kept, late = Books(books().records, segments), MONDAY + timedelta(days=9)
    zone = "Asia/Kolkata"
    week = summarize(kept, Period.week(MONDAY.date(), zone), late, BOOK).total
    days = [
        summarize(kept, Period.day((MONDAY + timedelta(days=n)).date(), zone), late, BOOK).total
        for n in range(7)
    ]
    assert sums(days)[1] == pytest.approx(week.instance_hours)
    assert sums(days)[0] == week.cost.total.quantize(CENT)
