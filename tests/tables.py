"""The stack's table, as the template makes it, in whatever account a client belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto import mock_aws

TABLE = "table"
_KEYS = {"pk": "HASH", "sk": "RANGE"}


def make_table(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in _KEYS],
        KeySchema=[{"AttributeName": k, "KeyType": kind} for k, kind in _KEYS.items()],
    )


@contextmanager
def in_moto() -> Iterator[Any]:
    """A client of an account of moto's that has the table."""
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        make_table(client)
        yield client
