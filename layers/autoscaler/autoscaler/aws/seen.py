"""What was told already, in the stack's table: pk `SEEN#<key>`, sk `SEEN`, with a TTL.

PutItem is the only action this needs. DynamoDB deletes expired items days late, so the condition
looks at `expires_at` itself.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from ..ports import Clock
from .clients import client, error_code
from .clock import SystemClock

_KEY_LIMIT = 1024  # bytes; DynamoDB allows 2048 for a partition key


class TableSeen:
    """SeenStore over DynamoDB."""

    def __init__(self, table_name: str, dynamodb: Any = None, clock: Clock | None = None) -> None:
        self._table = table_name
        self._db = dynamodb or client("dynamodb")
        self._clock = clock or SystemClock()

    def first_time(self, key: str, ttl: timedelta, holder: str) -> bool:
        now = int(self._clock.now().timestamp())
        try:
            self._db.put_item(
                TableName=self._table,
                Item=_item(key, now + int(ttl.total_seconds()), holder),
                ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now "
                "OR holder = :holder",
                ExpressionAttributeValues={":now": {"N": str(now)}, ":holder": {"S": holder}},
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def keep(self, key: str, ttl: timedelta) -> None:
        expires = int((self._clock.now() + ttl).timestamp())
        self._db.put_item(TableName=self._table, Item=_item(key, expires, "told"))

    def forget(self, key: str) -> None:
        expired = int(self._clock.now().timestamp())
        self._db.put_item(TableName=self._table, Item=_item(key, expired, "nobody"))


def _item(key: str, expires_at: int, holder: str) -> dict[str, dict[str, str]]:
    return {
        "pk": {"S": f"SEEN#{_short(key)}"},
        "sk": {"S": "SEEN"},
        "expires_at": {"N": str(expires_at)},
        "holder": {"S": holder},
    }


def _short(key: str) -> str:
    """Of a long one its beginning and its digest: what differs may stand at its end."""
    whole = key.encode()
    if len(whole) <= _KEY_LIMIT:
        return key
    digest = hashlib.sha256(whole).hexdigest()
    return f"{whole[: _KEY_LIMIT - len(digest) - 1].decode(errors='ignore')}#{digest}"
