"""From the ledger to a cost report: one pure function over what the store knows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from ..catalog.prices import PriceBook
from ..endpoints.status import EndpointRecord, HistoryEntry, Traffic, UsageKind, UsageSegment
from .billed import (
    EVER,
    always_on,
    billed_segments,
    clip,
    hours,
    instance_hours,
    usd,
)
from .budgets import BudgetDates, StackMoney, budget_of, daily_budget, stack_budget
from .controller import ControllerUsage, controller_cost
from .figures import (
    CostReport,
    Costs,
    EndpointCosts,
    SlotCosts,
    Span,
    TeamCosts,
    Wakes,
)
from .holders import Part, held, parts_of
from .notes import notes
from .periods import Period
from .sums import awake_hours, by_kind, gaps, served_of, unpriced
from .usual import Days, Earlier, by_day, earlier, first_moments, together, unusual

_HOURS_PER_MONTH = Decimal("730.5")
_Row = TypeVar("_Row", Traffic, UsageSegment)


@dataclass(frozen=True)
class Books:
    """What the store knows: records read first, then closed segments, counters, and of the history
    the lines of wakes."""

    records: Sequence[EndpointRecord]
    segments: Sequence[UsageSegment]
    traffic: Sequence[Traffic] = ()
    history: Mapping[str, Sequence[HistoryEntry]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Account:
    """One endpoint's part of the books, clipped to the period."""

    name: str
    team: str
    record: EndpointRecord | None
    segments: tuple[UsageSegment, ...]
    parts: tuple[Part, ...]
    before_usd: Decimal | None
    days: Mapping[date, Decimal]  # dollars by UTC day


def summarize(
    books: Books,
    period: Period,
    now: datetime,
    prices: PriceBook,
    usage: ControllerUsage | None = None,
    stack: StackMoney | None = None,
) -> CostReport:
    """Returns the report of [period.start, now or the period's end, whichever is first).

    Instance-hours without a price are in no dollar figure; they are listed, and savings that
    they would change are None. An endpoint belongs to the team that its file names now; what it
    cost, saved and did to the team of the time. `stack`: what the stack's budget has to do with.
    """
    until = max(period.start, min(period.end, now))
    ever = billed_segments(books.segments, books.records, prices, EVER, now, now)
    billed = [piece for one in ever if (piece := clip(one, period.start, until)) is not None]
    before = earlier(ever, period, until, first_moments(ever, books.records))
    days, dates = by_day(ever), BudgetDates.of(period, now)
    spent = together(days)
    accounts = _accounts(books, before, ever, days, period, until, prices)
    parts = [part for account in accounts for part in account.parts]
    months = hours(until - period.start) / _HOURS_PER_MONTH
    report = CostReport(
        period=period,
        until=until,
        written_at=now,
        total=Costs(**_figures(parts, billed, period.start, until, before.of_all())),
        endpoints=tuple(_endpoint(a, period.start, until, dates, prices) for a in accounts),
        teams=_teams(accounts, parts, billed, before, period.start, until),
        slots=_slots(parts, billed, period, until),
        controller=controller_cost(usage, months) if usage else None,
        stack_budget=stack_budget(stack, spent, dates),
        stack_daily_budget=daily_budget(
            stack.limits.daily_usd if stack else None, spent, dates.days
        ),
        unusual=unusual(ever, books.traffic, books.records, period, until),
    )
    return report.model_copy(update={"notes": notes(report)})


def _accounts(
    books: Books,
    before: Earlier,
    ever: Sequence[UsageSegment],
    days: Days,
    period: Period,
    until: datetime,
    prices: PriceBook,
) -> list[_Account]:
    records = {r.spec.name: r for r in books.records if r.status.first_applied_at < until}
    counted = _by_endpoint(t for t in books.traffic if period.holds(t.start, t.end))
    used = _by_endpoint(ever)
    accounts = []
    for name in sorted(records.keys() | counted.keys() | used.keys()):
        record, around = records.get(name), used[name]
        clipped = (clip(segment, period.start, until) for segment in around)
        segments = tuple(segment for segment in clipped if segment is not None)
        if not (record or segments or counted[name]):
            continue
        team = _team(record, segments)
        whole = always_on(record, segments, prices, period.start, until)
        # Of one that is gone, what has its name after the period is another endpoint.
        spans = held(team, around if record else segments, period.start, until)
        lines = books.history.get(name, ())
        accounts.append(
            _Account(
                name=name,
                team=team,
                record=record,
                segments=segments,
                parts=parts_of(spans, record, whole, lines, counted[name]),
                before_usd=before.of(name),
                days=days.get(name, {}),
            )
        )
    return accounts


def _by_endpoint(rows: Iterable[_Row]) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.endpoint].append(row)
    return found


def _team(record: EndpointRecord | None, segments: Sequence[UsageSegment]) -> str:
    if record:
        return record.spec.team
    return segments[-1].team if segments else "unassigned"


def _figures(
    parts: Sequence[Part],
    segments: Sequence[UsageSegment],
    start: datetime,
    until: datetime,
    before_usd: Decimal | None,
) -> dict[str, object]:
    serving = (s for s in segments if s.kind is UsageKind.SERVING)
    leads = sorted(lead for p in parts for lead in p.wakes.lead_seconds)
    causes: Counter[str] = Counter()
    asked_by: Counter[str] = Counter()
    for part in parts:
        causes.update(part.wakes.causes)
        asked_by.update(part.wakes.asked_by)
    return {
        "cost": by_kind(segments),
        "awake_hours": awake_hours(segments),
        "instance_hours": float(sum((instance_hours(s) for s in segments), Decimal(0))),
        "serving_hours": float(sum((instance_hours(s) for s in serving), Decimal(0))),
        "gaps": gaps(segments),
        "before_usd": before_usd,
        "baseline_usd": _baseline(parts, start, until),
        "unpriced": unpriced(segments),
        "wakes": Wakes(
            count=sum(p.wakes.count for p in parts),
            causes=dict(causes.most_common()),
            asked_by=dict(asked_by.most_common()),
            lead_seconds=tuple(leads),
        ),
        "served": served_of(p.served for p in parts),
    }


def _baseline(parts: Iterable[Part], start: datetime, until: datetime) -> Decimal | None:
    each = [p.baseline.usd(start, until) for p in parts if p.baseline]
    known = [money for money in each if money is not None]
    return sum(known, Decimal(0)) if len(known) == len(each) else None


def _endpoint(
    account: _Account,
    start: datetime,
    until: datetime,
    dates: BudgetDates,
    prices: PriceBook,
) -> EndpointCosts:
    record, segments = account.record, account.segments
    types = record.spec.instances.types if record else [s.instance_type for s in segments]
    return EndpointCosts(
        **_figures(account.parts, segments, start, until, account.before_usd),
        name=account.name,
        team=account.team,
        model=record.spec.model.id if record else None,
        instance_type=types[0] if types else "",
        usd_per_hour=prices.usd_per_hour(types[0]) if types else None,
        shared=_shared(account),
        spec=record.spec.model_dump(mode="json") if record else None,
        budget=budget_of(record, account.days, dates, prices) if record else None,
        daily_budget=daily_budget(
            record.spec.budget.daily_usd if record else None, account.days, dates.days
        ),
        timeline=tuple(_span(s) for s in segments),
    )


def _shared(account: _Account) -> str:
    """Whose machines it was on last in the period, else those that its file names."""
    if account.segments:
        return account.segments[-1].shared
    return (account.record.spec.instances.shared or "") if account.record else ""


def _span(used: UsageSegment) -> Span:
    fields = ("start", "end", "instances", "kind", "usd_per_hour", "price_origin")
    return Span(**{name: getattr(used, name) for name in fields}, share=float(used.share))


def _teams(
    accounts: Sequence[_Account],
    parts: Sequence[Part],
    billed: Sequence[UsageSegment],
    before: Earlier,
    start: datetime,
    until: datetime,
) -> tuple[TeamCosts, ...]:
    teams = []
    known = {a.team for a in accounts} | {p.team for p in parts} | {s.team for s in billed}
    for team in sorted(known):
        names = tuple(a.name for a in accounts if a.team == team)
        theirs = [part for part in parts if part.team == team]
        segments = [s for s in billed if s.team == team]
        figures = _figures(theirs, segments, start, until, before.of_team(team, names))
        teams.append(TeamCosts(**figures, team=team, endpoints=names))
    return tuple(teams)


def _slots(
    parts: Sequence[Part],
    billed: Sequence[UsageSegment],
    period: Period,
    until: datetime,
) -> tuple[SlotCosts, ...]:
    slots = []
    for slot in period.slots():
        end = min(slot.end, until)
        clipped = (clip(segment, slot.start, end) for segment in billed)
        within = [segment for segment in clipped if segment is not None]
        teams: dict[str, Decimal] = {}
        for segment in within:
            teams[segment.team] = teams.get(segment.team, Decimal(0)) + usd(segment)
        slots.append(
            SlotCosts(
                slot=slot,
                cost=by_kind(within),
                baseline_usd=_baseline(parts, slot.start, end),
                teams=dict(sorted(teams.items())),
            )
        )
    return tuple(slots)
