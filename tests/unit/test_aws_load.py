"""Demand as AWS tells it: what it costs to ask, and what becomes of a refusal."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from autoscaler.aws.load import AwsLoadReader
from tests.memory import NOON


def throttled(operation: str) -> ClientError:
    reply = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}
    return ClientError(reply, operation)


class Sqs:
    """Queues with three messages; some are refused."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused

    def get_queue_url(self, QueueName: str) -> dict[str, str]:
        if QueueName in self.refused:
            raise throttled("GetQueueUrl")
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessages": "3"}}


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


def test_metrics_that_are_refused_are_missing_and_never_zero() -> None:
    names = [f"e{n}" for n in range(400)]
    reader = AwsLoadReader("s", sqs=Sqs(), cloudwatch=CloudWatch(refused_call=1))
    loads = reader.read(names, NOON)
    troubled = [name for name in names if loads[name].trouble]
    assert troubled == names[166:334], "those of the refused call"
    assert all(loads[name].concurrency_per_copy is None for name in troubled)
    assert loads["e399"].trouble is None
