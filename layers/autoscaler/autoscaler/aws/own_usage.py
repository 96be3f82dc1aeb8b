"""What the controller itself used, as AWS counted it: one paged call of CloudWatch.

Not here: transitions of Standard state machines, SQS requests and metrics that were read. AWS
counts none of them for one stack alone; `ledger.own_use` estimates them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ..endpoints.status import utc_hour
from .clients import client
from .metric_data import read_metric_data

# Of metrics older than 63 days CloudWatch keeps hours, and nothing finer.
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# S3 tells the size of a bucket once a day, of midnight, and late by up to a day or two.
_SIZE_IS_LATE = timedelta(days=3)
_MB_PER_GB = 1024
_BYTES_PER_GB = 1024**3
_MS_PER_SECOND = 1000

Point = tuple[datetime, Decimal]
# Whether what was counted in [start, end) belongs to the period.
Holds = Callable[[datetime, datetime], bool]


@dataclass(frozen=True)
class OwnUsage:
    """Sums of a period. GB-seconds are of the handlers; starting one up is not in them. None:
    CloudWatch has no value of it, for S3 in the first days of a stack."""

    invocations: Mapping[str, Decimal]  # by function, without the stack's name
    lambda_gb_seconds: Decimal
    table_writes: Decimal
    table_reads: Decimal
    log_gb: Decimal | None
    stored_gb: Decimal | None  # a mean
    metrics: int  # that this read: they are paid for
    since: datetime | None  # the first hour of the period, or of three days before, with a call


@dataclass(frozen=True)
class _Wanted:
    """One series of CloudWatch; a day's values are means, an hour's are sums."""

    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    every: timedelta = _HOUR

    def query(self, index: int) -> dict[str, Any]:
        return {
            "Id": f"m{index}",
            "MetricStat": {
                "Metric": {
                    "Namespace": self.namespace,
                    "MetricName": self.metric,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in self.dimensions.items()],
                },
                "Period": int(self.every.total_seconds()),
                "Stat": "Sum" if self.every is _HOUR else "Average",
            },
        }


class ControllerMetrics:
    """Reads the usage of a stack's functions (name without the stack's → MB), of their logs, of its
    table and of its buckets."""

    def __init__(
        self,
        prefix: str,
        memory_mb: Mapping[str, int],
        table: str,
        buckets: Iterable[str] = (),
        cloudwatch: Any = None,
    ) -> None:
        self._memory_mb = memory_mb
        functions = {name: f"{prefix}-{name}" for name in memory_mb}
        self._calls = {n: _lambda("Invocations", full) for n, full in functions.items()}
        self._times = {n: _lambda("Duration", full) for n, full in functions.items()}
        self._logs = [_logged(full) for full in functions.values()]
        self._writes = _of_table("ConsumedWriteCapacityUnits", table)
        self._reads = _of_table("ConsumedReadCapacityUnits", table)
        self._sizes = [_stored(bucket) for bucket in buckets]
        self._cloudwatch = cloudwatch or client("cloudwatch")

    def read(self, start: datetime, end: datetime, holds: Holds) -> OwnUsage:
        """The UTC hours from that of `start` to that of `end` which `holds` says are the period's,
        as requests are counted."""
        calls, singles = self._calls.values(), [self._writes, self._reads]
        wanted = [*calls, *self._times.values(), *self._logs, *singles, *self._sizes]
        points = dict(zip(map(id, wanted), self._points(wanted, start, end), strict=True))

        def within(one: _Wanted) -> list[Decimal]:
            return [value for at, value in points[id(one)] if holds(at, at + _HOUR)]

        def summed(one: _Wanted) -> Decimal:
            return sum(within(one), Decimal(0))

        logged = [value for one in self._logs for value in within(one)]
        sizes = [_size(points[id(one)], start, end) for one in self._sizes]
        known = [size for size in sizes if size is not None]
        return OwnUsage(
            invocations={name: summed(one) for name, one in self._calls.items()},
            lambda_gb_seconds=sum(
                (
                    summed(one) * self._memory_mb[name] / _MB_PER_GB / _MS_PER_SECOND
                    for name, one in self._times.items()
                ),
                Decimal(0),
            ),
            table_writes=summed(self._writes),
            table_reads=summed(self._reads),
            log_gb=sum(logged, Decimal(0)) / _BYTES_PER_GB if logged else None,
            stored_gb=sum(known, Decimal(0)) / _BYTES_PER_GB if known else None,
            metrics=len(wanted),
            since=min((at for one in calls for at, _ in points[id(one)]), default=None),
        )

    def _points(self, wanted: list[_Wanted], start: datetime, end: datetime) -> list[list[Point]]:
        read = read_metric_data(
            self._cloudwatch,
            [one.query(index) for index, one in enumerate(wanted)],
            # From a midnight on, so that days are cut there.
            utc_hour(start).replace(hour=0) - _SIZE_IS_LATE,
            utc_hour(end) + _HOUR,
        ).whole()
        found = (read.get(f"m{index}", []) for index in range(len(wanted)))
        return [[(at, Decimal(value)) for at, value in points] for points in found]


def _lambda(metric: str, function: str) -> _Wanted:
    return _Wanted("AWS/Lambda", metric, {"FunctionName": function})


def _logged(function: str) -> _Wanted:
    return _Wanted("AWS/Logs", "IncomingBytes", {"LogGroupName": f"/aws/lambda/{function}"})


def _of_table(metric: str, table: str) -> _Wanted:
    return _Wanted("AWS/DynamoDB", metric, {"TableName": table})


def _stored(bucket: str) -> _Wanted:
    under = {"BucketName": bucket, "StorageType": "StandardStorage"}
    return _Wanted("AWS/S3", "BucketSizeBytes", under, _DAY)


def _size(points: Iterable[Point], start: datetime, end: datetime) -> Decimal | None:
    """The mean of the period; where none is of it, the last one before."""
    known = sorted(point for point in points if point[0] < end)
    within = [value for at, value in known if at >= start] or [value for _, value in known[-1:]]
    return sum(within, Decimal(0)) / len(within) if within else None
