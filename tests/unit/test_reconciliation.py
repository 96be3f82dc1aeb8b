"""AWS's bill beside the ledger, over botocore's own shape of Cost Explorer's answer."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from autoscaler.aws.cost_explorer import CostExplorer, NoBillError
from autoscaler.ledger.bill import SHARED, Bill, BillLine, Estimate, Reconciliation, reconciled
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import write_report
from autoscaler.runtime.bills import bill_of, days_of, is_closed
from tests.api_shapes import check
from tests.ledger_books import BOOK, segment
from tests.memory import memory_world

FIRST, AFTER = date(2026, 11, 16), date(2026, 11, 23)
READ = datetime(2026, 11, 27, 6, tzinfo=UTC)
HOST = "EUC1-Host:ml.g6e.xlarge"


def group(endpoint: str, usage_type: str, usd: str, hours: str, amortized: str = "") -> Any:
    amounts = {"UnblendedCost": usd, "AmortizedCost": amortized or usd, "UsageQuantity": hours}
    return {
        "Keys": [f"autoscaler:endpoint${endpoint}", usage_type],
        "Metrics": {name: {"Amount": a, "Unit": "USD"} for name, a in amounts.items()},
    }


def answer(*groups: Any, **changes: Any) -> dict[str, Any]:
    day = {
        "TimePeriod": {"Start": "2026-11-16", "End": "2026-11-17"},
        "Total": {},
        "Groups": list(groups),
        "Estimated": changes.pop("estimated", False),
    }
    return {"ResultsByTime": [day], **changes}


@pytest.mark.parametrize(
    ("usage_type", "instance"),
    [
        ("USE1-Host:ml.g6e.xlarge", True),
        ("Host:ml.g6e.xlarge", True),
        ("EUC1-AsyncInf:ml.g6e.xlarge", True),
        ("USE1-Host:VolumeUsage.gp3", False),
        ("USE1-AsyncInf:VolumeUsage.gp3", False),
        ("USE1-Train:ml.g6e.xlarge", False),
    ],
)
def test_hours_of_endpoints_of_every_kind_are_instances(usage_type: str, instance: bool) -> None:
    money = Decimal(1)
    assert BillLine(
        day=FIRST, endpoint="llama", usage_type=usage_type, unblended_usd=money,
        amortized_usd=money, quantity=money,
    ).is_instance is instance  # fmt: skip


@dataclass
class Explorer:
    """Cost Explorer with answers of AWS's shape: botocore's stubber refuses any other."""

    stub: Stubber
    explorer: CostExplorer

    def gives(self, reply: dict[str, Any]) -> None:
        self.stub.add_response("get_cost_and_usage", reply)

    def refuses(self, code: str) -> None:
        self.stub.add_client_error("get_cost_and_usage", code, "no")


@pytest.fixture
def ce() -> Any:
    client = boto3.client(
        "ce", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        yield Explorer(stub, CostExplorer("prod", "eu-central-1", client))
        stub.assert_no_pending_responses()


@dataclass
class MemoryKept:
    files: dict[str, bytes] = field(default_factory=dict)

    def get(self, key: str) -> bytes | None:
        return self.files.get(key)

    def put(self, key: str, body: bytes, content_type: str) -> str:
        self.files[key] = body
        return key


def test_what_is_asked_is_a_request_of_its_model() -> None:
    request = CostExplorer("prod", "eu-central-1", ce=object())._request(FIRST, AFTER)
    check("ce", "GetCostAndUsage", request)
    assert request["TimePeriod"] == {"Start": "2026-11-16", "End": "2026-11-23"}
    assert request["Filter"]["And"] == [
        {"Tags": {"Key": "autoscaler:stack", "Values": ["prod"]}},
        {"Dimensions": {"Key": "REGION", "Values": ["eu-central-1"]}},
    ], "a stack of the same name in another Region has a bill of its own"


def test_lines_have_their_day_tag_and_type(ce: Explorer) -> None:
    ce.gives(answer(group("llama", HOST, "26.05", "10"), group("", "EUC1-Requests", "0.4", "9")))
    bill = ce.explorer.read(FIRST, AFTER, READ)
    first, second = bill.lines
    assert (first.endpoint, first.quantity, first.is_instance) == ("llama", 10, True)
    assert (second.endpoint, second.is_instance) == ("", False)
    assert bill.final and bill.whole


def test_an_estimated_day_and_a_second_page_are_told(ce: Explorer) -> None:
    ce.gives(answer(group("llama", HOST, "1", "1"), estimated=True, NextPageToken="more"))
    bill = ce.explorer.read(FIRST, AFTER, READ)
    assert not bill.final and not bill.whole


@pytest.mark.parametrize(
    ("code", "said"),
    [("AccessDeniedException", "enabled once in the Billing console"),
     ("DataUnavailableException", "answered DataUnavailableException"),
     ("LimitExceededException", "answered LimitExceededException")],
)  # fmt: skip
def test_a_refusal_says_what_to_do(ce: Explorer, code: str, said: str) -> None:
    ce.refuses(code)
    with pytest.raises(NoBillError, match=said):
        ce.explorer.read(FIRST, AFTER, READ)


# --- when it is asked, and how often


WEEK = Period.week(FIRST, "Europe/Berlin")


def test_a_local_week_touches_eight_utc_days() -> None:
    assert days_of(WEEK) == (date(2026, 11, 15), AFTER)
    assert days_of(Period.week(FIRST)) == (FIRST, AFTER)


def test_nothing_is_asked_before_the_bill_can_be_known(ce: Explorer) -> None:
    early = datetime(2026, 11, 25, 23, 59, tzinfo=UTC)
    assert not is_closed(WEEK, early) and is_closed(WEEK, early + timedelta(minutes=1))
    assert "Not reconciled yet" in str(bill_of(MemoryKept(), ce.explorer, WEEK, "r", early))


def test_a_bill_that_is_final_is_paid_for_once(ce: Explorer) -> None:
    kept = MemoryKept()
    ce.gives(answer(group("llama", HOST, "26.05", "10")))
    first = bill_of(kept, ce.explorer, WEEK, "reports/week/2026-11-16", READ)
    again = bill_of(kept, ce.explorer, WEEK, "reports/week/2026-11-16", READ)
    assert isinstance(first, Bill) and again == first
    assert list(kept.files) == ["reports/week/2026-11-16/bill.json"]


def test_one_that_may_change_is_asked_for_again(ce: Explorer) -> None:
    kept = MemoryKept()
    ce.gives(answer(group("llama", HOST, "26.05", "10"), estimated=True))
    ce.gives(answer(group("llama", HOST, "27.05", "10.4")))
    bill_of(kept, ce.explorer, WEEK, "r", READ)
    later = bill_of(kept, ce.explorer, WEEK, "r", READ + timedelta(days=1))
    assert isinstance(later, Bill) and later.lines[0].unblended_usd == Decimal("27.05")


def test_a_kept_bill_that_cannot_be_read_is_asked_for_again(ce: Explorer) -> None:
    ce.gives(answer(group("llama", HOST, "26.05", "10")))
    kept = MemoryKept({"r/bill.json": b"{}"})
    assert isinstance(bill_of(kept, ce.explorer, WEEK, "r", READ), Bill)


def test_a_refusal_leaves_the_report_estimated(ce: Explorer) -> None:
    ce.refuses("AccessDeniedException")
    assert str(bill_of(MemoryKept(), ce.explorer, WEEK, "r", READ)).startswith("Not reconciled: ")


# --- beside the ledger


def line(endpoint: str, usd: str, hours: str, kind: str = HOST, amortized: str = "") -> BillLine:
    return BillLine(
        day=FIRST,
        endpoint=endpoint,
        usage_type=kind,
        unblended_usd=Decimal(usd),
        amortized_usd=Decimal(amortized or usd),
        quantity=Decimal(hours),
    )


def laid(*lines: BillLine, **changes: Any) -> Reconciliation:
    estimates = changes.pop("estimates", {"llama": Estimate(Decimal("26.05"), Decimal(10))})
    bill = Bill(first=FIRST, after=AFTER, read_at=READ, lines=lines, **changes)
    return reconciled(bill, estimates)


def said(found: Reconciliation) -> str:
    return " ".join(found.why)


def test_figures_that_agree_need_no_explanation() -> None:
    found = laid(line("llama", "26.05", "10"))
    (row,) = found.endpoints
    assert (row.estimated_usd, row.billed_usd, row.difference_usd) == (
        Decimal("26.05"), Decimal("26.05"), 0
    )  # fmt: skip
    assert found.why == ("Taxes, support and credits have no tag, and are in neither figure.",)
    assert (found.first, found.last, found.final) == (FIRST, date(2026, 11, 22), True)


def test_without_the_endpoints_tag_all_are_one_row_and_it_is_said() -> None:
    found = laid(line("", "26.05", "10"))
    assert SHARED in {row.name for row in found.endpoints}
    assert "No line has the tag autoscaler:endpoint" in said(found)


def test_a_discount_is_told_from_hours_that_differ() -> None:
    discount = laid(line("llama", "20.84", "10"))
    assert "the hours agree; AWS billed $2.0840 an hour" in said(discount)
    hours = laid(line("llama", "31.26", "12"))
    assert "AWS billed 12.00 instance-hours, the ledger counted 10.00" in said(hours)


def test_a_savings_plan_is_said() -> None:
    found = laid(line("llama", "26.05", "10", amortized="17.00"))
    assert found.billed_usd == 17
    assert "Savings Plans: $17.00 with their part of the commitment" in said(found)


def test_other_usage_is_beside_and_not_in_the_instances() -> None:
    volume = line("llama", "1.50", "3", kind="EUC1-Host:VolumeUsage.gp3")
    found = laid(line("llama", "26.05", "10"), volume, line("", "2", "1", kind="Lambda-GB-Second"))
    assert (found.billed_usd, found.other_usd) == (Decimal("26.05"), Decimal("3.50"))
    assert found.endpoints[0].other_usd == Decimal("1.50")
    assert "$3.50 of other usage types" in said(found)


def test_endpoints_of_shared_machines_are_one_row() -> None:
    each = Estimate(Decimal(5), Decimal(2), shared=True)
    own = Estimate(Decimal(1), Decimal(1))
    estimates = {"chat": each, "search": each, "llama": own}
    found = laid(line("", "10", "4"), line("llama", "1", "1"), estimates=estimates)
    rows = {row.name: (row.estimated_usd, row.billed_usd) for row in found.endpoints}
    assert rows == {SHARED: (10, 10), "llama": (1, 1)}


def test_an_endpoint_that_the_ledger_does_not_know_is_shown() -> None:
    found = laid(line("llama", "26.05", "10"), line("ghost", "4", "2"))
    ghost = next(row for row in found.endpoints if row.name == "ghost")
    assert (ghost.estimated_usd, ghost.billed_usd) == (0, 4)
    assert "ghost: AWS billed 2.00 instance-hours, the ledger counted 0.00" in said(found)


def test_what_may_still_come_is_said() -> None:
    found = laid(line("llama", "26.05", "10"), final=False)
    assert not found.final and "usage may arrive late" in said(found)


def test_hours_without_a_price_are_no_discount_and_no_zero() -> None:
    known = Estimate(Decimal(0), Decimal(10), unpriced_hours=Decimal(10))
    found = laid(line("llama", "26.05", "10"), estimates={"llama": known})
    assert "llama: the price of 10.00 of its 10.00 hours is unknown" in said(found)
    assert "list price" not in said(found)


def test_a_kept_bill_of_other_days_is_not_this_periods(ce: Explorer) -> None:
    kept = MemoryKept()
    ce.gives(answer(group("llama", HOST, "26.05", "10")))
    ce.gives(answer(group("llama", HOST, "27.05", "10.4")))
    bill_of(kept, ce.explorer, WEEK, "r", READ)
    moved = Period.week(FIRST, "UTC")  # the stack's time zone was changed, its folder was not
    later = bill_of(kept, ce.explorer, moved, "r", READ)
    assert isinstance(later, Bill) and later.lines[0].unblended_usd == Decimal("27.05")


class Shelf:
    """Keeps the report that was written last."""

    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, body: bytes, content_type: str) -> str:
        if key.endswith(".csv"):
            self.last = list(csv.DictReader(io.StringIO(body.decode())))
        if key.endswith(".json"):
            self.report = CostReport.model_validate_json(body)
        return key


def test_an_endpoint_that_moved_to_shared_machines_is_in_both_rows() -> None:
    here, shelf, start = memory_world(), Shelf(), datetime(2026, 11, 17, tzinfo=UTC)
    here.clock.moment = READ
    own = segment(start, 60)
    moved = segment(start + timedelta(hours=2), 60, shared="small", weight=Decimal(1))
    here.store.segments += [own, moved]
    lines = (line("llama", "2.6054", "1"), line("", "2.6054", "1"))
    bill = Bill(first=FIRST, after=AFTER, read_at=READ, lines=lines)
    written = write_report(here.store, shelf, here.clock, here.announcer, Period.week(FIRST),
                           prices=BOOK, bill=bill)  # fmt: skip
    assert shelf.report.bill is not None
    rows = {row.name: (row.estimated_usd, row.billed_usd) for row in shelf.report.bill.endpoints}
    assert rows == {"llama": (Decimal("2.6054"),) * 2, SHARED: (Decimal("2.6054"),) * 2}
    assert (written.billed_first, written.billed_last) == (FIRST, date(2026, 11, 22))
    assert written.billed_against_usd == written.billed_usd == 2 * Decimal("2.6054")
    (whole,) = (row for row in shelf.last if row["row_kind"] == "all")
    assert whole["reconciled_usd"] == whole["reconciled_against_usd"] == "5.210800"
