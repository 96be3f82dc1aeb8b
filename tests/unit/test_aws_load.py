"""Demand as AWS tells it: what it costs to ask, and what becomes of a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.aws.load import AwsLoadReader
from tests.memory import NOON

MINUTE = timedelta(minutes=1)


def throttled(operation: str) -> ClientError:
    reply = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}
    return ClientError(reply, operation)


class Sqs:
    """Queues with three messages, or another number; some are refused."""

    def __init__(self, *refused: str, holds: int = 3) -> None:
        self.refused, self._holds = refused, holds

    def get_queue_url(self, QueueName: str) -> dict[str, str]:
        if QueueName in self.refused:
            raise throttled("GetQueueUrl")
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessages": str(self._holds)}}


class Wrong(Sqs):
    """Says so many times, in answer to one of the two calls, that there is no such queue."""

    def __init__(self, times: int, to: str) -> None:
        super().__init__()
        self._left, self._to = times, to

    def get_queue_url(self, QueueName: str) -> dict[str, str]:
        self._miss("GetQueueUrl")
        return super().get_queue_url(QueueName)

    def get_queue_attributes(self, **asked: Any) -> dict[str, Any]:
        self._miss("GetQueueAttributes")
        return super().get_queue_attributes(**asked)

    def _miss(self, operation: str) -> None:
        if operation == self._to and self._left:
            self._left -= 1
            code = "AWS.SimpleQueueService.NonExistentQueue"
            raise ClientError({"Error": {"Code": code, "Message": "None."}}, operation)


class CloudWatch:
    """Counts what is asked; answers nothing, or refuses one of the calls."""

    def __init__(self, refused_call: int = -1) -> None:
        self.calls: list[list[Any]] = []
        self._refused = refused_call

    def get_paginator(self, _: str) -> CloudWatch:
        return self

    def paginate(self, MetricDataQueries: list[Any], **_: Any) -> list[Any]:
        self.calls.append(MetricDataQueries)
        if len(self.calls) - 1 == self._refused:
            raise throttled("GetMetricData")
        return []


class Minutes:
    """Answers values of minutes that follow each other; the first began so many ago."""

    def __init__(self, values: Mapping[str, Sequence[float]], ago: int = 3) -> None:
        self._values, self._first = values, NOON - ago * MINUTE
        self.began: datetime | None = None

    def get_paginator(self, _: str) -> Minutes:
        return self

    def paginate(self, MetricDataQueries: list[Any], StartTime: datetime, **_: Any) -> list[Any]:
        self.began = StartTime
        keys = ("concurrency", "invocations", "latency")
        results = []
        for number, query in enumerate(MetricDataQueries):
            values = self._values.get(keys[number % 3], ())
            starts = [self._first + n * MINUTE for n in range(len(values))]
            results.append({"Id": query["Id"], "Timestamps": starts, "Values": list(values)})
        return [{"MetricDataResults": results}]


def test_a_thousand_endpoints_take_six_calls_and_one_that_rests_takes_none() -> None:
    names, metrics = [f"e{n}" for n in range(1000)], CloudWatch()
    AwsLoadReader("s", sqs=Sqs(), cloudwatch=metrics).read(names, NOON)
    assert [len(call) for call in metrics.calls] == [500] * 6
    metrics.calls.clear()
    loads = AwsLoadReader("s", sqs=Sqs(), cloudwatch=metrics).read(names, NOON, resting=names[1:])
    assert [len(call) for call in metrics.calls] == [3]
    assert loads["e999"].backlog == 3, "its queue is read all the same"


def test_a_queue_that_is_refused_is_the_trouble_of_its_own_endpoint() -> None:
    reader = AwsLoadReader("s", sqs=Sqs("s-b"), cloudwatch=CloudWatch())
    loads = reader.read(["a", "b"], NOON)
    assert (loads["a"].backlog, loads["a"].trouble) == (3, None)
    assert loads["b"].backlog is None
    assert "Rate exceeded" in (loads["b"].trouble or "")


@pytest.mark.parametrize("to", ["GetQueueUrl", "GetQueueAttributes"])
@pytest.mark.parametrize(("times", "holds"), [(0, 3), (1, 3), (2, 0)])
def test_that_there_is_no_queue_is_believed_when_it_is_said_twice(
    times: int, holds: int, to: str
) -> None:
    """A deletion asks so whether requests wait that it would refuse."""
    for asked in (AwsLoadReader.backlog, AwsLoadReader.deferrable, AwsLoadReader.dead_letters):
        reader = AwsLoadReader("s", sqs=Wrong(times, to), cloudwatch=CloudWatch())
        assert asked(reader, "a") == holds


def test_metrics_that_are_refused_are_missing_and_never_zero() -> None:
    names = [f"e{n}" for n in range(400)]
    reader = AwsLoadReader("s", sqs=Sqs(), cloudwatch=CloudWatch(refused_call=1))
    loads = reader.read(names, NOON)
    troubled = [name for name in names if loads[name].trouble]
    assert troubled == names[166:334], "those of the refused call"
    assert all(loads[name].concurrency_per_copy is None for name in troubled)
    assert loads["e399"].trouble is None


def test_of_one_that_is_quiet_metrics_are_left_out_unless_something_waits() -> None:
    metrics = CloudWatch()
    reader = AwsLoadReader("s", sqs=Sqs(), cloudwatch=metrics)
    loads = reader.read(["a"], NOON, quiet=["a"])
    assert (len(metrics.calls), loads["a"].unread, loads["a"].backlog) == (1, False, 3)
    empty = AwsLoadReader("s", sqs=Sqs(holds=0), cloudwatch=metrics)
    loads = empty.read(["a", "b"], NOON, quiet=["a"])
    assert [len(call) for call in metrics.calls[1:]] == [3], "of b alone"
    assert (loads["a"].unread, loads["b"].unread) == (True, False)
    assert loads["a"].concurrency_per_copy is None


def test_minutes_are_told_from_where_they_were_read_last_and_once() -> None:
    ended = {"concurrency": [2.0, 0.0, 4.0], "invocations": [5.0, 0.0]}
    metrics = Minutes(ended)
    reader = AwsLoadReader("s", sqs=Sqs(), cloudwatch=metrics)
    loads = reader.read(["a", "b"], NOON, since={"a": NOON - 2 * MINUTE})
    assert metrics.began == NOON - 3 * MINUTE
    told = [(m.end, m.concurrency_per_copy, m.invocations) for m in loads["a"].minutes]
    assert told == [(NOON - MINUTE, 0.0, 0.0), (NOON, 4.0, 0.0)]
    assert loads["b"].minutes == (), "at every look"
    reader.read(["a"], NOON, since={"a": NOON - 8 * MINUTE})
    assert metrics.began == NOON - 9 * MINUTE, "the minute in which they were read may be in it"


def test_the_present_is_of_the_last_three_minutes_however_far_back_is_read() -> None:
    metrics = Minutes({"concurrency": [9.0], "invocations": [600.0]}, ago=7)
    reader = AwsLoadReader("s", sqs=Sqs(), cloudwatch=metrics)
    load = reader.read(["a"], NOON, since={"a": NOON - 8 * MINUTE})["a"]
    assert (load.concurrency_per_copy, load.served_per_second, load.invocations) == (None,) * 3
    assert load.invoked_at == NOON - 6 * MINUTE
    assert [m.end for m in load.minutes] == [NOON - 6 * MINUTE]
