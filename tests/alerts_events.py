"""One of each event, for the tests of sentences, Slack and the bus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from autoscaler.alerts.events import (
    budgets,
    capacity,
    costs,
    life,
    observing,
    overrides,
    requests,
    rounds,
)
from autoscaler.alerts.events.base import Event
from autoscaler.endpoints.status import Cause, UpdateWay
from autoscaler.endpoints.withheld import Would
from autoscaler.policy.types import Bounds, OverrideKind, Phase, ReasonCode

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(minutes=4)
WHO: dict[str, Any] = {"endpoint": "llama", "generation": 7, "at": AT}

ONE_OF_EACH: tuple[Event, ...] = (
    life.EndpointCreated(**WHO, seconds=250),
    life.WakeRequested(**WHO, cause=Cause.MESSAGE, copies=1, expected_seconds=300),
    life.EndpointAwoke(**WHO, cause=Cause.MESSAGE, copies=2, lead_seconds=272, backlog=12),
    life.EndpointSlept(
        **WHO,
        awake_seconds=2100,
        reason=Cause.IDLE,
        cost_usd=Decimal("1.52"),
    ),
    capacity.CopiesChanged(**WHO, before=1, after=2, reasons=("40 requests wait.",)),
    capacity.BoundsChanged(**WHO, before=Bounds(0, 2), after=Bounds(1, 2), window="peak"),
    capacity.CapacityMissing(
        **WHO, instance_types=("ml.g6e.xlarge",), attempt=2, retry_at=LATER, failure="No capacity."
    ),
    life.EndpointFailed(
        **WHO, failed_in=Phase.CREATING, failure="The container died.", execution="llama-7"
    ),
    life.EndpointRetired(**WHO),
    life.SleepStuck(**WHO, instances=2, since_seconds=1440),
    requests.RequestAnswered(
        **WHO, request_id="r1", result_uri="s3://b/results/r1", waited_seconds=3
    ),
    requests.RequestWaited(**WHO, waited_seconds=12),
    requests.RequestRefused(**WHO, request_id="r2", reason="the message is not JSON"),
    capacity.SignalMissing(**WHO, signal="ConcurrentRequestsPerCopy"),
    capacity.WakeDelayed(
        **WHO, reason=ReasonCode.WAKES_SPENT, waiting=12, until=LATER, wakes_today=96
    ),
    costs.BudgetReached(**WHO, spent_usd=Decimal(80), monthly_usd=Decimal(100), share=0.8),
    budgets.ForecastExceeded(
        **WHO, forecast_usd=Decimal(130), monthly_usd=Decimal(100), spent_usd=Decimal(60)
    ),
    budgets.ForecastRecovered(
        **WHO, forecast_usd=Decimal(90), monthly_usd=Decimal(100), spent_usd=Decimal(60)
    ),
    budgets.WakePutDown(
        **WHO,
        why="$20.88 of $20.00 would be spent today if all instances that were asked for had come: "
        "it goes to zero, or stays there, and only what comes counts.",
    ),
    budgets.StopSet(endpoint="", at=AT, author="Ann", reason="a leaked key"),
    budgets.StopEnded(
        endpoint="", at=AT, author="Ann", since_seconds=1800, still_stopped=("llama",)
    ),
    budgets.RunawayStopped(
        **WHO, saw="It was started 13 times within an hour, and 12 times is the most."
    ),
    observing.ObservingBegan(endpoint="", at=AT),
    observing.ObservingEnded(
        endpoint="", at=AT, since_seconds=187_200, would_have_saved_usd=Decimal("61.4")
    ),
    observing.ChangeWithheld(
        **WHO,
        would=Would.SLEEP,
        before=1,
        after=0,
        saves_usd_per_hour=Decimal("1.861"),
        reasons=("No request for 12m.",),
    ),
    life.HoldSet(**WHO, min_copies=1, until=LATER, author="Ann", reason="a demo"),
    life.HoldEnded(**WHO, author=None),
    overrides.OverrideSet(
        **WHO,
        kind=OverrideKind.SLEEP_UNTIL,
        until=LATER,
        author="Ann",
        reason="no budget",
        even_for_requests=True,
    ),
    overrides.OverrideEnded(**WHO, kind=OverrideKind.PAUSE_SCALE_IN, author="Ann"),
    life.PhaseStuck(
        **WHO, phase=Phase.SLEEPING, since_seconds=1800, instances=1, failure="AccessDenied: no."
    ),
    capacity.CopiesMissing(**WHO, current=1, wanted=3, failure="No capacity.", until=LATER),
    capacity.ScalingMissing(**WHO, failure="AccessDenied: it may not put an alarm."),
    rounds.RoundFailed(at=AT, function="sweep-account", failure="KeyError: 'Name'", tries=3),
    life.EndpointUpdated(**WHO, seconds=412, way=UpdateWay.ROLL),
    life.UpdateFailed(**WHO, failure="its container dies: a file is missing"),
    costs.PricesStale(at=AT, region="eu-west-1", read_at=None, why="AccessDenied: no"),
    costs.OrphansFound(
        at=AT,
        usd_per_hour=Decimal("1.861"),
        usd_so_far=Decimal("93.05"),
        unpriced=1,
        lines=(
            costs.OrphanLine(
                kind="endpoint",
                name="prod-lost",
                instances={"ml.g6e.xlarge": 1},
                since=AT,
                usd_per_hour=Decimal("1.861"),
            ),
        ),
    ),
    costs.GapFound(
        endpoint="llama",
        at=AT,
        lacks="reader",
        what_to_do="nobody reads it",
        command="aws lambda x",
    ),
    costs.OrphanRemoved(endpoint="lost", at=AT, kind="endpoint", name="prod-lost"),
    costs.ReportWritten(
        at=AT,
        uri="s3://reports/reports/day/2026-11-23/costs.html",
        period="23 November 2026",
        cost_usd=Decimal("12.3456"),
        baseline_usd=Decimal("60"),
        saved_usd=Decimal("47.6544"),
        lines=(
            costs.ReportLine(
                endpoint="llama",
                cost_usd=Decimal("12.3456"),
                saved_usd=Decimal("47.6544"),
                wakes=1,
                requests=1200,
            ),
        ),
    ),
)


def report(**changes: Any) -> costs.ReportWritten:
    """A week of three teams, as it comes with its picture."""
    week = (12.1, 14.2, 9.9, 17.0, 15.5, 2.0, 1.1), (4.1, 4.2, 5.9, 4.0, 4.5, 3.0, 3.1)
    days = ("Mon 16", "Tue 17", "Wed 18", "Thu 19", "Fri 20", "Sat 21", "Sun 22")
    fields: dict[str, Any] = {
        "at": AT,
        "uri": "s3://reports/reports/week/2026-11-16/costs.html",
        "period": "16 to 22 November 2026",
        "cost_usd": Decimal("107.39"),
        "baseline_usd": Decimal("438.20"),
        "saved_usd": Decimal("330.81"),
        "net_saved_usd": Decimal("328.97"),
        "net_saved_at_most_usd": Decimal("328.97"),
        "controller_usd": Decimal("1.84"),
        "budgets": (
            costs.ReportBudget(
                of="2026-11",
                limit_usd=Decimal(900),
                spent_usd=Decimal("402.18"),
                forecast_usd=Decimal("611.40"),
            ),
            costs.ReportBudget(
                endpoint="support-bot",
                per="day",
                of="2026-11-22",
                limit_usd=Decimal(3),
                spent_usd=Decimal("1.10"),
                days=7,
                days_over=1,
            ),
        ),
        "lines": (
            costs.ReportLine(
                endpoint="llama-3-70b",
                cost_usd=Decimal("71.80"),
                saved_usd=Decimal("240.40"),
                wakes=31,
                requests=18_204,
            ),
            costs.ReportLine(
                endpoint="search-embeddings",
                cost_usd=Decimal("28.80"),
                saved_usd=Decimal("90.10"),
                wakes=12,
                requests=90_311,
            ),
            costs.ReportLine(
                endpoint="support-bot",
                cost_usd=Decimal("6.79"),
                saved_usd=Decimal("0.31"),
                wakes=4,
                requests=212,
            ),
        ),
        "days": tuple(
            costs.ReportDay(
                label=label,
                cost_usd=Decimal(str(research)) + Decimal(str(search)) + Decimal("0.97"),
                teams={
                    "research": Decimal(str(research)),
                    "search": Decimal(str(search)),
                    "support-bots": Decimal("0.97"),
                },
            )
            for label, research, search in zip(days, *week, strict=True)
        ),
        "teams": tuple(
            costs.ReportTeam(
                team=team, cost_usd=Decimal(usd), saved_usd=Decimal(saved), requests=requests
            )
            for team, usd, saved, requests in (
                ("research", "71.80", "240.40", 18_204),
                ("search", "28.80", "90.10", 90_311),
                ("support-bots", "6.79", "0.31", 212),
            )
        ),
        "advice": (
            "llama-3-70b: scaling.keep_alive: 10m → 5m would have saved $9.70 of $143.60 in "
            "14.0 days; 95 % of requests wait up to 31 s instead of 26 s.",
            "support-bot: schedule.windows[peak].min_copies: 1 → 0 would have saved $4.12 of "
            "$13.58 in 14.0 days; 95 % of requests wait up to 251 s instead of 2 s.",
        ),
    }
    return costs.ReportWritten(**{**fields, **changes})
