"""The report as one self-contained page: no script, no font, no request to anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ..alerts.wording import local_time, percent, share_of, spoken, usd
from . import sections
from .charts import KIND_TITLES, cost_chart, share_bar, timeline
from .controller import ControllerCost
from .figures import CostReport, Costs, EndpointCosts, Served, TeamCosts
from .style import CSS

_NONE = "–"
_SWATCHES = {title: kind.value for kind, title in KIND_TITLES.items()}


# The page needs its own styles and nothing else: should an escape ever be missed, nothing runs and
# nothing is loaded or sent.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_html(report: CostReport) -> str:
    """Returns the page. Everything that comes from outside is escaped."""
    title = f"Cost report – {report.period.title}"
    parts = [
        _header(report),
        _tiles(report),
        _section("Cost against always on", _against(report) + share_bar(report.total)),
        _section("Cost over time", cost_chart(report.slots)),
        sections.unusual(report.unusual),
        sections.advice(report.advice),
        _section("Endpoints", _endpoint_table(report)),
        *(_endpoint(endpoint, report) for endpoint in _dearest_first(report)),
        sections.budgets(report),
        _section("Teams", _team_table(report.teams)) if len(report.teams) > 1 else "",
        _controller(report.controller, report) if report.controller else "",
        sections.bill(report.bill),
        _section("How these figures were made", sections.listed(report.notes)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _header(report: CostReport) -> str:
    zone = report.period.time_zone
    written = local_time(report.written_at, zone)
    running = f"until {local_time(report.until, zone)}, still running · "
    state = running if report.until < report.period.end else ""
    return (
        f"<header><div><h1>LLM endpoints: cost report</h1>"
        f'<p class="sub">{escape(report.period.title)} · {escape(zone)}</p></div>'
        f'<p class="sub">{state}written {written} '
        f'<span class="badge">estimated</span>{_reconciled(report)}</p></header>'
    )


def _reconciled(report: CostReport) -> str:
    if report.bill is None:
        return ""
    return f' <span class="badge">reconciled: {usd(report.bill.billed_usd)} billed</span>'


def _tiles(report: CostReport) -> str:
    total = report.total
    saved = share_of(total.savings_usd, total.baseline_usd)
    of_it = [f"{saved} of always on"] if saved else []
    if report.net_savings_usd is not None:
        of_it.append(f"{usd(report.net_savings_usd)} net of the controller")
    at_least = "at least, a price is unknown" if total.unpriced else _kinds(total)
    tiles = (
        ("Cost", usd(total.cost.total), at_least, ""),
        ("Always on", usd(total.baseline_usd), _fleet(report), ""),
        ("Saved", usd(total.savings_usd), ", ".join(of_it), _mood(total)),
        ("Requests", f"{total.served.requests:,}", _wakes(total), ""),
    )
    return '<div class="tiles">{}</div>'.format(
        "".join(
            f'<div><span>{title}</span><strong class="{mood}">{value}</strong>'
            f"<span>{escape(under)}</span></div>"
            for title, value, under, mood in tiles
        )
    )


def _dearest_first(report: CostReport) -> list[EndpointCosts]:
    return sorted(report.endpoints, key=lambda e: (-e.cost.total, e.name))


def _fleet(report: CostReport) -> str:
    """What is compared with."""
    shared = " (or its part of a shared one)" if report.sharing else ""
    return f"one instance per endpoint{shared}"


def _against(report: CostReport) -> str:
    costs = report.total
    saved = costs.savings_usd
    if saved is None or not costs.baseline_usd:
        bound = "At least " if costs.unpriced else ""
        return f'<p class="cap">{bound}{usd(costs.cost.total)} spent.</p>'
    kept = f"{usd(saved)} saved" if saved >= 0 else f"{usd(-saved)} more than always on"
    return (
        f'<p class="cap">{usd(costs.cost.total)} spent of {usd(costs.baseline_usd)} that '
        f"{_fleet(report)} costs when it is always on: {kept}.</p>"
    )


def _kinds(costs: Costs) -> str:
    whole = costs.cost.total
    return f"{share_of(costs.cost.serving, whole)} of it serving" if whole else "nothing ran"


def _wakes(costs: Costs) -> str:
    wakes = costs.wakes
    times = "1 wake" if wakes.count == 1 else f"{wakes.count:,} wakes"
    lead = wakes.lead_p50_seconds
    few = f" of {wakes.measured:,}" if wakes.measured < wakes.count else ""
    return times if lead is None else f"{times}, {spoken(lead)} median lead time{few}"


def _mood(costs: Costs) -> str:
    if not costs.savings_usd:
        return ""
    return "good" if costs.savings_usd > 0 else "bad"


_COLUMNS = (
    "Cost", "Always on", "Saved", "Awake", "Wakes", "Requests", "Per 1,000 requests",
    "Per 1 M tokens",
)  # fmt: skip


def _cells(costs: Costs) -> list[str]:
    partial = "<small>at least</small>" if costs.unpriced else ""
    share = share_of(costs.savings_usd, costs.baseline_usd)
    saved = f'<span class="{_mood(costs)}">{usd(costs.savings_usd)}</span>'
    return [
        usd(costs.cost.total) + partial,
        usd(costs.baseline_usd),
        saved + (f"<small>{share}</small>" if share else ""),
        f"{costs.awake_hours:,.1f} h",
        f"{costs.wakes.count:,}",
        f"{costs.served.requests:,}",
        usd(costs.usd_per_1000_requests) if costs.served.requests else _NONE,
        usd(costs.usd_per_million_tokens) if costs.served.requests else _NONE,
    ]


def _row(title: str, under: str, costs: Costs) -> str:
    small = f"<small>{escape(under)}</small>" if under else ""
    cells = "".join(
        f'<td data-label="{label}"><span>{cell}</span></td>'
        for label, cell in zip(_COLUMNS, _cells(costs), strict=True)
    )
    return f"<tr><td>{escape(title)}{small}</td>{cells}</tr>"


def _table(first: str, rows: Iterable[str], foot: str = "") -> str:
    heads = "".join(f"<th>{column}</th>" for column in (first, *_COLUMNS))
    footer = f"<tfoot>{foot}</tfoot>" if foot else ""
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>{footer}</table>"


def _endpoint_table(report: CostReport) -> str:
    if not report.endpoints:
        return '<p class="empty">There was no endpoint in this period.</p>'
    rows = [_row(e.name, f"{e.team} · {e.instance_type}", e) for e in _dearest_first(report)]
    foot = _row("All", "", report.total) if len(rows) > 1 else ""
    return _table("Endpoint", rows, foot)


def _team_table(teams: Iterable[TeamCosts]) -> str:
    rows = [_row(t.team, f"{', '.join(t.endpoints)}: {_split(t)}", t) for t in teams]
    return _table("Team", rows)


def _split(costs: Costs) -> str:
    """The cost by kind, in words."""
    kinds = [(title, getattr(costs.cost, kind.value)) for kind, title in KIND_TITLES.items()]
    return ", ".join(f"{title.lower()} {usd(money)}" for title, money in kinds if money)


def _endpoint(endpoint: EndpointCosts, report: CostReport) -> str:
    start, end = report.period.start, report.period.end
    labels = [slot.slot.label for slot in report.slots]
    if endpoint.timeline and start < end:
        caption = f"Instances, its part of {endpoint.shared}" if endpoint.shared else "Instances"
        drawing = f'<p class="cap">{escape(caption)}</p>' + timeline(endpoint, start, end, labels)
    else:
        drawing = '<p class="empty">No instance ran in this period.</p>'
    what = endpoint.model or "retired since"
    facts = "".join(
        f'<div><dt class="{_SWATCHES.get(name, "")}">{name}</dt><dd>{escape(value)}</dd></div>'
        for name, value in _facts(endpoint)
    )
    return (
        f'<section><div class="head"><h3>{escape(endpoint.name)}</h3><p>{escape(what)} · '
        f"{escape(endpoint.instance_type)}</p></div>{drawing}<dl>{facts}</dl></section>"
    )


def _facts(endpoint: EndpointCosts) -> list[tuple[str, str]]:
    cost, wakes, served = endpoint.cost, endpoint.wakes, endpoint.served
    facts = [
        ("Serving", usd(cost.serving)),
        ("Kept warm", usd(cost.kept_warm)),
        ("Idle tail", usd(cost.idle_tail)),
        ("Provisioning", usd(cost.provisioning)),
        ("Instance-hours", f"{endpoint.instance_hours:,.2f}"),
        ("Of them serving", sections.utilisation(endpoint)),
        ("The period before", sections.against_before(endpoint)),
        ("Lead time, median", sections.lead_time(wakes, wakes.lead_p50_seconds)),
        ("Lead time, 90th percentile", sections.lead_time(wakes, wakes.lead_p90_seconds)),
        ("Causes of wakes", sections.causes(wakes)),
        ("Woken for", sections.askers(wakes)),
        ("Mean wait of a request", _seconds(served.mean_wait_seconds)),
        ("Waits: half / 95 % / all", sections.waits(served)),
        ("Tokens in / out", f"{served.input_tokens:,} / {served.output_tokens:,}"),
        ("Requests refused", f"{served.refused:,}"),
        ("Answered by a kept answer", _kept(served)),
    ]
    for item in endpoint.unpriced:
        facts.append(("Price unknown", f"{item.instance_type}, {item.instance_hours:.2f} h"))
    if endpoint.budget:
        facts.append((f"Budget {endpoint.budget.month}", sections.budget(endpoint.budget)))
    if daily := endpoint.daily_budget:
        facts.append((f"Budget of {daily.day}", sections.daily_budget(daily)))
    if gap := endpoint.gaps.instance_seconds:
        unseen = f"{spoken(gap)} of an instance, {usd(endpoint.gaps.usd)}"
        facts.append(("Closed over gaps", unseen))
    return facts


def _kept(served: Served) -> str:
    share = served.kept_share
    return _NONE if share is None else f"{served.kept:,}, {percent(share)} of all"


def _seconds(value: float | None) -> str:
    return _NONE if value is None else spoken(value)


def _controller(cost: ControllerCost, report: CostReport) -> str:
    lines = "".join(
        f"<div><dt>{escape(line.item)}</dt><dd>{usd(line.usd)}"
        f"{f' <small>{line.known}</small>' if line.known else ''}</dd></div>"
        for line in cost.lines
    )
    bound = " at least" if cost.unknown else ""
    part = f", {usd(cost.estimated_usd)} of it estimated" if cost.estimated_usd else ""
    net, most = report.net_savings_usd, report.net_savings_at_most_usd
    left = "" if net is None else f" Savings net of it: {usd(net)}."
    if net is None and most is not None:
        left = f" Savings net of it: {usd(most)} at most."
    body = f"<p>{usd(cost.total_usd)}{bound} in this period{part}.{left}</p><dl>{lines}</dl>"
    return _section("The controller itself", body)
