"""The report_costs function."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date as Date
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, Json

from ..aws.clock import SystemClock
from ..aws.cost_explorer import CostExplorer
from ..aws.events import BusAnnouncer
from ..aws.own_usage import ControllerMetrics
from ..aws.reports import S3Reports
from ..aws.sweep_memory import TableMemory
from ..aws.table import TableStore
from ..control.budget_view import stop_sentences
from ..control.in_context import InContext
from ..control.sweeping import remark
from ..control.withheld import withheld_sentences
from ..endpoints.alarms import alarms_of
from ..endpoints.status import EndpointRecord
from ..ledger.bill import Bill, nothing_tagged
from ..ledger.billed import billed_segments
from ..ledger.controller import ControllerUsage
from ..ledger.metric_hours import metric_hours
from ..ledger.periods import Period, PeriodKind
from ..ledger.report import (
    Billed,
    folder_of,
    period_since_first,
    write_report,
)
from ..policy.types import Phase
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
    function_memory_mb: Json[dict[str, int]] = Field(alias="FUNCTION_MEMORY_MB")
    stack_alarms: int = Field(alias="STACK_ALARMS")
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
    "all"}`: since the first endpoint. With `closed`: the last one that a bill should know whole."""

    period: PeriodKind
    date: Day | None = None
    running: bool = False
    closed: bool = False


@cache
def _settings() -> ReportSettings:
    return ReportSettings.model_validate(dict(os.environ))


def _own_usage(
    env: ReportSettings,
    store: TableStore,
    fleet: Sequence[EndpointRecord],
    period: Period,
    now: datetime,
) -> ControllerUsage:
    """What is counted by AWS, and the alarms as they stand."""
    until = max(period.start, min(period.end, now))
    metrics = ControllerMetrics(env.stack_name, env.function_memory_mb, env.table_name)
    made = [alarms_of(one.spec, asleep=one.status.phase is Phase.ASLEEP) for one in fleet]
    closed, prices = store.usage(period.start, until), store.prices().usd_per_hour
    ran = billed_segments(closed, fleet, prices, period.start, until, now)
    counted = store.traffic(period.start.date(), until.date())
    return ControllerUsage(
        **asdict(metrics.read(period.start, until)),
        metric_hours=metric_hours(ran, counted, period.start, until),
        alarms=Decimal(env.stack_alarms + sum(one.usual for one in made)),
        high_resolution_alarms=Decimal(sum(one.fine for one in made)),
    )


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


def report(event: Any) -> dict[str, Any]:
    """Writes the report that is asked for; returns where it lies and its totals."""
    order, env, clock = ReportOrder.model_validate(event), _settings(), SystemClock()
    store, zone = TableStore(env.table_name), env.default_time_zone
    period = _period(order, store, clock, zone)
    state, fleet = store.stack(), store.load_all()
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
        prices=store.prices().usd_per_hour,
        priced=store.prices().sentence(),
        usage=_own_usage(env, store, fleet, period, clock.now()),
        bill=_bill(env, reports, period, clock.now()),
        remarks=[said for said in (remark(swept), *stops, *withheld) if said],
    )
    logger.info("report written", uri=written.uri, endpoints=len(written.lines))
    folder = written.uri.rpartition("/")[0]
    uris = {kind: f"{folder}/costs.{kind}" for kind in ("html", "csv", "json")}
    return {
        **written.model_dump(mode="json", exclude={"uri", "at"}),
        "uris": uris,
        "stopped": stops,
    }
