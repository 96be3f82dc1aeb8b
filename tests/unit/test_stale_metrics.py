"""Metrics that are old, late or partly there: what is not of the last minutes is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest

from autoscaler.aws.load import AwsLoadReader
from autoscaler.control.reconcile import reconcile
from autoscaler.policy.types import Phase
from autoscaler.ports import Load
from tests.memory import NOON, memory_world
from tests.samples import awake, put

NAME = "llama"
KEYS = ("concurrency", "invocations", "latency")
Points = dict[str, Sequence[tuple[float, float]]]  # by key: minutes ago, and the value


@dataclass
class CloudWatch:
    """Answers what lies between the times that it was asked for, as the service does."""

    points: Points
    asked: int = 0

    def get_paginator(self, _operation: str) -> Any:
        return SimpleNamespace(paginate=self._pages)

    def _pages(
        self, *, MetricDataQueries: Any, StartTime: datetime, EndTime: datetime
    ) -> list[Any]:
        self.asked += 1
        results = []
        for query, key in zip(MetricDataQueries, KEYS, strict=True):
            times = [(NOON - timedelta(minutes=m), v) for m, v in self.points.get(key, ())]
            within = [(at, value) for at, value in times if StartTime <= at < EndTime]
            results.append(
                {
                    "Id": query["Id"],
                    "Timestamps": [at for at, _ in within],
                    "Values": [value for _, value in within],
                }
            )
        return [{"MetricDataResults": results}]


class Queue:
    def get_queue_url(self, **_named: str) -> dict[str, str]:
        return {"QueueUrl": "https://sqs.example/llama"}

    def get_queue_attributes(self, **_named: Any) -> dict[str, Any]:
        return {"Attributes": {"ApproximateNumberOfMessages": "0"}}


def read(points: Points) -> Load:
    cloudwatch = CloudWatch(points)
    load = AwsLoadReader("a", Queue(), cloudwatch).read([NAME], NOON)[NAME]
    assert cloudwatch.asked == 1
    return load


def test_points_of_before_are_missing_and_never_the_present() -> None:
    old = [(minutes, 9.0) for minutes in (4, 5, 60)]
    load = read({"concurrency": old, "invocations": old, "latency": old})
    assert (load.concurrency_per_copy, load.invocations, load.seconds_per_request) == (None,) * 3
    assert load.invoked_at is None


@pytest.mark.parametrize("points", [*permutations([(1, 3.0), (3, 9.0), (2, 5.0)])], ids=str)
def test_of_points_that_came_late_the_newest_counts_whatever_their_order(points) -> None:
    load = read({"concurrency": list(points), "invocations": [(2, 4.0)]})
    assert load.concurrency_per_copy == 3.0
    assert load.invoked_at == NOON - timedelta(minutes=1)


def test_one_metric_that_lags_is_missing_alone() -> None:
    load = read({"concurrency": [(5, 9.0)], "invocations": [(1, 4.0)]})
    assert (load.concurrency_per_copy, load.invocations) == (None, 4.0)


@pytest.mark.parametrize("invocations", [None, 0.0])
def test_while_a_metric_is_stale_nothing_sleeps_and_it_is_told(invocations: float | None) -> None:
    world = memory_world()
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    stale = read({"concurrency": [(30, 0.0)]})
    world.load.loads[NAME] = Load(0, stale.concurrency_per_copy, invocations)
    for _ in range(120):
        world.clock.forward(minutes=1)
        reconcile(world)
    status = world.store.records[NAME].status
    assert (status.phase, status.missing_told) == (Phase.AWAKE, True)
    assert world.announcer.kinds().count("SignalMissing") == 1
    assert world.flows.started == []
