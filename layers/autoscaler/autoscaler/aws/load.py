"""Reads demand: queues from SQS itself, concurrency and latency from CloudWatch.

SQS's own numbers, because its CloudWatch metrics come once a minute and may lag by 15 minutes
after a queue was idle. CloudWatch in batches of 500, because GetMetricData takes no more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..endpoints.kinds import dimensions, manner
from ..endpoints.names import ResourceNames
from ..ports import Load
from ..spec import Kind
from .clients import NO_QUEUE, client, error_code

_QUERIES_PER_CALL = 500
_LOOK_BACK = timedelta(minutes=3)
_PERIOD = timedelta(minutes=1)
_THREADS = 16
_METRICS = (
    # (key, metric, statistic); ModelLatency is in microseconds. None: it has a name of each kind.
    # Statistics of one metric are billed as one, up to five (CloudWatch's prices of GetMetricData).
    ("concurrency", None, "Maximum"),
    ("invocations", "ModelLatency", "SampleCount"),
    ("latency", "ModelLatency", "Average"),
)
# endpoint, kind, key, metric, statistic
_Batch = Sequence[tuple[str, Kind, str, str | None, str]]
_IN_SIGHT = ("ApproximateNumberOfMessages",)
_IN_ALL = (
    *_IN_SIGHT,
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class AwsLoadReader:
    """LoadReader over SQS and CloudWatch."""

    def __init__(self, prefix: str, sqs: Any = None, cloudwatch: Any = None) -> None:
        self._prefix = prefix
        self._sqs = sqs or client("sqs")
        self._cloudwatch = cloudwatch or client("cloudwatch")
        self._urls: dict[str, str] = {}

    def read(
        self,
        names: Sequence[str],
        now: datetime,
        kinds: Mapping[str, Kind] | None = None,
        resting: Collection[str] = (),
    ) -> Mapping[str, Load]:
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            queues = dict(zip(names, pool.map(self._queue, names), strict=True))
        awake = [name for name in names if name not in resting]
        metrics = self._metrics(awake, now, kinds or {})
        return {name: _load(queues[name], metrics.get(name, _Series()), now) for name in names}

    def backlog(self, name: str) -> int:
        """A queue that does not exist (yet, or any more) holds nothing."""
        return self._backlog_or_none(name) or 0

    def deferrable(self, name: str) -> int:
        """As `backlog`, of the requests that may wait."""
        return self._count_or_none(ResourceNames(self._prefix, name).later_queue) or 0

    def untaken(self, name: str) -> int:
        """As `backlog`, without what is out of sight: taken by a dispatcher, or put back by it."""
        queue = ResourceNames(self._prefix, name).queue
        return self._count_or_none(queue, _IN_SIGHT) or 0

    def dead_letters(self, name: str) -> int:
        """As `backlog`, of the dead-letter queue."""
        return self._count_or_none(ResourceNames(self._prefix, name).dead_letter_queue) or 0

    def _queue(self, name: str) -> _Queues:
        """What waits in its queues, or why it is not known."""
        try:
            backlog = self._backlog_or_none(name)
            # Without a queue there is none of those that may wait either.
            later = 0 if backlog is None else self.deferrable(name)
        except (ClientError, BotoCoreError) as error:
            return _Queues(None, 0, f"its queue could not be read: {error}")
        return _Queues(backlog, later)

    def _backlog_or_none(self, name: str) -> int | None:
        return self._count_or_none(ResourceNames(self._prefix, name).queue)

    def _count_or_none(self, queue: str, of: Sequence[str] = _IN_ALL) -> int | None:
        try:
            return self._count(queue, of)
        except ClientError as error:
            # A queue that is not there yet has no backlog to tell; every other error is loud.
            if error_code(error) in NO_QUEUE:
                return None
            raise

    def _count(self, queue: str, of: Sequence[str]) -> int:
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self._url(queue), AttributeNames=list(of)
        )["Attributes"]
        return sum(int(value) for value in attributes.values())

    def _url(self, queue: str) -> str:
        if queue not in self._urls:
            self._urls[queue] = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return self._urls[queue]

    def _metrics(
        self, names: Sequence[str], now: datetime, kinds: Mapping[str, Kind]
    ) -> dict[str, _Series]:
        found = {name: _Series() for name in names}
        wanted = [
            (name, kinds.get(name, Kind.COMPONENT), *metric)
            for name in names
            for metric in _METRICS
        ]
        for first in range(0, len(wanted), _QUERIES_PER_CALL):
            batch = wanted[first : first + _QUERIES_PER_CALL]
            try:
                self._read_batch(batch, found, now)
            except (ClientError, BotoCoreError) as error:
                for name, *_ in batch:  # others are not touched by it
                    found[name] = _Series(trouble=f"its metrics could not be read: {error}")
        return found

    def _read_batch(self, batch: _Batch, found: Mapping[str, _Series], now: datetime) -> None:
        pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[self._query(i, *entry) for i, entry in enumerate(batch)],
            StartTime=now - _LOOK_BACK,
            EndTime=now,
        )
        for page in pages:
            for reply in page["MetricDataResults"]:
                name, _, key, _, _ = batch[int(reply["Id"][1:])]
                found[name].add(key, reply["Timestamps"], reply["Values"])

    def _query(
        self, index: int, name: str, kind: Kind, _key: str, metric: str | None, statistic: str
    ) -> Any:
        named = metric or manner(kind).concurrency
        return {
            "Id": f"m{index}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SageMaker",
                    "MetricName": named,
                    "Dimensions": dimensions(kind, ResourceNames(self._prefix, name), named),
                },
                "Period": int(_PERIOD.total_seconds()),
                "Stat": statistic,
            },
        }


@dataclass(frozen=True)
class _Queues:
    backlog: int | None
    deferrable: int
    trouble: str | None = None


@dataclass
class _Series:
    """The last minutes of an endpoint's metrics, by key: (start of the minute, value)."""

    points: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)
    trouble: str | None = None

    def add(self, key: str, starts: Sequence[datetime], values: Sequence[float]) -> None:
        self.points.setdefault(key, []).extend(zip(starts, values, strict=True))

    def newest(self, key: str) -> float | None:
        points = self.points.get(key)
        return max(points)[1] if points else None

    def total(self, key: str) -> float | None:
        points = self.points.get(key)
        return sum(value for _, value in points) if points else None

    def busiest(self, key: str) -> float | None:
        """A second, in the busiest minute."""
        points = self.points.get(key)
        return max(value for _, value in points) / _PERIOD.total_seconds() if points else None

    def last_above_zero(self, key: str, now: datetime) -> datetime | None:
        """The end of the last minute in which there was anything."""
        ends = [start + _PERIOD for start, value in self.points.get(key, ()) if value]
        return min(max(ends), now) if ends else None


def _load(queues: _Queues, series: _Series, now: datetime) -> Load:
    return Load(
        backlog=queues.backlog,
        deferrable=queues.deferrable,
        concurrency_per_copy=series.newest("concurrency"),
        invocations=series.total("invocations"),
        seconds_per_request=_seconds(series.newest("latency")),
        served_per_second=series.busiest("invocations"),
        invoked_at=series.last_above_zero("invocations", now),
        trouble=queues.trouble or series.trouble,
    )


def _seconds(microseconds: float | None) -> float | None:
    return microseconds / 1e6 if microseconds else None
