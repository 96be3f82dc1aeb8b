"""A request that waits is stored, then queued where it belongs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from autoscaler.aws.tickets import Tickets

REGION = "us-east-1"


class Account:
    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name=REGION)
        self.sqs = boto3.client("sqs", region_name=REGION)
        self.s3.create_bucket(Bucket="results")
        self.tickets = Tickets("autoscaler", "results", self.s3, self.sqs)

    def has(self, *queues: str) -> None:
        for queue in queues:
            self.sqs.create_queue(QueueName=queue)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(one["Body"]) for one in found.get("Messages", [])]


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws():
        yield Account()


@pytest.mark.parametrize(
    ("queues", "options", "place"),
    [
        (["autoscaler-llama", "autoscaler-llama-later"], {}, "autoscaler-llama"),
        (
            ["autoscaler-llama", "autoscaler-llama-later"],
            {"deferrable": True},
            "autoscaler-llama-later",
        ),
        (["autoscaler-llama"], {"deferrable": True}, "autoscaler-llama"),
        # Nobody reads the other queue before a tick has seen it, and it would be late by then.
        (
            ["autoscaler-llama", "autoscaler-llama-later"],
            {"deferrable": True, "ttl": "10m"},
            "autoscaler-llama",
        ),
        (
            ["autoscaler-llama", "autoscaler-llama-later"],
            {"deferrable": True, "deadline": "2020-01-01T00:00:00Z"},
            "autoscaler-llama",
        ),
        (
            ["autoscaler-llama", "autoscaler-llama-later"],
            {"deferrable": True, "ttl": "3h"},
            "autoscaler-llama-later",
        ),
    ],
)
def test_what_may_wait_goes_straight_where_it_waits(
    account: Account, queues: list[str], options: dict[str, Any], place: str
) -> None:
    account.has(*queues)
    account.tickets.keep("llama", "llama.1", b'{"prompt": "x"}', "search", options)
    (message,) = account.messages(place)
    key = "requests/llama/llama.1.json"
    assert message == {"autoscaler": {**options, "id": "llama.1", "body": f"s3://results/{key}"}}
    assert account.s3.get_object(Bucket="results", Key=key)["Body"].read() == b'{"prompt": "x"}'
    waiting = account.tickets.waiting("llama", "llama.1")
    assert waiting is not None
    assert waiting.tenant == "search"
    assert account.tickets.result("llama", "llama.1") is None
