"""Numbers and times as the sentences of reasons say them."""

from __future__ import annotations

from datetime import UTC, datetime


def counted(count: int, noun: str) -> str:
    """Returns `1 copy`, `2 copies`, `1,200 requests`."""
    if count == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {plural}"


def spanned(low: int, high: int) -> str:
    """Returns `0 to 2 copies`, or `1 copy` when both are the same."""
    return counted(high, "copy") if low == high else f"{low} to {counted(high, 'copy')}"


def at_utc(moment: datetime) -> str:
    """Returns `14 May 18:00 UTC`."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%b %H:%M} UTC"
