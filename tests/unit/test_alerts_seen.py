"""What was told is remembered in the table, with nothing but PutItem."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from autoscaler.aws.seen import TableSeen
from tests.memory import StandingClock

HOUR = timedelta(hours=1)


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        client.create_table(
            TableName="table",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
        yield client


def test_the_first_holder_wins_until_the_mark_expires(dynamodb: Any) -> None:
    clock = StandingClock()
    seen = TableSeen("table", dynamodb, clock)
    assert seen.first_time("k", HOUR, "m1")
    assert not seen.first_time("k", HOUR, "m2")
    assert seen.first_time("other", HOUR, "m2")
    clock.forward(minutes=59)
    assert not seen.first_time("k", HOUR, "m2")
    clock.forward(minutes=1)
    assert seen.first_time("k", HOUR, "m2")


def test_the_same_message_may_come_again(dynamodb: Any) -> None:
    seen = TableSeen("table", dynamodb, StandingClock())
    assert seen.first_time("k", HOUR, "m1") and seen.first_time("k", HOUR, "m1")


def test_what_was_forgotten_is_the_first_again(dynamodb: Any) -> None:
    seen = TableSeen("table", dynamodb, StandingClock())
    seen.first_time("k", HOUR, "m1")
    seen.forget("k")
    assert seen.first_time("k", HOUR, "m2")


def test_the_item_is_where_the_role_allows_and_the_ttl_looks(dynamodb: Any) -> None:
    clock = StandingClock()
    TableSeen("table", dynamodb, clock).first_time("k" * 5000, HOUR, "m1")
    (item,) = dynamodb.scan(TableName="table")["Items"]
    assert item["pk"]["S"].startswith("SEEN#kkk") and item["sk"]["S"] == "SEEN"
    assert int(item["expires_at"]["N"]) == clock.now().timestamp() + 3600


def test_an_error_of_dynamodb_is_not_taken_for_seen(dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        TableSeen("absent", dynamodb, StandingClock()).first_time("k", HOUR, "m1")
