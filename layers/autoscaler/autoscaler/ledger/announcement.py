"""What a report says of itself as an event: small enough for EventBridge and SQS. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from ..alerts.events.costs import (
    ReportBudget,
    ReportDay,
    ReportLine,
    ReportTeam,
    ReportWritten,
)
from .bill import Reconciliation
from .budget_use import BudgetUse, DailyBudget
from .figures import CostReport, EndpointCosts

# Lines of some 200 bytes; an event has 256 KB at most, with up to 31 bars by team.
_DEAREST, _MOVED = 150, 30
_SHORT, _BUDGETS = 0.8, 20


def announcement(report: CostReport, uri: str) -> ReportWritten:
    """Of more than some 150 endpoints the dearest, and those that moved most, have lines."""
    total = report.total
    lines, others = _told(report.endpoints)
    return ReportWritten(
        at=report.written_at,
        uri=uri,
        period=report.period.title,
        cost_usd=total.cost.total,
        baseline_usd=total.baseline_usd,
        saved_usd=total.savings_usd,
        lines=lines,
        others=len(others),
        others_usd=sum((e.cost.total for e in others), Decimal(0)),
        others_at_least=any(e.unpriced for e in others),
        kind=report.period.kind.value,
        first_day=report.period.first_day,
        running=report.until < report.period.end,
        basis=report.basis,
        **_billed(report.bill),
        before_usd=total.before_usd,
        net_saved_usd=report.net_savings_usd,
        net_saved_at_most_usd=report.net_savings_at_most_usd,
        controller_usd=report.controller.total_usd if report.controller else None,
        teams=tuple(
            ReportTeam(
                team=t.team,
                cost_usd=t.cost.total,
                saved_usd=t.savings_usd,
                before_usd=t.before_usd,
                requests=t.served.requests,
                at_least=bool(t.unpriced),
            )
            for t in report.teams
        ),
        budgets=tuple(_budgets(report)),
        days=tuple(
            ReportDay(label=s.slot.label, cost_usd=s.cost.total, teams=s.teams)
            for s in report.slots
        ),
        unusual=tuple(one.sentence for one in report.unusual),
        advice=tuple(one.sentence for one in report.advice),
        gap_usd=total.gaps.usd,
        unpriced_hours=sum(one.instance_hours for one in total.unpriced),
        unpriced_types=tuple(one.instance_type for one in total.unpriced)[:_BUDGETS],
    )


def _billed(bill: Reconciliation | None) -> dict[str, Any]:
    if bill is None:
        return {}
    return {
        "billed_usd": bill.billed_usd,
        "billed_first": bill.first,
        "billed_last": bill.last,
        "billed_against_usd": bill.estimated_usd,
    }


def _budgets(report: CostReport) -> Iterator[ReportBudget]:
    """The stack's, and of the endpoints' those that run short, the shortest first."""
    for own in (report.stack_budget, report.stack_daily_budget):
        if own is not None:
            yield _budget("", own)
    uses = [(e.name, use) for e in report.endpoints for use in (e.budget, e.daily_budget)]
    short = [_budget(name, use) for name, use in uses if use is not None and _runs_short(use)]
    yield from sorted(short, key=lambda one: (-one.share, one.endpoint, one.per))[:_BUDGETS]


def _runs_short(use: BudgetUse | DailyBudget) -> bool:
    """Much of it is spent, or more than all of it will be or was on some day."""
    if isinstance(use, DailyBudget):
        return use.share >= _SHORT or use.days_over > 0
    return use.share >= _SHORT or (use.forecast_usd or 0) > use.monthly_usd


def _budget(endpoint: str, use: BudgetUse | DailyBudget) -> ReportBudget:
    if isinstance(use, DailyBudget):
        return ReportBudget(
            endpoint=endpoint,
            per="day",
            of=use.day.isoformat(),
            limit_usd=use.daily_usd,
            spent_usd=use.spent_usd,
            days=use.days,
            days_over=use.days_over,
        )
    return ReportBudget(
        endpoint=endpoint,
        of=use.month,
        limit_usd=use.monthly_usd,
        spent_usd=use.spent_usd,
        forecast_usd=use.forecast_usd,
    )


def _told(
    endpoints: Sequence[EndpointCosts],
) -> tuple[tuple[ReportLine, ...], list[EndpointCosts]]:
    """The lines of those that an event has room for, in their order, and the others."""
    by_cost = sorted(endpoints, key=lambda e: (-e.cost.total, e.name))[:_DEAREST]
    moved = sorted(filter(_moved, endpoints), key=lambda e: (-abs(_moved(e)), e.name))[:_MOVED]
    chosen = {e.name for e in (*by_cost, *moved)}
    lines = tuple(
        ReportLine(
            endpoint=e.name,
            team=e.team,
            cost_usd=e.cost.total,
            saved_usd=e.savings_usd,
            before_usd=e.before_usd,
            wakes=e.wakes.count,
            requests=e.served.requests,
            at_least=bool(e.unpriced),
        )
        for e in endpoints
        if e.name in chosen
    )
    return lines, [e for e in endpoints if e.name not in chosen]


def _moved(endpoint: EndpointCosts) -> Decimal:
    """Nothing where a price is unknown: what it lacks would be told as saved."""
    before = endpoint.before_usd
    return Decimal(0) if before is None or endpoint.unpriced else endpoint.cost.total - before
