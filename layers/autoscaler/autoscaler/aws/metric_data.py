"""GetMetricData to its end, with what it says of itself: each series has a status of its own, and
one that CloudWatch could not read comes empty, in an answer that is a success otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

_OPERATION = "GetMetricData"
_UNREAD = ("InternalError", "Forbidden")

Points = list[tuple[datetime, float]]


@dataclass(frozen=True)
class MetricData:
    """Points by the id of their query; `unread`: what CloudWatch said of those that it could not
    read, or not to their end."""

    points: dict[str, Points] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def whole(self) -> dict[str, Points]:
        """The points. Raises ClientError where some are missing: their sum would be too small."""
        if self.unread:
            first, code = next(iter(self.unread.items()))
            why = f"{len(self.unread)} of the series could not be read ({first}: {code})"
            raise ClientError(
                {"Error": {"Code": code, "Message": why}, "ResponseMetadata": _BROKE}, _OPERATION
            )
        return self.points


_BROKE: Any = {"HTTPStatusCode": 500}  # it passes, as one of AWS's own failures


def read_metric_data(
    cloudwatch: Any,
    queries: Sequence[Mapping[str, Any]],
    start: datetime,
    end: datetime,
    **more: Any,
) -> MetricData:
    """All pages. A later page may have what an earlier one could not read. Raises botocore's
    errors."""
    found = MetricData()
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end, **more
    )
    for page in pages:
        for series in page["MetricDataResults"]:
            which, status = series["Id"], series.get("StatusCode", "")
            found.unread.pop(which, None)
            if status in _UNREAD:
                found.unread[which] = status
            points = zip(series["Timestamps"], series["Values"], strict=True)
            found.points.setdefault(which, []).extend(points)
    return found
