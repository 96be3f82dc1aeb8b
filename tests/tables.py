"""The stack's table, as the template makes it, in whatever account a client belongs to."""

from __future__ import annotations

from typing import Any

TABLE = "table"
_KEYS = {"pk": "HASH", "sk": "RANGE"}


def make_table(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in _KEYS],
        KeySchema=[{"AttributeName": k, "KeyType": kind} for k, kind in _KEYS.items()],
    )
