"""A week's report of made-up traffic as a page, for the pictures of docs/costs.md.

    PYTHONPATH=layers/autoscaler:. python -m tests.report_page FOLDER

Writes `report.html`; headless Chromium makes the pictures as of tests.slack_page, 1100 pixels wide,
in the dark with `--blink-settings=preferredColorScheme=0`, as on a phone in a frame of 390 pixels,
and on paper with `--print-to-pdf`, whose pages lie side by side.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from autoscaler.endpoints.status import (
    EndpointRecord,
    Traffic,
    UsageKind,
    UsageSegment,
    wait_bin,
)
from autoscaler.ledger.bill import Bill, BillLine, Estimate, reconciled
from autoscaler.ledger.billed import instance_hours, usd
from autoscaler.ledger.budgets import StackMoney
from autoscaler.ledger.controller import ControllerUsage
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.figures import Advice, CostReport
from autoscaler.ledger.html import render_html
from autoscaler.ledger.notes import ADVICE, notes
from autoscaler.ledger.own_use import Setup, estimated
from autoscaler.ledger.periods import Period
from autoscaler.policy.forecast import Spending
from autoscaler.spec import StackBudget
from tests.ledger_books import BOOK, MONDAY, fleet_books

WEEKS = 9
FIRST = (MONDAY + timedelta(weeks=WEEKS - 1)).date()
WEEK = Period.week(FIRST, "Europe/Berlin")
WRITTEN = datetime(2027, 1, 22, 6, tzinfo=UTC)
ODD_DAY = FIRST + timedelta(days=3)
BIG, SMALL = "deepseek-r1", "deepseek-r1-distill-llama-8b"
MIDDLE = "deepseek-r1-distill-qwen-32b"
_DISCOUNT = Decimal("0.8")
_DAILY = {BIG: Decimal(150), SMALL: Decimal(20)}


def books() -> Books:
    """Nine weeks; in the last one an odd Thursday, a window that keeps warm, and a lost tick."""
    found = fleet_books(days=7 * WEEKS)
    segments = [changed for one in found.segments for changed in _in_the_last_week(one)]
    records = [_january(record, segments) for record in found.records]
    traffic = [_with_waits(one) for one in found.traffic]
    return replace(found, records=records, segments=segments, traffic=traffic)


def _in_the_last_week(one: UsageSegment) -> Iterator[UsageSegment]:
    if one.start.date() < FIRST:
        yield one
    elif one.endpoint == BIG and one.start.date() == ODD_DAY:
        yield one.model_copy(update={"instances": 2})
    elif one.endpoint == SMALL and one.kind is UsageKind.IDLE_TAIL and one.start.hour < 12:
        yield one.model_copy(update={"kind": UsageKind.KEPT_WARM})
    else:
        gap = one.endpoint == SMALL and one.kind is UsageKind.PROVISIONING
        yield one.model_copy(update={"over_gap": gap and one.start.date() == FIRST})


def _january(record: EndpointRecord, segments: Sequence[UsageSegment]) -> EndpointRecord:
    """With what it has spent in the month of the report, which runs when it is written."""
    own = [one for one in segments if one.endpoint == record.spec.name]
    spent = sum((usd(one) for one in own if f"{one.start:%Y-%m}" == "2027-01"), Decimal(0))
    by_weekday = tuple(
        sum((usd(one) for one in own if one.start.date() == FIRST + timedelta(days=n)), Decimal(0))
        for n in range(7)
    )
    spending = Spending(WRITTEN.date(), by_weekday=by_weekday)
    status = record.status.model_copy(
        update={"spent_in": "2027-01", "spent_usd": spent, "spending": spending}
    )
    daily = {"daily_usd": _DAILY.get(record.spec.name)}
    budget = record.spec.budget.model_copy(update=daily)
    spec = record.spec.model_copy(update={"budget": budget})
    return record.model_copy(update={"spec": spec, "status": status})


def _with_waits(one: Traffic) -> Traffic:
    waits = Counter({wait_bin(1): one.requests * 6 // 10})
    waits[wait_bin(170)] = one.requests // 50
    waits[wait_bin(20)] = one.requests - sum(waits.values())
    return one.model_copy(update={"waits": waits})


def report() -> CostReport:
    """As `autoscaler report --period week --closed` has it."""
    known = books()
    months = [record.status.spent_usd for record in known.records]
    limits = StackBudget(monthly_usd=Decimal(5000), daily_usd=Decimal(200))
    stack = StackMoney(limits, sum(months, Decimal(0)), Decimal("2891.40"))
    found = summarize(known, WEEK, WRITTEN, BOOK, _own_usage(known), stack)
    found = found.model_copy(update={"bill": reconciled(*_bill(known)), "basis": "reconciled"})
    said = tuple(note for note in notes(found) if not note.startswith(ADVICE))
    return found.model_copy(update={"notes": said, "advice": tuple(_advice())})


def _own_usage(known: Books) -> ControllerUsage:
    calls = {"reconcile": 10_080, "notify": 10_130, "look-at-start": 660, "guard-sleep": 190,
             "plan-wake": 61, "record-phase": 122, "probe-endpoint": 61}  # fmt: skip
    invocations = {name: Decimal(count) for name, count in calls.items()}
    setup = Setup(timedelta(minutes=1), alarms=7)
    found = estimated(known, WEEK, WRITTEN, BOOK, setup, invocations, of_a_report=71)
    return ControllerUsage(
        lambda_requests=sum(invocations.values(), Decimal(0)),
        lambda_gb_seconds=2_950,
        table_writes=21_000,
        table_reads=52_000,
        secrets=2,
        log_gb=Decimal("0.021"),
        stored_gb=Decimal("84.6"),
        **found,
        estimated=frozenset(found),
    )


def _bill(known: Books) -> tuple[Bill, dict[str, Estimate]]:
    lines, estimates = [], {}
    for record in known.records:
        name, kind = record.spec.name, record.spec.instances.types[0]
        own = [one for one in known.segments if one.endpoint == name and one.start.date() >= FIRST]
        money, hours = sum(map(usd, own), Decimal(0)), sum(map(instance_hours, own), Decimal(0))
        estimates[name] = Estimate(money, hours)
        billed = money * (_DISCOUNT if name == BIG else 1)
        lines.append(_line(FIRST, name, f"USE1-Host:{kind}", billed, hours))
    lines.append(_line(FIRST, "", "USE1-TimedStorage-ByteHrs", Decimal("3.21"), Decimal(1)))
    after = FIRST + timedelta(days=7)
    return Bill(first=FIRST, after=after, read_at=WRITTEN, lines=tuple(lines)), estimates


def _line(day: date, name: str, usage: str, money: Decimal, quantity: Decimal) -> BillLine:
    return BillLine(
        day=day,
        endpoint=name,
        usage_type=usage,
        unblended_usd=money,
        amortized_usd=money,
        quantity=quantity,
    )


def _advice() -> Iterator[Advice]:
    told = [
        (BIG, "scaling.keep_alive: 10m → 5m", "118.20", "311", "306"),
        (MIDDLE, "scaling.keep_alive: 10m → learned", "61.75", "274", "270"),
        (SMALL, "schedule.windows[peak].min_copies: 1 → 0", "9.34", "251", "31"),
    ]  # fmt: skip
    for name, change, saved, after, before in told:
        sentence = (
            f"{name}: {change} would have saved ${saved} in 14.0 days; 95 % of requests wait up to "
            f"{after} s instead of {before} s."
        )
        yield Advice(
            endpoint=name,
            change=change,
            saved_usd=Decimal(saved),
            days=14,
            waiting_usd=Decimal(0),
            sentence=sentence,
        )


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(render_html(report()))
