"""Announces typed events on the stack's bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .clients import client

SOURCE = "autoscaler"
_ENTRIES_PER_CALL = 10


class AnnounceError(RuntimeError):
    """EventBridge did not take an event."""


class BusAnnouncer:
    """Puts events on one bus; raises AnnounceError when EventBridge refuses any of them."""

    def __init__(self, bus: str, events: Any = None) -> None:
        self._bus = bus
        self._events = events or client("events")

    def announce(self, event: Any) -> None:
        self.announce_all([event])

    def announce_all(self, events: Sequence[Any]) -> None:
        entries = [
            {
                "Source": SOURCE,
                "DetailType": event.detail_type,
                "Detail": event.model_dump_json(),
                "EventBusName": self._bus,
            }
            for event in events
        ]
        for first in range(0, len(entries), _ENTRIES_PER_CALL):
            reply = self._events.put_events(Entries=entries[first : first + _ENTRIES_PER_CALL])
            if reply["FailedEntryCount"]:
                codes = sorted({e["ErrorCode"] for e in reply["Entries"] if "ErrorCode" in e})
                raise AnnounceError(f"{reply['FailedEntryCount']} events refused: {codes}")
