"""Parts of the page beside the figures of endpoints: the unusual, advice, and AWS's bill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape

from ..alerts.wording import percent, share_of, spoken, usd
from .bill import BilledEndpoint, Reconciliation
from .budget_use import BudgetUse, DailyBudget
from .figures import Advice, CostReport, Costs, Served, Unusual, Wakes

NONE = "–"
_MOST_ASKERS = 5  # by name


def listed(sentences: Iterable[str]) -> str:
    """A list of sentences, as under the figures."""
    items = "".join(f"<li>{escape(s).replace(' %', '&nbsp;%')}</li>" for s in sentences)
    return f'<ul class="notes">{items}</ul>'


def unusual(found: Sequence[Unusual]) -> str:
    """Nothing, if nothing was."""
    if not found:
        return ""
    body = listed(one.sentence for one in found)
    return f"<section><h2>Unlike other weeks</h2>{body}</section>"


def advice(found: Sequence[Advice]) -> str:
    """The changes of a spec that would have saved most."""
    if not found:
        return ""
    body = listed(one.sentence for one in found)
    return f"<section><h2>What would save most</h2>{body}</section>"


def bill(found: Reconciliation | None) -> str:
    """Reconciled figures beside the estimates of the same days."""
    if found is None:
        return ""
    days = f"{found.first} to {found.last}, whole UTC days; read {found.read_at:%Y-%m-%d}"
    state = "" if found.final else " · AWS may still change it"
    heads = ("Endpoint", "Estimated", "Reconciled", "Difference", "Hours estimated / billed")
    top = "".join(f"<th>{head}</th>" for head in heads)
    rows = "".join(_billed(row, heads) for row in found.endpoints)
    both = (usd(found.estimated_usd), usd(found.billed_usd))
    total = _cells(("All", *both, _apart(found.billed_usd, found.estimated_usd), ""), heads)
    return (
        f'<section><h2>What AWS billed <span class="badge">reconciled</span></h2>'
        f'<p class="cap">{escape(days)}{state}</p><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{rows}</tbody><tfoot>{total}</tfoot></table>{listed(found.why)}</section>"
    )


def _billed(row: BilledEndpoint, heads: Sequence[str]) -> str:
    hours = f"{row.estimated_hours:,.2f} / {row.billed_hours:,.2f}"
    both = (usd(row.estimated_usd), usd(row.billed_usd))
    return _cells((row.name, *both, _apart(row.billed_usd, row.estimated_usd), hours), heads)


def _apart(billed: Decimal, estimated: Decimal) -> str:
    share = share_of(billed - estimated, estimated)
    return usd(billed - estimated) + (f" ({share})" if share else "")


def _cells(values: Sequence[str], heads: Sequence[str]) -> str:
    first, *others = values
    cells = "".join(
        f'<td data-label="{head}"><span>{escape(value)}</span></td>'
        for head, value in zip(heads[1:], others, strict=True)
    )
    return f"<tr><td>{escape(first)}</td>{cells}</tr>"


def waits(served: Served) -> str:
    """`30 s, 2 min, 5 min`: the edges of the bins that they lie in."""
    if not served.waits:
        return NONE
    found = (served.wait_p50_seconds, served.wait_p95_seconds, served.wait_most_seconds)
    return " / ".join(f"{'≤ ' + spoken(one) if one is not None else '> 1 d'}" for one in found)


def lead_time(wakes: Wakes, seconds: float | None) -> str:
    """`4 min`, and of how many wakes it is if not of all: `4 min (20 of 70 wakes)`."""
    if seconds is None:
        return NONE
    few = f" ({wakes.measured:,} of {wakes.count:,} wakes)" if wakes.measured < wakes.count else ""
    return spoken(seconds) + few


def causes(wakes: Wakes) -> str:
    """`message 50, window 18, not known 2`: as many as there were wakes."""
    unknown = wakes.count - wakes.caused
    parts = [f"{cause} {count:,}" for cause, count in wakes.causes.items()]
    parts += [f"not known {unknown:,}"] if unknown else []
    return ", ".join(parts) or NONE


def askers(wakes: Wakes) -> str:
    """`search 40, ana 2, 3 others 5`: the wakes of whose tenant or person anything is known."""
    shown = list(wakes.asked_by.items())[:_MOST_ASKERS]
    parts = [f"{name} {count:,}" for name, count in shown]
    if others := list(wakes.asked_by.values())[_MOST_ASKERS:]:
        parts.append(f"{len(others):,} others {sum(others):,}")
    return ", ".join(parts) or NONE


def utilisation(costs: Costs) -> str:
    """The share of instance-hours that served."""
    return NONE if costs.utilisation is None else percent(costs.utilisation)


def against_before(costs: Costs) -> str:
    """The cost against the period before."""
    if costs.before_usd is None:
        return NONE
    if costs.unpriced:
        return f"{usd(costs.before_usd)}; the difference is not known"
    moved = costs.cost.total - costs.before_usd
    share = share_of(moved, costs.before_usd)
    sign = "+" if moved > 0 else ""
    told = f" ({sign}{share})" if share else ""
    return f"{usd(costs.before_usd)}, {sign}{usd(moved)}{told}"


def budgets(report: CostReport) -> str:
    """The stack's own and those of the endpoints, by the month and by the day; nothing without."""
    owners = [("The stack", report.stack_budget, report.stack_daily_budget)]
    owners += [(e.name, e.budget, e.daily_budget) for e in report.endpoints]
    heads = ("Budget", "Spent", "Of", "Share", "Forecast", "Days over it")
    rows = "".join(
        _cells((f"{who}, {_each(use)}", *_limit(use)), heads)
        for who, *both in owners
        for use in both
        if use is not None
    )
    if not rows:
        return ""
    top = "".join(f"<th>{head}</th>" for head in heads)
    return (
        "<section><h2>Budgets</h2>"
        '<p class="cap">Months and days are UTC\'s: the last day of the report, and the month that '
        f"it lies in.</p><table><thead><tr>{top}</tr></thead>"
        f"<tbody>{rows}</tbody></table></section>"
    )


def _each(use: BudgetUse | DailyBudget) -> str:
    return "day" if isinstance(use, DailyBudget) else "month"


def _limit(use: BudgetUse | DailyBudget) -> tuple[str, ...]:
    if isinstance(use, DailyBudget):
        limit, over = f"{usd(use.daily_usd)} a day", f"{use.days_over} of {use.days}"
        return (usd(use.spent_usd), limit, percent(use.share), NONE, over)
    limit, forecast = f"{usd(use.monthly_usd)} in {use.month}", NONE
    if use.forecast_usd is not None:
        over = ", over it" if use.forecast_usd > use.monthly_usd else ""
        forecast = usd(use.forecast_usd) + over
    return (usd(use.spent_usd), limit, percent(use.share), forecast, NONE)


def daily_budget(use: DailyBudget) -> str:
    """What is spent of the day's, and on how many days it was more."""
    over = f"; over it on {use.days_over} of {use.days} days" if use.days_over else ""
    return f"{usd(use.spent_usd)}, {percent(use.share)} of {usd(use.daily_usd)}{over}"


def budget(use: BudgetUse) -> str:
    """What is spent, and what it comes to."""
    text = f"{usd(use.spent_usd)}, {percent(use.share)} of {usd(use.monthly_usd)}"
    if use.forecast_usd is None:
        return text
    over = " – over it" if use.forecast_usd > use.monthly_usd else ""
    return f"{text}; forecast {usd(use.forecast_usd)}{over}"
