"""Puts the store behind moto's PutMetricData, GetMetricData, GetMetricStatistics, ListMetrics.

moto keeps one flat list that every read scans, evaluates no expressions, and knows no percentiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch import models, responses
from moto.cloudwatch.exceptions import InvalidParameterCombination, ValidationError
from moto.core.responses import ActionResult

from tools.embedded.metrics.query import Query, QueryError, aligned
from tools.embedded.metrics.samples import Sample, StatisticError, percent
from tools.embedded.metrics.store import MetricsStore, SeriesKey
from tools.embedded.pump.patches import Patches
from tools.embedded.types import Clock

PAGE = 500
RECENT_SECONDS = 3 * 3600


class CloudWatchPatches:
    """moto's CloudWatch over a MetricsStore while installed."""

    def __init__(self, store: MetricsStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._patches = Patches()

    def install(self) -> None:
        put, own = self._patches.set, self
        backend, response = models.CloudWatchBackend, responses.CloudWatchResponse
        self._patches.set_time(models, self._clock)
        validate = backend._validate_parameters_put_metric_data

        def put_metric_data(this: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
            for number, datum in enumerate(metric_data, start=1):
                validate(this, datum, number)
            own.put(namespace, metric_data)

        put(backend, "put_metric_data", put_metric_data)
        put(response, "get_metric_data", lambda this: own._get_data(this._get_params()))
        put(response, "get_metric_statistics", lambda this: own._get_statistics(this._get_params()))
        put(response, "list_metrics", lambda this: own._list(this._get_params()))

    def uninstall(self) -> None:
        self._patches.restore()

    def put(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        for datum in metric_data:
            dimensions = {d["Name"]: d["Value"] for d in datum.get("Dimensions") or ()}
            key = SeriesKey.of(namespace, datum["MetricName"], dimensions)
            given = datum.get("Timestamp")
            moment = self._clock.time() if given is None else epoch(given)
            for sample in _samples(datum, moment):
                self._store.add(key, sample)

    def _get_data(self, params: Mapping[str, Any]) -> ActionResult:
        queries = params.get("MetricDataQueries") or []
        start, end = epoch(params["StartTime"]), epoch(params["EndTime"])
        ascending = params.get("ScanBy") == "TimestampAscending"
        try:
            results = Query(self._store, queries, start, end).results()
        except (QueryError, StatisticError) as error:
            raise ValidationError(str(error)) from error
        return ActionResult(
            {
                "MetricDataResults": [
                    _data_result(query_id, label, series, ascending)
                    for query_id, label, series in results
                ],
                "Messages": [],
            }
        )

    def _get_statistics(self, params: Mapping[str, Any]) -> ActionResult:
        names = [*(params.get("Statistics") or []), *(params.get("ExtendedStatistics") or [])]
        if not names:
            raise InvalidParameterCombination(
                "Must specify either Statistics or ExtendedStatistics"
            )
        dimensions = {d["Name"]: d["Value"] for d in params.get("Dimensions") or ()}
        key = SeriesKey.of(params["Namespace"], params["MetricName"], dimensions)
        period = float(params["Period"])
        start = aligned(epoch(params["StartTime"]), period)
        end = epoch(params["EndTime"])
        if start >= end:
            raise ValidationError("The parameter StartTime must be less than EndTime.")
        points: dict[float, dict[str, Any]] = {}
        for name in names:
            found = self._store.values(key, name, period, start, end, params.get("Unit"))
            for window, value in found.items():
                point = points.setdefault(
                    window, {"Timestamp": moment_of(window), "Unit": params.get("Unit") or "None"}
                )
                if name.startswith("p") and percent(name) is not None:
                    point.setdefault("ExtendedStatistics", {})[name] = value
                else:
                    point[name] = value
        return ActionResult(
            {"Label": params["MetricName"], "Datapoints": [points[w] for w in sorted(points)]}
        )

    def _list(self, params: Mapping[str, Any]) -> ActionResult:
        found = sorted(self._matching(params), key=lambda k: (k.namespace, k.name, k.dimensions))
        first = int(params.get("NextToken") or 0)
        page = found[first : first + PAGE]
        result: dict[str, Any] = {
            "Metrics": [
                {
                    "Namespace": key.namespace,
                    "MetricName": key.name,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in key.dimensions],
                }
                for key in page
            ]
        }
        if first + PAGE < len(found):
            result["NextToken"] = str(first + PAGE)
        return ActionResult(result)

    def _matching(self, params: Mapping[str, Any]) -> Iterator[SeriesKey]:
        recent = params.get("RecentlyActive") == "PT3H"
        wanted = params.get("Dimensions") or []
        for key in self._store.series_keys():
            own = dict(key.dimensions)
            if params.get("Namespace") not in (None, key.namespace):
                continue
            if params.get("MetricName") not in (None, key.name):
                continue
            if any(
                own.get(d["Name"]) is None or d.get("Value") not in (None, own[d["Name"]])
                for d in wanted
            ):
                continue
            last = self._store.last_time(key) or 0.0
            if recent and last < self._clock.time() - RECENT_SECONDS:
                continue
            yield key


def _samples(datum: Mapping[str, Any], moment: float) -> Iterator[Sample]:
    unit = datum.get("Unit") or "None"
    if datum.get("Values"):
        counts = datum.get("Counts") or [1.0] * len(datum["Values"])
        for value, count in zip(datum["Values"], counts, strict=True):
            yield Sample.of(moment, float(value), float(count), unit)
    elif datum.get("StatisticValues"):
        stats = {name: float(value) for name, value in datum["StatisticValues"].items()}
        yield Sample(
            moment, stats["Sum"], stats["Minimum"], stats["Maximum"], stats["SampleCount"], unit
        )
    else:
        yield Sample.of(moment, float(datum.get("Value", 0)), unit=unit)


def _data_result(
    query_id: str, label: str, series: Mapping[float, float], ascending: bool
) -> dict[str, Any]:
    windows = sorted(series, reverse=not ascending)
    return {
        "Id": query_id,
        "Label": label,
        "StatusCode": "Complete",
        "Timestamps": [moment_of(w) for w in windows],
        "Values": [series[w] for w in windows],
    }


def moment_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def epoch(value: Any) -> float:
    """Epoch seconds of a timestamp, however the wire protocol brought it."""
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return float(value.timestamp())
