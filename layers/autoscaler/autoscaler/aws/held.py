"""Alerts that are told later, in the stack's table: pk `HELD`, one item for each event and target.

One partition is enough: what is held is some hundreds of items at most, and is gone within a minute
or with the morning. The same event held twice is one item. What nobody could be told of for 14 days
expires, as it would in a queue.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ..alerts.events.registry import EventError, parse_event
from ..alerts.office import Held
from .clients import client
from .pages import items_of

HELD = "HELD"
_KEPT = timedelta(days=14)
_log = logging.getLogger(__name__)


class TableHeld:
    """HeldStore over DynamoDB."""

    def __init__(self, table_name: str, dynamodb: Any = None) -> None:
        self._table = table_name
        self._db = dynamodb or client("dynamodb")

    def hold(self, held: Held) -> None:
        body = {
            "target": held.target,
            "at": held.at.isoformat(),
            "quiet": held.quiet,
            "detail-type": held.event.detail_type,
            "detail": held.event.model_dump_json(),
            "key": held.key,
        }
        expires = str(int((held.at + _KEPT).timestamp()))
        item = {**_key(held.key), "body": {"S": json.dumps(body)}, "expires_at": {"N": expires}}
        self._db.put_item(TableName=self._table, Item=item)

    def all(self) -> list[Held]:
        items = [json.loads(i["body"]["S"]) for i in items_of(self._db, self._table, HELD)]
        return [held for body in items if (held := _readable(body)) is not None]

    def drop(self, held: Sequence[Held]) -> None:
        for one in held:
            self._db.delete_item(TableName=self._table, Key=_key(one.key))


def _key(key: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": HELD}, "sk": {"S": hashlib.sha256(key.encode()).hexdigest()}}


def _readable(body: dict[str, Any]) -> Held | None:
    """One that another release held and this one does not understand stays where it is, for the
    release that does: it must not keep the others from being told."""
    try:
        return _held(body)
    except (EventError, KeyError, ValueError) as error:
        _log.error("a held alert cannot be read and stays: %s", error)
        return None


def _held(body: dict[str, Any]) -> Held:
    return Held(
        target=body["target"],
        at=datetime.fromisoformat(body["at"]),
        quiet=body["quiet"],
        event=parse_event(body["detail-type"], json.loads(body["detail"])),
        key=body["key"],
    )
