"""A series that CloudWatch could not read is none without values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.aws.asked import read_recorded
from autoscaler.aws.load import AwsLoadReader
from autoscaler.aws.own_usage import ControllerMetrics
from tests.memory import NOON
from tests.unit.test_aws_load import Sqs

HOUR = timedelta(hours=1)


class Pages:
    """Answers every query with 1.0, and those of `broken` with a status and nothing, on the first
    page; with `mended` a second page has what they lacked."""

    def __init__(self, *broken: str, status: str = "InternalError", mended: bool = False) -> None:
        self._broken, self._status, self._mended = broken, status, mended

    def get_paginator(self, _: str) -> Pages:
        return self

    def paginate(self, MetricDataQueries: list[Any], **_: Any) -> list[Any]:
        ids = [query["Id"] for query in MetricDataQueries]
        first = [self._read(one, broken=one in self._broken) for one in ids]
        second = [self._read(one, broken=False) for one in ids if one in self._broken]
        pages = [first, second] if self._mended else [first]
        return [{"MetricDataResults": page} for page in pages]

    def _read(self, which: str, broken: bool) -> dict[str, Any]:
        start = NOON - timedelta(minutes=2)
        if broken:
            return {"Id": which, "StatusCode": self._status, "Timestamps": [], "Values": []}
        return {"Id": which, "StatusCode": "Complete", "Timestamps": [start], "Values": [1.0]}


@pytest.mark.parametrize("status", ["InternalError", "Forbidden"])
def test_an_endpoint_whose_requests_could_not_be_read_is_not_idle(status: str) -> None:
    """Its concurrency may be zero in each moment that SageMaker looks at."""
    reader = AwsLoadReader("s", sqs=Sqs(), cloudwatch=Pages("m1", status=status))  # invocations
    loads = reader.read(["a", "b"], NOON)
    assert f"its invocations could not be read: {status}" in (loads["a"].trouble or "")
    assert loads["a"].concurrency_per_copy is None
    assert (loads["b"].trouble, loads["b"].concurrency_per_copy) == (None, 1.0)


def test_what_a_later_page_has_is_read() -> None:
    reader = AwsLoadReader("s", sqs=Sqs(), cloudwatch=Pages("m1", mended=True))
    load = reader.read(["a"], NOON)["a"]
    assert (load.trouble, load.invocations) == (None, 1.0)


def test_no_report_has_a_sum_of_which_a_part_could_not_be_read() -> None:
    usage = ControllerMetrics("s", {"reconcile": 512}, "t", (), Pages("m0"))
    with pytest.raises(ClientError, match=r"1 of the series could not be read \(m0"):
        usage.read(NOON - HOUR, NOON, lambda _start, _end: True)
    mended = ControllerMetrics("s", {"reconcile": 512}, "t", (), Pages("m0", mended=True))
    assert mended.read(NOON - HOUR, NOON, lambda _s, _e: True).invocations == {"reconcile": 1}


def test_nor_is_a_history_replayed_that_lacks_requests() -> None:
    with pytest.raises(ClientError, match="could not be read"):
        read_recorded(Pages("m0"), "s", ["a"], NOON, 14)
