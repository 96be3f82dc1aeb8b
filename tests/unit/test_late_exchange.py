"""What a container writes into the exchange of an async endpoint leads nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from autoscaler.aws import late as aws_late
from autoscaler.aws.late import S3LateModels
from autoscaler.endpoints import late
from autoscaler.endpoints.completions import IncompleteAnswerError
from autoscaler.ports import ModelError

BUCKET, NAME, ID = "results", "llama", "r-1#digest"
OWN = late.late_uri(BUCKET, NAME)
SECRET = "what somebody else was answered"
ANSWER = {"choices": [{"message": {"content": "because"}, "finish_reason": "stop"}]}
ELSEWHERE = (
    "results/other/theirs.json",
    "requests/other/theirs.json",
    "answers/other/theirs.json",
    "async/other/answers/theirs.out",
    "async/llama-two/answers/theirs.out",
)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        made = boto3.client("s3", region_name="us-east-1")
        made.create_bucket(Bucket=BUCKET)
        yield made


@pytest.fixture
def models(s3: Any) -> S3LateModels:
    return S3LateModels("autoscaler", BUCKET, s3, runtime=object())


def put(s3: Any, key: str, document: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(document).encode())


def keys(s3: Any) -> set[str]:
    return {one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())}


@pytest.mark.parametrize("where", ["answer", "failure"])
@pytest.mark.parametrize("key", ELSEWHERE)
def test_a_receipt_that_leads_out_of_the_exchange_reads_and_removes_nothing_there(
    s3: Any, models: S3LateModels, key: str, where: str
) -> None:
    put(s3, key, {"said": SECRET})
    forged = {"answer": f"{OWN}answers/none.out", "failure": f"{OWN}failures/none.out"}
    for uri in (f"s3://{BUCKET}/{key}", key):
        put(s3, late.receipt_key(NAME, ID), {**forged, where: uri})
        assert models.look(NAME, ID) is None
        models.forget(NAME, ID)
        assert keys(s3) == {key}


@pytest.mark.parametrize("odd", ["x", 3, None, [], ["answer"], {"answer": 1, "failure": {}}])
def test_a_receipt_that_is_none_leaves_the_answer_where_it_was_to_be_put(
    s3: Any, models: S3LateModels, odd: Any
) -> None:
    put(s3, late.receipt_key(NAME, ID), odd)
    put(s3, late.answer_key(NAME, ID), ANSWER)
    found = models.look(NAME, ID)
    assert found is not None and found.body["choices"][0]["message"]["content"] == "because"
    models.forget(NAME, ID)
    assert keys(s3) == set()


def test_what_sagemaker_said_is_where_the_answer_is(s3: Any, models: S3LateModels) -> None:
    told = {"answer": f"{OWN}answers/theirs.out", "failure": f"{OWN}failures/theirs.out"}
    put(s3, late.receipt_key(NAME, ID), told)
    assert models.look(NAME, ID) is None
    put(s3, f"{late.late_prefix(NAME)}answers/theirs.out", ANSWER)
    assert models.look(NAME, ID) is not None
    models.forget(NAME, ID)
    assert keys(s3) == set()


def test_an_answer_that_fills_the_memory_is_not_read(
    s3: Any, models: S3LateModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_late, "LARGEST_ANSWER_BYTES", 1000)
    put(s3, late.answer_key(NAME, ID), {"said": "a" * 1000})
    with pytest.raises(IncompleteAnswerError, match="longer than 1,000 bytes"):
        models.look(NAME, ID)


@pytest.mark.parametrize(
    "odd",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"choices": [3]}',
        b'{"choices": 3}',
        b'{"choices": [{"message": {}, "finish_reason": "stop"}',
        b'data: {"choices": [{"delta": {"tool_calls": [7]}}]}\n\n',
        b"\xff\xfe{",
    ],
)
def test_an_answer_that_nobody_can_read_is_a_failed_try_and_no_trouble_for_ever(
    s3: Any, models: S3LateModels, odd: bytes
) -> None:
    s3.put_object(Bucket=BUCKET, Key=late.answer_key(NAME, ID), Body=odd)
    with pytest.raises(IncompleteAnswerError):
        models.look(NAME, ID)


def test_sagemaker_is_told_how_long_a_request_may_wait_and_work_and_where_all_of_it_lies(
    s3: Any,
) -> None:
    """Unless told it would end the work after 15 minutes, and give the answer a name that nobody
    finds without a receipt."""
    runtime = boto3.client(
        "sagemaker-runtime",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    theirs = {"OutputLocation": f"{OWN}answers/a.out", "FailureLocation": f"{OWN}failures/a.out"}
    asked = {
        "EndpointName": "autoscaler-llama",
        "ContentType": "application/json",
        "Accept": "application/json",
        "InputLocation": f"s3://{BUCKET}/{late.question_key(NAME, ID)}",
        "Filename": late.answer_key(NAME, ID).rpartition("/")[2],
        "RequestTTLSeconds": 6 * 3600,
        "InvocationTimeoutSeconds": 3600,
    }
    with Stubber(runtime) as stub:
        stub.add_response("invoke_endpoint_async", theirs, asked)
        models = S3LateModels("autoscaler", BUCKET, s3, runtime)
        models.ask(NAME, ID, {"messages": [], "stream": True})
        stub.assert_no_pending_responses()
    assert keys(s3) == {late.question_key(NAME, ID), late.receipt_key(NAME, ID)}
    assert models.was_asked(NAME, ID)


class RefusingOnce:
    """An S3 client that refuses one deletion, by its number."""

    def __init__(self, s3: Any, refused: int) -> None:
        self._s3, self._left = s3, refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def delete_object(self, **arguments: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            raise ClientError({"Error": {"Code": "SlowDown"}}, "DeleteObject")
        return self._s3.delete_object(**arguments)


@pytest.mark.parametrize("refused", [1, 2, 3, 4])
def test_what_could_not_be_forgotten_at_once_is_found_and_forgotten_later(
    s3: Any, refused: int
) -> None:
    """Only the receipt says where SageMaker has put things, so it goes last."""
    told = {"answer": f"{OWN}answers/theirs.out", "failure": f"{OWN}failures/theirs.out"}
    put(s3, late.receipt_key(NAME, ID), told)
    put(s3, late.question_key(NAME, ID), {})
    put(s3, f"{late.late_prefix(NAME)}failures/theirs.out", "it died")
    models = S3LateModels("autoscaler", BUCKET, RefusingOnce(s3, refused), runtime=object())
    with pytest.raises(ClientError, match="SlowDown"):
        models.forget(NAME, ID)
    assert models.was_asked(NAME, ID)
    if refused <= 2:  # the failure is the second
        with pytest.raises(ModelError, match="it died"):
            models.look(NAME, ID)
    models.forget(NAME, ID)
    assert keys(s3) == set()
