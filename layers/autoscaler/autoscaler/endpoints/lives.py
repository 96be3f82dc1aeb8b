"""What an endpoint was before: when it had failed, and which machines its file named. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

SPANS_KEPT = 20


class FailedSpan(BaseModel):
    """From when an endpoint had failed until it was created anew, or was to be removed."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    start: AwareDatetime
    end: AwareDatetime
    # When the instance was asked for with which it answered again, which may be long after `end`:
    # capacity may be missing. None: it has not answered yet.
    back_at: AwareDatetime | None = None


class MachineBefore(BaseModel):
    """The first instance type of its file until then, and how many copies one held."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    until: AwareDatetime
    instance_type: str
    copies_per_instance: int = 1


def with_failed(
    spans: Sequence[FailedSpan], start: datetime, end: datetime, awake_at: datetime | None
) -> tuple[FailedSpan, ...]:
    """The spans, oldest first, with one more. `awake_at`: when it was awake last; two spans between
    which it never was are one, so that who applies again and again does not push the others out."""
    before = spans[-1] if spans else None
    if before is not None and (awake_at is None or awake_at <= before.end):
        return (*spans[:-1], FailedSpan(start=before.start, end=end))
    return (*spans, FailedSpan(start=start, end=end))[-SPANS_KEPT:]


def answered(
    spans: Sequence[FailedSpan], back_at: datetime, awake_at: datetime | None
) -> tuple[FailedSpan, ...]:
    """The spans of one that answers now, with an instance that it has since `back_at`. `awake_at`:
    when it was awake last before; what it has answered after already stays as it is."""
    if not spans or (awake_at is not None and awake_at > spans[-1].end):
        return tuple(spans)
    last = spans[-1]
    return (*spans[:-1], last.model_copy(update={"back_at": max(back_at, last.end)}))
