"""Answers go to queues of the list only, by URL or ARN; and a result is stored once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from autoscaler.aws.bodies import LARGEST_BYTES, S3Bodies
from autoscaler.aws.outlets import AwsOutlets
from autoscaler.aws.results import S3Results
from autoscaler.ports import BodyError, ReplyError
from autoscaler.spec import ReplyTo

ARN = "arn:aws:sqs:eu-west-1:123456789012:answers"
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/answers"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="eu-west-1")


@pytest.mark.parametrize("queue", [ARN, URL])
def test_a_queue_of_the_list_gets_the_answer(aws, queue) -> None:
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName="answers")["QueueUrl"]
    AwsOutlets([ARN], [], sqs).send(ReplyTo(queue=queue), "llama", "r-1", b'{"id": "r-1"}')
    (got,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(got["Body"]) == {"id": "r-1"}


def test_a_fifo_queue_gets_it_once_for_each_request(aws) -> None:
    sqs = aws("sqs")
    fifo = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName="answers.fifo", Attributes=fifo)["QueueUrl"]
    outlets = AwsOutlets([f"{ARN}.fifo"], [], sqs)
    for request_id in ("r-1", "r-1", "r-2"):
        outlets.send(ReplyTo(queue=f"{ARN}.fifo"), "llama", request_id, request_id.encode())
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "2"


def test_a_fifo_queue_gets_the_answer_to_a_mended_request_after_its_refusal(aws) -> None:
    """SQS drops what has the same id within five minutes."""
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName="answers.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    outlets = AwsOutlets([f"{ARN}.fifo"], [], sqs)
    said = [b'{"id": "r", "error": "no"}', b'{"id": "r", "answer": 1}']
    for document in said:
        outlets.send(ReplyTo(queue=f"{ARN}.fifo"), "llama", "r", document)
    got = []
    while found := sqs.receive_message(QueueUrl=url).get("Messages"):
        got += [one["Body"].encode() for one in found]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
    assert got == said


@pytest.mark.parametrize(
    "queue",
    [
        ARN.replace("answers", "others"),
        ARN.replace("123456789012", "210987654321"),
        URL.replace("eu-west-1", "us-east-1"),
        URL.replace("answers", "others"),
    ],
)
def test_another_queue_is_refused(aws, queue) -> None:
    outlets = AwsOutlets([ARN], [], aws("sqs"))
    assert "is not among this stack's ReplyQueues" in (outlets.problem(ReplyTo(queue=queue)) or "")
    with pytest.raises(ReplyError):
        outlets.send(ReplyTo(queue=queue), "llama", "r-1", b"{}")


def test_without_lists_nothing_may_be_sent_anywhere(aws) -> None:
    outlets = AwsOutlets([""], [""], aws("sqs"))
    assert outlets.problem(ReplyTo(queue=ARN))
    assert outlets.problem(ReplyTo(url="https://hooks.example.com/"))


def test_a_queue_that_is_gone_is_told_by_its_code(aws) -> None:
    with pytest.raises(ReplyError, match=r"did not take the answer: .*NonExistentQueue"):
        AwsOutlets([ARN], [], aws("sqs")).send(ReplyTo(queue=ARN), "llama", "r-1", b"{}")


@pytest.fixture
def bucket(aws) -> Any:
    s3 = aws("s3")
    place = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="results", CreateBucketConfiguration=place)
    return s3


def test_the_first_answer_stays(bucket) -> None:
    results = S3Results("results", bucket)
    assert results.put_once("llama", "r", {"id": "r", "answer": 1}) is not None
    assert results.put_once("llama", "r", {"id": "r", "answer": 2}) is None
    assert (results.get("llama", "r") or {})["answer"] == 1


def test_an_answer_takes_the_place_of_an_error(bucket) -> None:
    results = S3Results("results", bucket)
    results.put_once("llama", "r", {"id": "r", "error": "no"})
    assert results.put_once("llama", "r", {"id": "r", "answer": 2}) is not None
    assert (results.get("llama", "r") or {})["answer"] == 2
    assert results.get("llama", "none") is None


def test_a_body_is_read_from_its_endpoints_own_prefix_only(bucket) -> None:
    for key in ("requests/llama/a.json", "requests/other/a.json", "results/llama/a.json"):
        bucket.put_object(Bucket="results", Key=key, Body=b"{}")
    bodies = S3Bodies("results", bucket)
    assert bodies.get("llama", "s3://results/requests/llama/a.json") == b"{}"
    for uri in (
        "s3://results/requests/other/a.json",
        "s3://results/results/llama/a.json",
        "s3://results/requests/llama/../other/a.json",
        "s3://others/requests/llama/a.json",
    ):
        with pytest.raises(BodyError, match="no other place is read"):
            bodies.get("llama", uri)
    with pytest.raises(BodyError, match="nothing lies at"):
        bodies.get("llama", "s3://results/requests/llama/b.json")


def test_a_body_that_is_wrongly_said_not_to_be_there_is_read(bucket) -> None:
    bucket.put_object(Bucket="results", Key="requests/llama/a.json", Body=b"{}")
    answers = [ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")]

    class Forgetful:
        def get_object(self, **asked: Any) -> Any:
            if answers:
                raise answers.pop()
            return bucket.get_object(**asked)

    bodies = S3Bodies("results", Forgetful())
    assert bodies.get("llama", "s3://results/requests/llama/a.json") == b"{}"
    assert not answers, "it was said"


def test_a_body_that_sagemaker_would_not_take_is_not_read(bucket) -> None:
    key = "requests/llama/big.json"
    bucket.put_object(Bucket="results", Key=key, Body=b"x" * (LARGEST_BYTES + 1))
    with pytest.raises(BodyError, match="bytes; SageMaker takes"):
        S3Bodies("results", bucket).get("llama", f"s3://results/{key}")
