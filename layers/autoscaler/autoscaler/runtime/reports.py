"""The report_costs function."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import date as Date
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, Json

from ..aws.clients import client
from ..aws.clock import SystemClock
from ..aws.cost_explorer import CostExplorer
from ..aws.events import BusAnnouncer
from ..aws.own_usage import ControllerMetrics
from ..aws.reports import S3Reports
from ..aws.sweep_memory import TableMemory
from ..aws.table import TableStore
from ..catalog.prices import PriceBook
from ..control.budget_view import stop_sentences
from ..control.budgets import books_of_all
from ..control.in_context import InContext
from ..control.sweeping import remark
from ..control.withheld import withheld_sentences
from ..endpoints.stack_state import StackState
from ..endpoints.status import EndpointRecord
from ..ledger.bill import Bill, nothing_tagged
from ..ledger.budgets import StackMoney
from ..ledger.controller import ControllerUsage
from ..ledger.costs import Books
from ..ledger.figures import CostReport
from ..ledger.own_use import Setup, estimated
from ..ledger.periods import Period, PeriodKind
from ..ledger.report import (
    Billed,
    folder_of,
    period_since_first,
    write_report,
)
from ..ports import Clock
from ..spec.schedule import TimeZoneName
from .bills import bill_of, is_closed
from .boundary import Boundary, Variables
from .logs import logger


class ReportSettings(Variables):
    """What the template tells the function."""

    stack_name: str = Field(alias="STACK_NAME")
    table_name: str = Field(alias="TABLE_NAME")
    bus_name: str = Field(alias="BUS_NAME")
    reports_bucket: str = Field(alias="REPORTS_BUCKET")
    results_bucket: str = Field(alias="RESULTS_BUCKET")
    weights_bucket: str = Field(alias="WEIGHTS_BUCKET")
    function_memory_mb: Json[dict[str, int]] = Field(alias="FUNCTION_MEMORY_MB")
    stack_alarms: int = Field(alias="STACK_ALARMS")
    stack_secrets: int = Field(alias="STACK_SECRETS")
    tick_minutes: int = Field(alias="TICK_MINUTES")
    tracing: Literal["Disabled", "Active"] = Field(default="Disabled", alias="TRACING")
    default_time_zone: TimeZoneName = Field(default="UTC", alias="DEFAULT_TIME_ZONE")
    reconcile: Literal["none", "cost-explorer"] = Field(default="none", alias="RECONCILE")
    region: str = Field(default="us-east-1", alias="AWS_REGION")


def _written(value: Any) -> Any:
    """Numbers would be taken for seconds since 1970."""
    if value is not None and not isinstance(value, str | Date):
        raise ValueError("is not a day such as 2026-11-24")
    return value


Day = Annotated[Date, BeforeValidator(_written), Field(ge=Date(2000, 1, 1), le=Date(2999, 12, 31))]


class ReportOrder(Boundary):
    """`{"period": "day"}`: the last one that is over. With `date`: the one that holds this day,
    over or not. With `running`: the one that is not over in the stack's time zone. `{"period":
    "all"}`: since the first endpoint. With `closed`: the last one that a bill should know whole.
    With `advice`: which changes of specs would have saved most, which takes minutes."""

    period: PeriodKind
    date: Day | None = None
    running: bool = False
    closed: bool = False
    advice: bool = False


@cache
def _settings() -> ReportSettings:
    return ReportSettings.model_validate(dict(os.environ))


def _own_usage(
    env: ReportSettings, prices: PriceBook, period: Period, now: datetime, books: Books
) -> ControllerUsage:
    """What AWS counts of this stack, and of the rest what follows from the books."""
    buckets = (env.weights_bucket, env.results_bucket, env.reports_bucket)
    metrics = ControllerMetrics(env.stack_name, env.function_memory_mb, env.table_name, buckets)
    until = max(period.start, min(period.end, now))
    found = metrics.read(period.start, until, period.holds)
    setup = Setup(
        timedelta(minutes=env.tick_minutes),
        env.stack_alarms,
        found.since or until,  # the tick calls each minute: without a call there was no stack
        traced=env.tracing == "Active",
    )
    there = setup.share(period.start, until)
    worked_out = estimated(books, period, now, prices, setup, found.invocations, found.metrics)
    return ControllerUsage(
        lambda_requests=sum(found.invocations.values(), Decimal(0)),
        lambda_gb_seconds=found.lambda_gb_seconds,
        table_writes=found.table_writes,
        table_reads=found.table_reads,
        log_gb=found.log_gb,
        stored_gb=None if found.stored_gb is None else found.stored_gb * there,
        secrets=env.stack_secrets * there,
        **worked_out,
        estimated=frozenset(worked_out),
    )


def _stack_money(
    state: StackState, fleet: Sequence[EndpointRecord], now: datetime
) -> StackMoney | None:
    """None: the stack has no budget."""
    if not state.budget.limited:
        return None
    spent = books_of_all(state, fleet, now)
    return StackMoney(state.budget, spent.month_usd, spent.forecast_usd)


def _period(order: ReportOrder, store: TableStore, clock: Clock, zone: str) -> Period:
    if order.period is PeriodKind.ALL:
        return period_since_first(store, clock, zone)
    if order.date:
        return Period.holding(order.period, order.date, zone)
    if order.running:
        return Period.holding(order.period, clock.now().astimezone(ZoneInfo(zone)).date(), zone)
    period = Period.last(order.period, clock.now(), zone)
    while order.closed and not is_closed(period, clock.now()):
        period = Period.last(order.period, period.start, zone)
    return period


def _bill(env: ReportSettings, kept: S3Reports, period: Period, now: datetime) -> Billed | None:
    """What AWS billed; None where nobody wants to know, or where days were not cut at midnight."""
    if env.reconcile == "none" or period.kind is PeriodKind.ALL:
        return None
    explorer = CostExplorer(env.stack_name, env.region)
    found = bill_of(kept, explorer, period, folder_of(period), now)
    untagged = isinstance(found, Bill) and not found.lines
    return nothing_tagged(env.stack_name) if untagged else found


def _adviser(
    env: ReportSettings, store: TableStore, clock: Clock, milliseconds_left: Callable[[], int]
) -> Callable[[CostReport], CostReport]:
    """Imported only here: other reports need no simulator."""
    from ..aws.asked import recorded_by
    from ..ledger.advice import DAYS, advised
    from ..replay.assumed import Assumed
    from .replays import MOST_REQUESTS, one_by_one

    now, assumed = clock.now(), Assumed(prices=store.prices())

    recorded_of = recorded_by(client("cloudwatch"), env.stack_name, now, DAYS)

    def advise(report: CostReport) -> CostReport:
        replays = one_by_one(milliseconds_left)
        found, missing = advised(
            report, recorded_of, assumed, now, replays, logger.info, MOST_REQUESTS
        )
        logger.info("advised", extra={"advice": len(found.advice), "without": missing})
        return found

    return advise


def report(event: Any, milliseconds_left: Callable[[], int]) -> dict[str, Any]:
    """Writes the report that is asked for, within its time; returns where it lies and its
    totals."""
    order, env, clock = ReportOrder.model_validate(event), _settings(), SystemClock()
    store, zone = TableStore(env.table_name), env.default_time_zone
    period = _period(order, store, clock, zone)
    state, fleet, prices = store.stack(), store.load_all(), store.prices()
    reports, stops = S3Reports(env.reports_bucket), stop_sentences(state)
    whole = period.kind is PeriodKind.ALL
    withheld = withheld_sentences(
        fleet, state.observing_since, period.start, period.end, open_ended=whole
    )
    swept = TableMemory(env.table_name).load()
    written = write_report(
        store,
        reports,
        clock,
        InContext(BusAnnouncer(env.bus_name), store),
        period,
        prices=prices,
        stack=_stack_money(state, fleet, clock.now()),
        usage=partial(_own_usage, env, prices, period, clock.now()),
        bill=_bill(env, reports, period, clock.now()),
        remarks=[said for said in (remark(swept), *stops, *withheld) if said],
        advise=_adviser(env, store, clock, milliseconds_left) if order.advice else None,
    )
    logger.info("report written", uri=written.uri, endpoints=len(written.lines))
    folder = written.uri.rpartition("/")[0]
    uris = {kind: f"{folder}/costs.{kind}" for kind in ("html", "csv", "json")}
    return {
        **written.model_dump(mode="json", exclude={"uri", "at"}),
        "uris": uris,
        "stopped": stops,
    }
