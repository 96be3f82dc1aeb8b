"""How the figures of a report were made, in sentences that stand under it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ..alerts.wording import usd
from ..endpoints.status import HISTORY_DAYS, utc_hour
from .figures import CostReport
from .periods import Period

ADVICE = "`autoscaler report --advice` "


def notes(report: CostReport) -> tuple[str, ...]:
    """The sentences that apply to this report."""
    return tuple(_sentences(report))


def _cuts_an_hour(period: Period) -> bool:
    return any(edge != utc_hour(edge) for edge in (period.start, period.end))


def _of_shared(report: CostReport) -> Iterator[str]:
    for machines, names in report.sharing.items():
        who = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        yield (
            f"The machines {machines} are shared; on them in this report: {who}. Each instance-"
            "second is split by how much of an instance the copies of each take, asked for or "
            "there, so that the parts add up to the instances that existed."
        )
    if report.sharing:
        yield (
            "The baseline of an endpoint that shares machines is the part of one instance that "
            "one copy takes. Alone it would need a whole one, so its savings are a low estimate. "
            "Its budget counts the part that was known at each time."
        )


def _of_what_is_known(report: CostReport) -> Iterator[str]:
    total = report.total
    if total.gaps.instance_seconds:
        yield (
            f"{total.gaps.instance_seconds:,.0f} instance-seconds ({usd(total.gaps.usd)}) lie "
            "between two looks more than two and a half minutes apart, between which something had "
            "changed: ticks were lost, or come seldom, or it slept. They are closed at SageMaker's "
            "own time of the change, or at the later look."
        )
    if sum(total.served.waits.values()) < total.served.requests:
        yield (
            "Waits by share are known of "
            f"{sum(total.served.waits.values()):,} of {total.served.requests:,} requests: before "
            "an update of the stack only their sum was counted."
        )
    if not report.advice and report.endpoints:
        yield (
            f"{ADVICE}replays each endpoint's own requests with changed specs, and says which "
            "three changes would have saved most."
        )


def _of_wakes(report: CostReport) -> Iterator[str]:
    wakes, kept_from = report.total.wakes, report.written_at - timedelta(days=HISTORY_DAYS)
    if wakes.measured < wakes.count:
        yield (
            f"Lead times are of {wakes.measured:,} of {wakes.count:,} wakes: the others "
            "failed, were turned round, still run, or are of before an update of the stack."
        )
    if wakes.caused < wakes.count:
        yield (
            f"Causes are known of {wakes.caused:,} of {wakes.count:,} wakes: before an "
            "update of the stack only those of an endpoint's last 20 were kept."
        )
    if report.endpoints and report.period.start < kept_from:
        yield (
            f"History is kept for {HISTORY_DAYS} days: of wakes before "
            f"{kept_from:%Y-%m-%d} few or none are counted, and their number is a lower bound."
        )


def _sentences(report: CostReport) -> Iterator[str]:
    total = report.total
    beside = (
        "They are not reconciled with the bill."
        if report.bill is None
        else ("What AWS billed is beside them, and called reconciled.")
    )
    yield (
        "All figures are estimated: instance-seconds that the controller saw, from the moment an "
        f"instance was asked for until it was seen gone, at list price. {beside}"
    )
    yield (
        "Always-on baseline: one instance of each endpoint's first type, running from the "
        "period's start or the endpoint's first instance. Peaks that need more are left out, so "
        "it is a low estimate."
    )
    yield from _of_shared(report)
    if total.cost.kept_warm:
        yield (
            "Kept warm: awake for five minutes or longer without a request, because a window, a "
            "hold or min_copies asks for it. Idle tail: awake without work until it was asleep."
        )
    yield from _of_what_is_known(report)
    for item in total.unpriced:
        yield (
            f"The price of {item.instance_type} is unknown: its {item.instance_hours:.2f} "
            "instance-hours are in no dollar figure, and costs with them are lower bounds."
        )
    if total.savings_usd is not None and total.savings_usd < 0:
        yield "Savings are negative: this cost more than one instance that is always on."
    if _cuts_an_hour(report.period):
        yield (
            "Requests and tokens are counted by UTC hour. The period begins or ends within one; "
            "such an hour belongs to the period that holds its middle (to an open-ended report if "
            "it touches it). Dollars are cut exactly."
        )
    yield from _of_wakes(report)
    if report.controller is None:
        yield "The controller's own usage was not counted: savings are before its cost."
    elif report.controller.unknown:
        missing = ", ".join(report.controller.unknown)
        yield f"The controller's own cost is a lower bound; not known: {missing}."
    if report.controller and report.controller.estimated_usd:
        yield (
            "Of the controller's own cost, what AWS counts for this stack is called counted; what "
            "is worked out from what ran is called estimated."
        )
