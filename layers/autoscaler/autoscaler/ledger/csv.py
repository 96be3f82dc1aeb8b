"""The report as a table for spreadsheets: a line for each endpoint and team, and one for all.

Dollars have six decimals; what is not known is an empty cell, never a zero.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from decimal import Decimal

from ..alerts.money import millionths
from .figures import CostReport, Costs

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render_csv(report: CostReport) -> str:
    """Returns the table with a header line."""
    period = {
        "basis": "estimated",
        "period_start": report.period.start.isoformat(),
        "period_end": report.until.isoformat(),
    }
    rows = [
        {
            **period,
            "endpoint": _text(e.name),
            "team": _text(e.team),
            "instance_type": e.instance_type,
            **_figures(e),
            "budget_monthly_usd": _plain(e.budget.monthly_usd) if e.budget else "",
            "budget_spent_usd": _plain(e.budget.spent_usd) if e.budget else "",
            "budget_forecast_usd": _plain(e.budget.forecast_usd) if e.budget else "",
            **_billed(report, e.name),
        }
        for e in report.endpoints
    ]
    rows += [
        {**period, "endpoint": "(team)", "team": _text(t.team), **_figures(t)} for t in report.teams
    ]
    whole = _both(report.bill.billed_usd, report.bill.estimated_usd) if report.bill else {}
    rows.append({**period, "endpoint": "(all)", **_figures(report.total), **whole})
    names = dict.fromkeys(name for row in rows for name in row)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _billed(report: CostReport, name: str) -> Mapping[str, str]:
    """AWS's bill of the endpoint, and the estimate of the same UTC days."""
    rows = report.bill.endpoints if report.bill else ()
    found = (_both(row.billed_usd, row.estimated_usd) for row in rows if row.name == name)
    return next(found, {})


def _both(billed: Decimal, estimated: Decimal) -> Mapping[str, str]:
    return {"reconciled_usd": _plain(billed), "reconciled_against_usd": _plain(estimated)}


def _figures(costs: Costs) -> Mapping[str, str]:
    return {
        "cost_usd": _plain(costs.cost.total),
        "provisioning_usd": _plain(costs.cost.provisioning),
        "serving_usd": _plain(costs.cost.serving),
        "kept_warm_usd": _plain(costs.cost.kept_warm),
        "idle_tail_usd": _plain(costs.cost.idle_tail),
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


def _plain(value: Decimal | float | None) -> str:
    if isinstance(value, Decimal):
        return f"{millionths(value):f}"
    return "" if value is None else str(value)


def _text(value: str) -> str:
    """Spreadsheets run what begins like a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value
