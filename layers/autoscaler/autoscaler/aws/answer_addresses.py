"""Where CloudFormation waits for an answer, in the stack's table: pk `RETIREMENT`, sk the request.

The address is a signed URL: whoever has it may answer in the stack's place. In an execution's input
everybody could read it who may look at executions. It is not deleted by who read it, since whoever
answers may be asked to do so again; it expires, and goes with the table.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..ports import Clock
from .clients import client
from .clock import SystemClock

RETIREMENT = "RETIREMENT"
_KEPT = timedelta(days=1)  # CloudFormation gives up after an hour


class AnswerAddresses:
    """Addresses by request; the same one kept twice is one item."""

    def __init__(self, table_name: str, dynamodb: Any = None, clock: Clock | None = None) -> None:
        self._table = table_name
        self._db = dynamodb or client("dynamodb")
        self._clock = clock or SystemClock()

    def keep(self, request_id: str, url: str) -> None:
        expires = int((self._clock.now() + _KEPT).timestamp())
        item = {**_key(request_id), "url": {"S": url}, "expires_at": {"N": str(expires)}}
        self._db.put_item(TableName=self._table, Item=item)

    def find(self, request_id: str) -> str | None:
        reply = self._db.get_item(TableName=self._table, Key=_key(request_id), ConsistentRead=True)
        return str(reply["Item"]["url"]["S"]) if "Item" in reply else None


def _key(request_id: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": RETIREMENT}, "sk": {"S": request_id}}
