"""GetMetricData: queries, windows and expressions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tools.embedded.metrics.math_eval import Evaluator, Series, Value
from tools.embedded.metrics.math_parser import MathError, Node, parse_math
from tools.embedded.metrics.store import MetricsStore, SeriesKey

MAX_QUERIES = 500
DEFAULT_PERIOD = 60.0


class QueryError(ValueError):
    """A request that CloudWatch answers with ValidationError."""


def aligned(start: float, period: float) -> float:
    """CloudWatch rounds a start down to its whole minute, or to the period when that is shorter."""
    step = min(60.0, period)
    return math.floor(start / step) * step


class Query:
    """One call of GetMetricData."""

    def __init__(
        self, store: MetricsStore, queries: Sequence[Mapping[str, Any]], start: float, end: float
    ) -> None:
        self._store = store
        self._queries = {str(q["Id"]): q for q in queries}
        self._start = start
        self._end = end
        self._results: dict[str, Value] = {}
        self._pending: set[str] = set()
        self._check(queries)

    def _check(self, queries: Sequence[Mapping[str, Any]]) -> None:
        if len(queries) > MAX_QUERIES:
            raise QueryError(
                f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
            )
        if len(self._queries) != len(queries):
            raise QueryError("The values for parameter id in MetricDataQueries are not unique.")
        if self._start >= self._end:
            raise QueryError("The parameter StartTime must be less than the parameter EndTime.")
        for query in queries:
            if ("MetricStat" in query) == ("Expression" in query):
                raise QueryError("Exactly one of MetricStat and Expression is required.")

    def results(self) -> list[tuple[str, str, Series]]:
        """Id, label and series of everything that is to be returned, in the order of asking."""
        found = []
        for query_id, query in self._queries.items():
            if query.get("ReturnData") is False:
                continue
            value = self.value(query_id)
            several = isinstance(value, list)
            for number, series in enumerate(value if several else [value]):
                label = str(query.get("Label") or _label(query))
                found.append(
                    (
                        query_id,
                        f"{label} {number}" if several else label,
                        self._on_grid(series, query),
                    )
                )
        return found

    def _on_grid(self, value: Any, query: Mapping[str, Any]) -> Series:
        if isinstance(value, dict):
            return value
        if isinstance(value, str) or math.isnan(value):
            return {}
        return dict.fromkeys(self._grid(self._period(query)), value)

    def value(self, query_id: str) -> Value:
        if query_id not in self._queries:
            raise QueryError(f"Error in expression: '{query_id}' is undefined.")
        if query_id not in self._results:
            if query_id in self._pending:
                raise QueryError(f"The expression '{query_id}' refers to itself.")
            self._pending.add(query_id)
            self._results[query_id] = self._compute(self._queries[query_id])
            self._pending.discard(query_id)
        return self._results[query_id]

    def _compute(self, query: Mapping[str, Any]) -> Value:
        if "MetricStat" in query:
            return self._metric(query["MetricStat"])
        try:
            tree = parse_math(str(query["Expression"]))
            period = self._period(query)
            evaluator = Evaluator(self._grid(period), period, self.value, self._metrics)
            return evaluator.value(tree)
        except (MathError, IndexError, TypeError, RecursionError) as error:
            raise QueryError(str(error)) from error

    def _metric(self, stat: Mapping[str, Any]) -> Series:
        metric, period = stat["Metric"], float(stat["Period"])
        dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions") or ()}
        key = SeriesKey.of(metric["Namespace"], metric["MetricName"], dimensions)
        return self._store.values(
            key, stat["Stat"], period, aligned(self._start, period), self._end, stat.get("Unit")
        )

    def _metrics(self) -> dict[str, Series]:
        return {
            query_id: self.value(query_id)  # type: ignore[misc]
            for query_id, query in self._queries.items()
            if "MetricStat" in query
        }

    def _period(self, query: Mapping[str, Any]) -> float:
        """Of a metric its own; of an expression the longest of what it names."""
        if "MetricStat" in query:
            return float(query["MetricStat"]["Period"])
        if query.get("Period"):
            return float(query["Period"])
        named = [q for q in _names(parse_math(str(query["Expression"]))) if q in self._queries]
        inner = [self._queries[n] for n in named] or [
            q for q in self._queries.values() if "MetricStat" in q
        ]
        return max((self._period(q) for q in inner if q is not query), default=DEFAULT_PERIOD)

    def _grid(self, period: float) -> list[float]:
        first = aligned(self._start, period)
        return [first + n * period for n in range(math.ceil((self._end - first) / period))]


def _names(node: Node) -> set[str]:
    own = {str(node.value)} if node.kind == "name" else set()
    return own.union(*(_names(child) for child in node.children))


def _label(query: Mapping[str, Any]) -> str:
    if "MetricStat" in query:
        return str(query["MetricStat"]["Metric"]["MetricName"])
    return str(query["Id"])
