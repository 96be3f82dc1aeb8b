"""What `ports.ResultStore` promises, checked over every implementation of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from autoscaler.aws.results import S3Results
from autoscaler.ports import ResultStore
from tests.desk import MemoryResults

FIRST = {"id": "r", "answer": {"text": "first"}}
SECOND = {"id": "r", "answer": {"text": "second"}}
ERROR = {"id": "r", "error": "gave up"}
BUCKET, KEY = "results", "results/llama/r.json"


@dataclass
class Results:
    """A store and what a sender finds in it."""

    store: ResultStore
    read: Callable[[], Mapping[str, Any]]


class Races:
    """An S3 client; `meanwhile` happens once, just before the next write is carried out."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.meanwhile: Callable[[], Any] | None = None

    def put_object(self, **arguments: Any) -> Any:
        happens, self.meanwhile = self.meanwhile, None
        if happens:
            happens()
        return self._s3.put_object(**arguments)

    def head_object(self, **arguments: Any) -> Any:
        return self._s3.head_object(**arguments)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def stored(s3: Any) -> dict[str, Any]:
    return dict(json.loads(s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()))


@pytest.fixture(params=["memory", "s3"])
def results(request: pytest.FixtureRequest, s3: Any) -> Results:
    if request.param == "memory":
        memory = MemoryResults()
        return Results(memory, lambda: memory.stored["llama/r"])
    return Results(S3Results(BUCKET, s3), lambda: stored(s3))


def test_a_result_is_found_where_it_was_put(results: Results) -> None:
    assert results.store.find("llama", "r") is None
    where = results.store.put_once("llama", "r", FIRST)
    assert results.store.find("llama", "r") == where
    assert results.store.find("mistral", "r") is None
    assert results.read() == FIRST


@pytest.mark.parametrize("later", [SECOND, ERROR])
def test_an_answer_stays_as_it_was_first_stored(results: Results, later: dict[str, Any]) -> None:
    where = results.store.put_once("llama", "r", FIRST)
    assert results.store.put_once("llama", "r", later) is None
    assert results.store.find("llama", "r") == where
    assert results.read() == FIRST


def test_a_refusal_gives_way_to_an_answer_and_to_a_later_refusal(results: Results) -> None:
    results.store.put_once("llama", "r", ERROR)
    assert results.store.find("llama", "r") is None
    results.store.put_once("llama", "r", {**ERROR, "error": "another"})
    assert results.read()["error"] == "another"
    results.store.put_once("llama", "r", FIRST)
    assert results.read() == FIRST


@pytest.mark.parametrize("before", [None, ERROR])
def test_of_two_answers_at_the_same_moment_one_is_stored(s3: Any, before: Any) -> None:
    racing = Races(s3)
    mine, other = S3Results(BUCKET, racing), S3Results(BUCKET, s3)
    if before:
        other.put_once("llama", "r", before)
    racing.meanwhile = lambda: other.put_once("llama", "r", FIRST)
    mine.put_once("llama", "r", SECOND)
    assert racing.meanwhile is None, "it happened"
    assert stored(s3) == FIRST


@pytest.mark.parametrize("mine", [SECOND, {**ERROR, "error": "another"}])
def test_an_answer_that_comes_after_a_look_at_the_error_is_not_overwritten(
    s3: Any, mine: dict[str, Any]
) -> None:
    """A write over an error is of the error that was seen, and not of what took its place."""
    other, answers = S3Results(BUCKET, s3), [FIRST]

    class OvertakenAfterItsLook(Races):
        def head_object(self, **arguments: Any) -> Any:
            seen = super().head_object(**arguments)
            if answers:
                first = answers.pop()
                self.meanwhile = lambda: other.put_once("llama", "r", first)
            return seen

    other.put_once("llama", "r", ERROR)
    racing = OvertakenAfterItsLook(s3)
    assert S3Results(BUCKET, racing).put_once("llama", "r", mine) is None
    assert (answers, racing.meanwhile) == ([], None), "it happened"
    assert stored(s3) == FIRST


def test_a_write_that_met_another_is_tried_again_and_given_up_in_the_end(s3: Any) -> None:
    conflicts = [3]

    class Conflicting(Races):
        def put_object(self, **arguments: Any) -> Any:
            if conflicts[0]:
                conflicts[0] -= 1
                error = {"Error": {"Code": "ConditionalRequestConflict", "Message": "again"}}
                raise ClientError(error, "PutObject")
            return super().put_object(**arguments)

    results = S3Results(BUCKET, Conflicting(s3))
    results.put_once("llama", "r", FIRST)
    assert (conflicts, stored(s3)) == ([0], FIRST)
    conflicts[0] = 100
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        results.put_once("llama", "other", FIRST)
