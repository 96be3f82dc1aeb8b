"""Whose an endpoint is, from its file in the stack's table."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from botocore.exceptions import ClientError

from .clients import client, error_code
from .items import FLEET, item_key
from .troubles import DENIED

_KEPT_SECONDS = 300
_log = logging.getLogger(__name__)


class TableTeams:
    """Reads one item the first time that an endpoint is heard of, and every five minutes."""

    def __init__(self, table_name: str, dynamodb: Any = None) -> None:
        self._table = table_name
        self._db = dynamodb or client("dynamodb")
        self._known: dict[str, tuple[float, str]] = {}

    def of(self, endpoint: str) -> str:
        """Empty when there is no such endpoint any more.

        Also while the table may not be read: that does not pass by itself, and an alert in
        everybody's place is better than one that waits for it.
        """
        read_at, team = self._known.get(endpoint, (-_KEPT_SECONDS, ""))
        if time.monotonic() - read_at >= _KEPT_SECONDS:
            try:
                found = self._db.get_item(
                    TableName=self._table, Key=item_key(FLEET, f"{endpoint}#SPEC")
                )
            except ClientError as error:
                if error_code(error) not in DENIED:
                    raise
                _log.error("the team of %s may not be read: %s", endpoint, error)
                return team
            body = found.get("Item", {}).get("body", {}).get("S", "{}")
            team = str(json.loads(body).get("team", "")) or team
            self._known[endpoint] = (time.monotonic(), team)
        return team
