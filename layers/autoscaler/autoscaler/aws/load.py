"""Reads demand: queues from SQS itself, concurrency and latency from CloudWatch.

SQS's own numbers, because its CloudWatch metrics come once a minute and may lag by 15 minutes
after a queue was idle. CloudWatch in batches of 500, because GetMetricData takes no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ..endpoints.names import ResourceNames
from ..ports import Load
from .clients import client, error_code

_QUERIES_PER_CALL = 500
_LOOK_BACK = timedelta(minutes=3)
_THREADS = 16
_METRICS = (
    # (key, metric, statistic); ModelLatency is in microseconds.
    ("concurrency", "ConcurrentRequestsPerCopy", "Maximum"),
    ("invocations", "Invocations", "Sum"),
    ("latency", "ModelLatency", "Average"),
)
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


class AwsLoadReader:
    """LoadReader over SQS and CloudWatch."""

    def __init__(self, prefix: str, sqs: Any = None, cloudwatch: Any = None) -> None:
        self._prefix = prefix
        self._sqs = sqs or client("sqs")
        self._cloudwatch = cloudwatch or client("cloudwatch")
        self._urls: dict[str, str] = {}

    def read(self, names: Sequence[str], now: datetime) -> Mapping[str, Load]:
        metrics = self._metrics(names, now)
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            backlogs = dict(zip(names, pool.map(self._backlog_or_none, names), strict=True))
        return {
            name: Load(
                backlog=backlogs[name],
                concurrency_per_copy=metrics.get((name, "concurrency")),
                invocations=metrics.get((name, "invocations")),
                seconds_per_request=_seconds(metrics.get((name, "latency"))),
            )
            for name in names
        }

    def backlog(self, name: str) -> int:
        """A queue that does not exist (yet, or any more) holds nothing."""
        return self._backlog_or_none(name) or 0

    def _count(self, name: str) -> int:
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self.queue_url(name),
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        )["Attributes"]
        return sum(int(value) for value in attributes.values())

    def queue_url(self, name: str) -> str:
        """The URL of an endpoint's queue; raises botocore's QueueDoesNotExist."""
        if name not in self._urls:
            queue = ResourceNames(self._prefix, name).queue
            self._urls[name] = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return self._urls[name]

    def _backlog_or_none(self, name: str) -> int | None:
        try:
            return self._count(name)
        except ClientError as error:
            # A queue that is not there yet has no backlog to tell; every other error is loud.
            if error_code(error) in _NO_QUEUE:
                return None
            raise

    def _metrics(self, names: Sequence[str], now: datetime) -> dict[tuple[str, str], float]:
        found: dict[tuple[str, str], float] = {}
        wanted = [(name, *metric) for name in names for metric in _METRICS]
        for first in range(0, len(wanted), _QUERIES_PER_CALL):
            batch = wanted[first : first + _QUERIES_PER_CALL]
            pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[self._query(i, *entry) for i, entry in enumerate(batch)],
                StartTime=now - _LOOK_BACK,
                EndTime=now,
            )
            for page in pages:
                for reply in page["MetricDataResults"]:
                    name, key, _, statistic = batch[int(reply["Id"][1:])]
                    if reply["Values"]:
                        total = sum if statistic == "Sum" else max
                        found[name, key] = total(reply["Values"])
        return found

    def _query(self, index: int, name: str, _key: str, metric: str, statistic: str) -> Any:
        component = ResourceNames(self._prefix, name).component
        return {
            "Id": f"m{index}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SageMaker",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "InferenceComponentName", "Value": component}],
                },
                "Period": 60,
                "Stat": statistic,
            },
        }


def _seconds(microseconds: float | None) -> float | None:
    return microseconds / 1e6 if microseconds else None
