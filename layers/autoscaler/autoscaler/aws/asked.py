"""What was asked of endpoints, by the minute, as CloudWatch remembers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..endpoints.kinds import dimensions
from ..endpoints.names import ResourceNames
from ..replay.history import Recorded
from ..spec import EndpointSpec, Kind
from .metric_data import read_metric_data

_MINUTE = timedelta(minutes=1)
_QUERIES_PER_CALL = 500
_ANSWERS_PER_CALL = 100_000  # data points; CloudWatch gives 100,800 at most


def read_recorded(
    cloudwatch: Any,
    prefix: str,
    names: Sequence[str],
    now: datetime,
    days: float,
    kinds: Mapping[str, Kind] | None = None,
) -> dict[str, Recorded]:
    """Reads the last `days` of all endpoints; raises botocore's errors."""
    found = {name: Recorded() for name in names}
    wanted = [(name, key) for name in names for key in ("requests", "latencies")]
    for first in range(0, len(wanted), _QUERIES_PER_CALL):
        batch = wanted[first : first + _QUERIES_PER_CALL]
        queries = [
            _query(index, ResourceNames(prefix, name), key, (kinds or {}).get(name))
            for index, (name, key) in enumerate(batch)
        ]
        start, most = now - timedelta(days=days), _ANSWERS_PER_CALL
        read = read_metric_data(cloudwatch, queries, start, now, MaxDatapoints=most)
        for which, points in read.whole().items():
            name, key = batch[int(which[1:])]
            getattr(found[name], key).extend(points)
    return found


def recorded_by(
    cloudwatch: Any, prefix: str, now: datetime, days: float
) -> Callable[[EndpointSpec], Recorded]:
    """Reads one endpoint at a time; what is returned raises botocore's errors."""

    def recorded_of(spec: EndpointSpec) -> Recorded:
        kinds = {spec.name: spec.kind}
        return read_recorded(cloudwatch, prefix, [spec.name], now, days, kinds)[spec.name]

    return recorded_of


def _query(
    index: int, names: ResourceNames, key: str, kind: Kind | None = None
) -> Mapping[str, Any]:
    if key == "requests":
        namespace, name, statistic = "AWS/SQS", "NumberOfMessagesSent", "Sum"
        under = [{"Name": "QueueName", "Value": names.queue}]
    else:
        namespace, name, statistic = "AWS/SageMaker", "ModelLatency", "Average"
        under = dimensions(kind or Kind.COMPONENT, names, name)
    return {
        "Id": f"m{index}",
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": name,
                "Dimensions": under,
            },
            "Period": int(_MINUTE.total_seconds()),
            "Stat": statistic,
        },
    }
