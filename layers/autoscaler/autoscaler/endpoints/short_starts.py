"""The short form in which a status keeps its measured starts.

A status is written at each second look at an endpoint that is awake, and is paid for by the KB. Its
last twenty starts were two thirds of it, written out: most of that were the names of fields and the
same date six times. Here a start is one list: when it was asked for (exactly, as the history knows
it by that), its cause, its copies, and the seconds from then until each of `MOMENTS` (null: not
seen). Pure, on JSON as it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

MOMENTS = ("ready_at", "asked_at", "instance_seen_at", "container_seen_at", "copy_seen_at")
_DIGITS = 1  # of a second: SageMaker is looked at some seconds apart


def shortened(start: dict[str, Any]) -> list[Any]:
    """A `ColdStart` as JSON, in the short form."""
    began = datetime.fromisoformat(start["requested_at"])
    seconds = [_seconds(began, start.get(moment)) for moment in MOMENTS]
    while seconds[-1] is None:
        seconds.pop()
    return [start["requested_at"], start["cause"], start["copies"], *seconds]


def lengthened(short: Sequence[Any]) -> dict[str, Any]:
    """The way back. Raises ValueError and TypeError for what is no such list."""
    requested_at, cause, copies, *seconds = short
    began = datetime.fromisoformat(requested_at)
    moments = {
        moment: (began + timedelta(seconds=after)).isoformat()
        for moment, after in zip(MOMENTS, seconds, strict=False)
        if after is not None
    }
    return {"requested_at": requested_at, "cause": cause, "copies": copies, **moments}


def _seconds(began: datetime, moment: str | None) -> float | None:
    if moment is None:
        return None
    return round((datetime.fromisoformat(moment) - began).total_seconds(), _DIGITS)
