"""Evaluates metric math over series on one grid of windows.

A value is a number, a series (window -> value, windows without data absent), a text (a constant
for FILL, a filter for METRICS) or a list of series.
"""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools.embedded.metrics.math_parser import MathError, Node

Series = dict[float, float]
Value = float | str | Series | list[Series]

_BINARY: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "&&": lambda a, b: float(bool(a) and bool(b)),
    "||": lambda a, b: float(bool(a) or bool(b)),
}
_EACH: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": math.ceil,
    "FLOOR": math.floor,
    "LOG": math.log,
    "LOG10": math.log10,
}
_ACROSS: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": statistics.fmean,
    "MAX": max,
    "MIN": min,
    "STDDEV": statistics.pstdev,
}


class Evaluator:
    """Evaluates expressions with the series of the queries they name."""

    def __init__(
        self,
        grid: Sequence[float],
        period: float,
        lookup: Callable[[str], Value],
        metrics: Callable[[], Mapping[str, Series]],
    ) -> None:
        self._grid = grid
        self._period = period
        self._lookup = lookup
        self._metrics = metrics

    def value(self, node: Node) -> Value:
        if node.kind == "number":
            return float(node.value)
        if node.kind == "text":
            return str(node.value)
        if node.kind == "name":
            constant = str(node.value) in ("REPEAT", "LINEAR")
            return str(node.value) if constant else self._lookup(str(node.value))
        if node.kind == "list":
            return [_as_series(self.value(child), self._grid) for child in node.children]
        if node.kind == "call":
            return self._call(str(node.value), node.children)
        left, right = (self.value(child) for child in node.children)
        return self._combine(_BINARY[node.kind], left, right)

    def _combine(self, op: Callable[[float, float], float], left: Value, right: Value) -> Value:
        """Applies an operator; only windows that both sides have yield a value."""
        if isinstance(left, list):
            return [_as_series(self._combine(op, item, right), self._grid) for item in left]
        if isinstance(right, list):
            return [_as_series(self._combine(op, left, item), self._grid) for item in right]
        if isinstance(left, str) or isinstance(right, str):
            raise MathError("a text cannot be calculated with")
        if isinstance(left, float) and isinstance(right, float):
            result = _safely(op, left, right)
            return math.nan if result is None else result
        windows = set(left if isinstance(left, dict) else right) & set(  # type: ignore[arg-type]
            right if isinstance(right, dict) else left
        )  # type: ignore[arg-type]
        found = {w: _safely(op, _at(left, w), _at(right, w)) for w in sorted(windows)}
        return {w: v for w, v in found.items() if v is not None}

    def _call(self, name: str, arguments: tuple[Node, ...]) -> Value:
        if name == "METRICS":
            part = str(self.value(arguments[0])) if arguments else ""
            return [s for query, s in self._metrics().items() if part in query]
        if name == "FILL":
            return self._fill(self.value(arguments[0]), self.value(arguments[1]))
        if name == "IF":
            return self._if(*(self.value(a) for a in arguments))
        if name == "PERIOD":
            return float(self._period)
        values = [self.value(a) for a in arguments]
        if name in _ACROSS:
            return _across(_ACROSS[name], values[0])
        return self._series_function(name, values[0])

    def _series_function(self, name: str, value: Value) -> Value:
        if isinstance(value, list) and name != "METRIC_COUNT":
            return [_as_series(self._series_function(name, item), self._grid) for item in value]
        if name in _EACH:
            return self._combine(lambda a, _: float(_EACH[name](a)), value, 0.0)
        if name == "METRIC_COUNT":
            return float(len(value)) if isinstance(value, list) else 1.0
        series = _as_series(value, self._grid)
        if name == "DATAPOINT_COUNT":
            return float(len(series))
        if name == "TIME_SERIES":
            return series
        if name == "RUNNING_SUM":
            total = 0.0
            return {w: (total := total + v) for w, v in sorted(series.items())}
        if name in ("DIFF", "RATE"):
            pairs = list(zip(sorted(series), sorted(series)[1:], strict=False))
            return {
                b: (series[b] - series[a]) / ((b - a) if name == "RATE" else 1) for a, b in pairs
            }
        raise MathError(f"the function {name} is not supported")

    def _if(self, condition: Value, then: Value, otherwise: Value | None = None) -> Value:
        """Three arguments choose; with two, windows where the condition is zero are dropped."""
        if isinstance(condition, float):
            chosen = then if condition else otherwise
            return {} if chosen is None else chosen
        result: Series = {}
        for window, truth in _as_series(condition, self._grid).items():
            chosen = then if truth else otherwise
            if isinstance(chosen, float):
                result[window] = chosen
            elif isinstance(chosen, dict) and window in chosen:
                result[window] = chosen[window]
        return result

    def _fill(self, value: Value, filler: Value) -> Value:
        if isinstance(value, list):
            return [_as_series(self._fill(item, filler), self._grid) for item in value]
        series, filled = _as_series(value, self._grid), {}
        for window in self._grid:
            found = series.get(window)
            if found is None:
                found = self._filler(series, filler, window)
            if found is not None:
                filled[window] = found
        return filled

    @staticmethod
    def _filler(series: Series, filler: Value, window: float) -> float | None:
        if isinstance(filler, float):
            return filler
        if isinstance(filler, dict):
            return filler.get(window)
        before = max((w for w in series if w < window), default=None)
        after = min((w for w in series if w > window), default=None)
        if filler == "REPEAT":
            return None if before is None else series[before]
        if before is None or after is None:
            return None
        share = (window - before) / (after - before)
        return series[before] + share * (series[after] - series[before])


def _across(fold: Callable[[Sequence[float]], float], value: Value) -> Value:
    """One number for a series; for a list, a series folded window by window."""
    if isinstance(value, float):
        return value
    if isinstance(value, dict):
        return float(fold(list(value.values()))) if value else {}
    if isinstance(value, str):
        raise MathError("a text cannot be calculated with")
    windows = sorted({w for series in value for w in series})
    return {w: float(fold([s[w] for s in value if w in s])) for w in windows}


def _as_series(value: Value, grid: Sequence[float]) -> Series:
    if isinstance(value, dict):
        return value
    if isinstance(value, float):
        return {} if math.isnan(value) else dict.fromkeys(grid, value)
    raise MathError("a single time series is needed here")


def _at(value: Any, window: float) -> float:
    return float(value[window]) if isinstance(value, dict) else float(value)


def _safely(op: Callable[[float, float], float], left: float, right: float) -> float | None:
    """None where CloudWatch drops the datapoint: a division by zero, a result that is no number."""
    try:
        result = op(left, right)
    except (ArithmeticError, ValueError):
        return None
    return result if isinstance(result, int | float) and math.isfinite(result) else None
