"""What the controller itself used, from CloudWatch: Lambda and DynamoDB, in one paged call.

Not here: the transitions of Standard state machines, which AWS counts for an account and not for
a machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ..endpoints.status import utc_hour
from .clients import client

# Of metrics older than 63 days CloudWatch keeps hours, and nothing finer.
_HOUR = timedelta(hours=1)
_MB_PER_GB = 1024
_MS_PER_SECOND = 1000


@dataclass(frozen=True)
class OwnUsage:
    """Sums of a period. GB-seconds are of the handlers; starting one up is not in them."""

    lambda_requests: Decimal
    lambda_gb_seconds: Decimal
    table_writes: Decimal
    table_reads: Decimal


class ControllerMetrics:
    """Reads the usage of a stack's functions (name without the stack's → MB) and of its table."""

    def __init__(
        self, prefix: str, memory_mb: Mapping[str, int], table: str, cloudwatch: Any = None
    ) -> None:
        self._prefix = prefix
        self._memory_mb = memory_mb
        self._table = table
        self._cloudwatch = cloudwatch or client("cloudwatch")

    def read(self, start: datetime, end: datetime) -> OwnUsage:
        """The UTC hours whose middle is within [start, end), as requests are counted."""
        wanted = self._wanted()
        sums = [Decimal(0)] * len(wanted)
        pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[_query(i, *one) for i, one in enumerate(wanted)],
            StartTime=utc_hour(start),
            EndTime=utc_hour(end) + _HOUR,
        )
        for page in pages:
            for found in page["MetricDataResults"]:
                points = zip(found["Timestamps"], found["Values"], strict=True)
                values = [value for at, value in points if start <= at + _HOUR / 2 < end]
                sums[int(found["Id"][1:])] += sum(map(Decimal, values), Decimal(0))
        return self._summed(sums)

    def _wanted(self) -> list[tuple[str, str, str, str]]:
        functions = [f"{self._prefix}-{name}" for name in self._memory_mb]
        return [
            *(("AWS/Lambda", "Invocations", "FunctionName", name) for name in functions),
            *(("AWS/Lambda", "Duration", "FunctionName", name) for name in functions),
            ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", self._table),
            ("AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", self._table),
        ]

    def _summed(self, sums: list[Decimal]) -> OwnUsage:
        count = len(self._memory_mb)
        durations = zip(sums[count : 2 * count], self._memory_mb.values(), strict=True)
        return OwnUsage(
            lambda_requests=sum(sums[:count], Decimal(0)),
            lambda_gb_seconds=sum(
                (ms * mb / _MB_PER_GB / _MS_PER_SECOND for ms, mb in durations), Decimal(0)
            ),
            table_writes=sums[-2],
            table_reads=sums[-1],
        )


def _query(index: int, namespace: str, metric: str, dimension: str, value: str) -> dict[str, Any]:
    return {
        "Id": f"m{index}",
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": dimension, "Value": value}],
            },
            "Period": int(_HOUR.total_seconds()),
            "Stat": "Sum",
        },
    }
