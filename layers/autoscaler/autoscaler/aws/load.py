"""Reads demand: queues from SQS itself, concurrency and latency from CloudWatch.

SQS's own numbers, because its CloudWatch metrics come once a minute and may lag by 15 minutes
after a queue was idle. CloudWatch in batches of 500, because GetMetricData takes no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..endpoints.kinds import dimensions, manner
from ..endpoints.names import ResourceNames
from ..ports import Load, Minute
from ..spec import Kind
from .clients import NO_QUEUE, client, error_code
from .metric_data import read_metric_data

_QUERIES_PER_CALL = 500
_LOOK_BACK = timedelta(minutes=3)  # what is older says nothing about the present
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
        quiet: Collection[str] = (),
        since: Mapping[str, datetime] | None = None,
        unasked: Collection[str] = (),
    ) -> Mapping[str, Load]:
        later = [name not in unasked for name in names]
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            queues = dict(zip(names, pool.map(self._queue, names, later), strict=True))
        unread = {name for name in quiet if name in queues and queues[name].is_empty}
        asked = [name for name in names if name not in resting and name not in unread]
        metrics = self._metrics(asked, now, kinds or {}, since or {})
        return {
            name: _load(queues[name], metrics.get(name, _Series(now)), unread=name in unread)
            for name in names
        }

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

    def _queue(self, name: str, later: bool) -> _Queues:
        """What waits in its queues, or why it is not known."""
        try:
            backlog = self._backlog_or_none(name)
            deferrable = self.deferrable(name) if later else 0  # also where the other one is gone
        except (ClientError, BotoCoreError) as error:
            return _Queues(None, 0, f"its queue could not be read: {error}")
        return _Queues(backlog, deferrable)

    def _backlog_or_none(self, name: str) -> int | None:
        return self._count_or_none(ResourceNames(self._prefix, name).queue)

    def _count_or_none(self, queue: str, of: Sequence[str] = _IN_ALL) -> int | None:
        """None: there is no such queue, as SQS says twice. One wrong word would have a deletion
        refuse the requests that wait."""
        for _ in range(2):
            try:
                return self._count(queue, of)
            except ClientError as error:
                # A queue that is not there yet has no backlog to tell; every other error is loud.
                if error_code(error) not in NO_QUEUE:
                    raise
        return None

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
        self,
        names: Sequence[str],
        now: datetime,
        kinds: Mapping[str, Kind],
        since: Mapping[str, datetime],
    ) -> dict[str, _Series]:
        found = {name: _Series(now, since.get(name)) for name in names}
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
                    found[name] = _Series(now, trouble=f"its metrics could not be read: {error}")
        return found

    def _read_batch(self, batch: _Batch, found: dict[str, _Series], now: datetime) -> None:
        # One time for all of them: points that come back cost nothing.
        first = min(found[name].first for name, *_ in batch)
        queries = [self._query(i, *entry) for i, entry in enumerate(batch)]
        read = read_metric_data(self._cloudwatch, queries, first, now)
        for which, points in read.points.items():
            name, _, key, _, _ = batch[int(which[1:])]
            found[name].add(key, points)
        for which, code in read.unread.items():
            name, _, key, _, _ = batch[int(which[1:])]
            found[name] = _Series(now, trouble=f"its {key} could not be read: {code}")

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

    @property
    def is_empty(self) -> bool:
        return self.backlog == 0 and not self.deferrable


@dataclass
class _Series:
    """An endpoint's metrics until `now`, by key: (start of the minute, value)."""

    now: datetime
    since: datetime | None = None  # they were read until then
    points: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)
    trouble: str | None = None

    @property
    def first(self) -> datetime:
        """The minute in which they were read last may not have been over."""
        recent = self.now - _LOOK_BACK
        return min(recent, self.since - _PERIOD) if self.since else recent

    def add(self, key: str, points: Iterable[tuple[datetime, float]]) -> None:
        known = self.points.setdefault(key, [])
        known += [one for one in points if one[0] >= self.first]

    def newest(self, key: str) -> float | None:
        points = self._recent(key)
        return max(points)[1] if points else None

    def total(self, key: str) -> float | None:
        points = self._recent(key)
        return sum(value for _, value in points) if points else None

    def busiest(self, key: str) -> float | None:
        """A second, in the busiest of the last minutes."""
        points = self._recent(key)
        return max(value for _, value in points) / _PERIOD.total_seconds() if points else None

    def last_above_zero(self, key: str) -> datetime | None:
        """The end of the last minute in which there was anything."""
        ends = [start + _PERIOD for start, value in self.points.get(key, ()) if value]
        return min(max(ends), self.now) if ends else None

    def minutes(self) -> tuple[Minute, ...]:
        """Those that were over and not yet told; none if they were read at the last look too."""
        if self.since is None:
            return ()
        invocations = dict(self.points.get("invocations", ()))
        known = sorted(self.points.get("concurrency", ()))
        return tuple(
            Minute(start + _PERIOD, value, invocations.get(start, 0.0))
            for start, value in known
            if self.since < start + _PERIOD <= self.now
        )

    def _recent(self, key: str) -> list[tuple[datetime, float]]:
        return [one for one in self.points.get(key, ()) if one[0] >= self.now - _LOOK_BACK]


def _load(queues: _Queues, series: _Series, *, unread: bool) -> Load:
    return Load(
        backlog=queues.backlog,
        deferrable=queues.deferrable,
        concurrency_per_copy=series.newest("concurrency"),
        invocations=series.total("invocations"),
        seconds_per_request=_seconds(series.newest("latency")),
        served_per_second=series.busiest("invocations"),
        invoked_at=series.last_above_zero("invocations"),
        trouble=queues.trouble or series.trouble,
        unread=unread,
        minutes=series.minutes(),
    )


def _seconds(microseconds: float | None) -> float | None:
    return microseconds / 1e6 if microseconds else None
