"""Whose an endpoint is, from its file in the stack's table."""

from __future__ import annotations

import json
import time
from typing import Any

from .clients import client
from .items import FLEET, item_key

_KEPT_SECONDS = 300


class TableTeams:
    """Reads one item the first time that an endpoint is heard of, and every five minutes."""

    def __init__(self, table_name: str, dynamodb: Any = None) -> None:
        self._table = table_name
        self._db = dynamodb or client("dynamodb")
        self._known: dict[str, tuple[float, str]] = {}

    def of(self, endpoint: str) -> str:
        """Empty when there is no such endpoint any more."""
        read_at, team = self._known.get(endpoint, (-_KEPT_SECONDS, ""))
        if time.monotonic() - read_at >= _KEPT_SECONDS:
            found = self._db.get_item(
                TableName=self._table, Key=item_key(FLEET, f"{endpoint}#SPEC")
            )
            body = found.get("Item", {}).get("body", {}).get("S", "{}")
            team = str(json.loads(body).get("team", "")) or team
            self._known[endpoint] = (time.monotonic(), team)
        return team
