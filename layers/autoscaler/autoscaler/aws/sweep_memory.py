"""What one sweep leaves to the next, in the stack's table: pk `SWEEP`, sk `MEMORY`, with a TTL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from ..control.sweeping import Memory
from ..ports import Clock
from .clients import client
from .clock import SystemClock

KEPT = timedelta(days=7)
# An item holds 400 KB, and a sighting up to 250 bytes; of more orphans the rest is seen anew.
_MOST = 1000
_MOST_GAPS = 300
_KEY = {"pk": {"S": "SWEEP"}, "sk": {"S": "MEMORY"}}
_MEMORY = TypeAdapter(Memory)


class TableMemory:
    """MemoryStore over DynamoDB."""

    def __init__(self, table_name: str, dynamodb: Any = None, clock: Clock | None = None) -> None:
        self._table = table_name
        self._db = dynamodb or client("dynamodb")
        self._clock = clock or SystemClock()

    def load(self) -> Memory:
        item = self._db.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True).get("Item")
        return _MEMORY.validate_json(item["body"]["S"]) if item else Memory()

    def save(self, memory: Memory) -> None:
        kept = replace(
            memory,
            sightings=memory.sightings[:_MOST],
            told=frozenset(sorted(memory.told)[:_MOST]),
            gaps=frozenset(sorted(memory.gaps)[:_MOST_GAPS]),
        )
        expires = int((self._clock.now() + KEPT).timestamp())
        self._db.put_item(
            TableName=self._table,
            Item={
                **_KEY,
                "expires_at": {"N": str(expires)},
                "body": {"S": _MEMORY.dump_json(kept).decode()},
            },
        )
