"""What a report says of itself as an event: small enough for EventBridge and SQS. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..alerts.events.costs import ReportDay, ReportLine, ReportTeam, ReportWritten
from .figures import CostReport, EndpointCosts

# Lines of some 200 bytes; an event has 256 KB at most, with up to 31 bars by team.
_DEAREST, _MOVED = 150, 30


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
        kind=report.period.kind.value,
        first_day=report.period.first_day,
        running=report.until < report.period.end,
        basis=report.basis,
        billed_usd=report.bill.billed_usd if report.bill else None,
        billed_first=report.bill.first if report.bill else None,
        billed_last=report.bill.last if report.bill else None,
        billed_against_usd=report.bill.estimated_usd if report.bill else None,
        before_usd=total.before_usd,
        net_saved_at_most_usd=report.net_savings_at_most_usd,
        teams=tuple(
            ReportTeam(
                team=t.team,
                cost_usd=t.cost.total,
                saved_usd=t.savings_usd,
                before_usd=t.before_usd,
                requests=t.served.requests,
            )
            for t in report.teams
        ),
        days=tuple(
            ReportDay(label=s.slot.label, cost_usd=s.cost.total, teams=s.teams)
            for s in report.slots
        ),
        unusual=tuple(one.sentence for one in report.unusual),
        gap_usd=total.gaps.usd,
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
        )
        for e in endpoints
        if e.name in chosen
    )
    return lines, [e for e in endpoints if e.name not in chosen]


def _moved(endpoint: EndpointCosts) -> Decimal:
    before = endpoint.before_usd
    return Decimal(0) if before is None else endpoint.cost.total - before
