"""A CustomizedMetricSpecification of target tracking, read from the store minute by minute."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tools.embedded.metrics.query import Query, QueryError
from tools.embedded.metrics.samples import StatisticError
from tools.embedded.metrics.store import MetricsStore

log = logging.getLogger(__name__)
_MINUTE = 60
_SETTLED_SECONDS = 10  # a minute's metrics are published a moment after it has ended


def last_minute(store: MetricsStore, specification: Mapping[str, Any], now: float) -> float | None:
    """Its value in the last whole minute; None where nothing was published."""
    end = (now - _SETTLED_SECONDS) // _MINUTE * _MINUTE
    try:
        results = Query(store, _queries(specification), end - _MINUTE, end).results()
    except (QueryError, StatisticError) as error:
        log.warning("a scaling policy's metric cannot be read: %s", error)
        return None
    values = [value for _, _, series in results for value in series.values()]
    return values[-1] if values else None


def _queries(specification: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "Metrics" not in specification:
        return [{"Id": "m1", "MetricStat": _stat(specification, specification["Statistic"])}]
    return [_query(one) for one in specification["Metrics"]]


def _query(given: Mapping[str, Any]) -> dict[str, Any]:
    query = dict(given)
    if "MetricStat" in given:
        inner = given["MetricStat"]
        metric = {**inner["Metric"], "Unit": inner.get("Unit")}
        query["MetricStat"] = _stat(metric, inner["Stat"])
    return query


def _stat(metric: Mapping[str, Any], statistic: str) -> dict[str, Any]:
    stat = {"Metric": metric, "Period": _MINUTE, "Stat": statistic}
    return {**stat, "Unit": metric["Unit"]} if metric.get("Unit") else stat
