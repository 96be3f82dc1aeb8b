"""Pauses that places of alerts asked for, in the stack's table: pk `PAUSE#<digest of the place>`,
sk `PAUSE`, with a TTL. The place is a digest, because a webhook's URL is a credential."""

from __future__ import annotations

import hashlib
import logging
import math
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .clients import client, error_code
from .items import item_key

_SK = "PAUSE"
_log = logging.getLogger(__name__)


class TablePauses:
    """Pauses over DynamoDB. What the table does not take or tell is logged: this process keeps to
    the pause all the same, and another one is told by the place itself."""

    def __init__(self, table_name: str, dynamodb: Any = None) -> None:
        self._table = table_name
        self._db = dynamodb or client("dynamodb")

    def until(self, place: str) -> datetime | None:
        try:
            # Expired items are deleted days late: whoever asks compares the time.
            found = self._db.get_item(TableName=self._table, Key=_key(place), ConsistentRead=True)
        except (BotoCoreError, ClientError) as error:
            _log.warning("whether a place of alerts asked for a pause could not be read: %s", error)
            return None
        item = found.get("Item")
        return datetime.fromtimestamp(float(item["until"]["N"]), UTC) if item else None

    def keep(self, place: str, until: datetime) -> None:
        moment = f"{until.timestamp():.3f}"
        item = {
            **_key(place),
            "until": {"N": moment},
            "expires_at": {"N": str(math.ceil(until.timestamp()))},
        }
        try:
            self._db.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR #until < :until",
                ExpressionAttributeNames={"#until": "until"},
                ExpressionAttributeValues={":until": {"N": moment}},
            )
        except (BotoCoreError, ClientError) as error:
            longer = "ConditionalCheckFailedException"  # another process was told a later time
            if not isinstance(error, ClientError) or error_code(error) != longer:
                _log.warning("a pause that a place of alerts asked for was not kept: %s", error)


def _key(place: str) -> dict[str, dict[str, str]]:
    return item_key(f"PAUSE#{hashlib.sha256(place.encode()).hexdigest()}", _SK)
