"""The report as one table for spreadsheets. `row_kind` says what a row is: of an endpoint, a team,
all, a line of the controller's own cost, an advice, a slot (a day of a week or month, an hour of a
day), or a team's part of one.

Dollars have six decimals; what is not known is an empty cell, never a zero.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from decimal import Decimal

from ..alerts.money import millionths
from .budget_use import BudgetUse, DailyBudget
from .figures import CostReport, Costs, KindCosts, SlotCosts

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = Mapping[str, str]


def render_csv(report: CostReport) -> str:
    """Returns the table with a header line."""
    period = {
        "period_start": report.period.start.isoformat(),
        "period_end": report.until.isoformat(),
    }
    rows = [{"basis": "estimated", **period, **row} for row in _rows(report)]
    names = dict.fromkeys(["row_kind", *(name for row in rows for name in row)])
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _rows(report: CostReport) -> Iterator[Row]:
    for e in report.endpoints:
        yield {
            "row_kind": "endpoint",
            "endpoint": _text(e.name),
            "team": _text(e.team),
            "instance_type": e.instance_type,
            **_figures(e),
            **_budgets(e.budget, e.daily_budget),
            **_billed(report, e.name),
        }
    for t in report.teams:
        yield {"row_kind": "team", "endpoint": "(team)", "team": _text(t.team), **_figures(t)}
    whole = _both(report.bill.billed_usd, report.bill.estimated_usd) if report.bill else {}
    yield {
        "row_kind": "all",
        "endpoint": "(all)",
        **_figures(report.total),
        **_budgets(report.stack_budget, report.stack_daily_budget),
        **_net(report),
        **whole,
    }
    yield from _controller(report)
    yield from _advice(report)
    for slot in report.slots:
        yield from _slot(slot)


def _budgets(month: BudgetUse | None, day: DailyBudget | None) -> Row:
    """Columns of the endpoint's, on the row of all of the stack's."""
    return {
        "budget_monthly_usd": _plain(month.monthly_usd) if month else "",
        "budget_spent_usd": _plain(month.spent_usd) if month else "",
        "budget_forecast_usd": _plain(month.forecast_usd) if month else "",
        "budget_share": _plain(month.share) if month else "",
        "budget_daily_usd": _plain(day.daily_usd) if day else "",
        "budget_day": day.day.isoformat() if day else "",
        "budget_day_spent_usd": _plain(day.spent_usd) if day else "",
        "budget_day_share": _plain(day.share) if day else "",
        "budget_days_over": str(day.days_over) if day else "",
    }


def _net(report: CostReport) -> Row:
    """With anything unknown of the controller's own cost, net savings are a bound."""
    return {
        "controller_usd": _plain(report.controller.total_usd if report.controller else None),
        "net_savings_usd": _plain(report.net_savings_usd),
        "net_savings_at_most_usd": _plain(report.net_savings_at_most_usd),
    }


def _controller(report: CostReport) -> Iterator[Row]:
    for line in report.controller.lines if report.controller else ():
        yield {
            "row_kind": "controller",
            "endpoint": "(controller)",
            "item": line.item,
            "count": _plain(line.count),
            "known": line.known or "",
            "cost_usd": _plain(line.usd),
        }


def _advice(report: CostReport) -> Iterator[Row]:
    for one in report.advice:
        yield {
            "row_kind": "advice",
            "endpoint": _text(one.endpoint),
            "item": _text(one.change),
            "would_save_usd": _plain(one.saved_usd),
            "would_cost_waiting_usd": _plain(one.waiting_usd),
            "of_days": str(one.days),
        }


def _slot(slot: SlotCosts) -> Iterator[Row]:
    """One bar of the page's chart, and what of it is each team's."""
    span = {
        "period_start": slot.slot.start.isoformat(),
        "period_end": slot.slot.end.isoformat(),
        "item": slot.slot.label,
    }
    yield {
        **span,
        "row_kind": "slot",
        "endpoint": "(slot)",
        **_kinds(slot.cost),
        "baseline_usd": _plain(slot.baseline_usd),
    }
    for team, money in slot.teams.items():
        row = {"row_kind": "team_slot", "endpoint": "(team slot)", "team": _text(team)}
        yield {**span, **row, "cost_usd": _plain(money)}


def _billed(report: CostReport, name: str) -> Row:
    """AWS's bill of the endpoint, and the estimate of the same UTC days."""
    rows = report.bill.endpoints if report.bill else ()
    found = (_both(row.billed_usd, row.estimated_usd) for row in rows if row.name == name)
    return next(found, {})


def _both(billed: Decimal, estimated: Decimal) -> Row:
    return {"reconciled_usd": _plain(billed), "reconciled_against_usd": _plain(estimated)}


def _figures(costs: Costs) -> Row:
    return {
        **_kinds(costs.cost),
        "unpriced_instance_hours": str(sum(item.instance_hours for item in costs.unpriced)),
        "baseline_usd": _plain(costs.baseline_usd),
        "savings_usd": _plain(costs.savings_usd),
        "awake_hours": str(costs.awake_hours),
        "instance_hours": str(costs.instance_hours),
        "serving_hours": str(costs.serving_hours),
        "utilisation": _plain(costs.utilisation),
        "before_usd": _plain(costs.before_usd),
        "gap_instance_seconds": str(costs.gaps.instance_seconds),
        "gap_usd": _plain(costs.gaps.usd),
        "wakes": str(costs.wakes.count),
        "wakes_measured": str(costs.wakes.measured),
        "wake_causes": " ".join(f"{why}={n}" for why, n in costs.wakes.causes.items()),
        "lead_p50_seconds": _plain(costs.wakes.lead_p50_seconds),
        "lead_p90_seconds": _plain(costs.wakes.lead_p90_seconds),
        "requests": str(costs.served.requests),
        "refused": str(costs.served.refused),
        "input_tokens": str(costs.served.input_tokens),
        "output_tokens": str(costs.served.output_tokens),
        "mean_wait_seconds": _plain(costs.served.mean_wait_seconds),
        "wait_p50_seconds": _plain(costs.served.wait_p50_seconds),
        "wait_p95_seconds": _plain(costs.served.wait_p95_seconds),
        "wait_most_seconds": _plain(costs.served.wait_most_seconds),
        "kept_answers": str(costs.served.kept),
        "kept_share": _plain(costs.served.kept_share),
        "usd_per_1000_requests": _plain(costs.usd_per_1000_requests),
        "usd_per_million_tokens": _plain(costs.usd_per_million_tokens),
    }


def _kinds(cost: KindCosts) -> Row:
    return {
        "cost_usd": _plain(cost.total),
        "provisioning_usd": _plain(cost.provisioning),
        "serving_usd": _plain(cost.serving),
        "kept_warm_usd": _plain(cost.kept_warm),
        "idle_tail_usd": _plain(cost.idle_tail),
    }


def _plain(value: Decimal | float | None) -> str:
    if isinstance(value, Decimal):
        return f"{millionths(value):f}"
    return "" if value is None else str(value)


def _text(value: str) -> str:
    """Spreadsheets run what begins like a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value
