"""Which of a person's overrides are in force, and what they are in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..endpoints.status import EndpointRecord, EndpointStatus
from ..policy.types import Hold, Override
from ..policy.wording import at_utc, counted


class Kind(StrEnum):
    """Every kind, as a person names it."""

    HOLD = "hold"
    SLEEP_UNTIL = "sleep_until"
    KEEP_WARM = "keep_warm"
    PAUSE_SCALE_IN = "pause_scale_in"


_NAMED = {
    Kind.HOLD: "held",
    Kind.SLEEP_UNTIL: "put to sleep",
    Kind.KEEP_WARM: "kept warm",
    Kind.PAUSE_SCALE_IN: "kept from scaling in",
}


def in_force(status: EndpointStatus, now: datetime) -> dict[Kind, Hold | Override]:
    """What a person asked for of an endpoint and is not over."""
    found: dict[Kind, Hold | Override] = {}
    if status.hold is not None and status.hold.until > now:
        found[Kind.HOLD] = status.hold
    for one in status.overrides:
        if one.until > now:
            found[Kind(one.kind.value)] = one
    return found


def sleeper(status: EndpointStatus, now: datetime) -> Override | None:
    """Who put it to sleep, if that is in force; a hold takes it out of force."""
    found = in_force(status, now)
    one = found.get(Kind.SLEEP_UNTIL)
    return one if isinstance(one, Override) and Kind.HOLD not in found else None


def keeps_copies(status: EndpointStatus, moment: datetime) -> bool:
    """Whether a person keeps at least one copy at a moment."""
    found = in_force(status, moment)
    held = found.get(Kind.HOLD)
    return Kind.KEEP_WARM in found or (isinstance(held, Hold) and held.min_copies > 0)


def who_keeps_copies(status: EndpointStatus, moment: datetime) -> str | None:
    """The person who keeps at least one copy at a moment; None: nobody does."""
    found = in_force(status, moment)
    held = found.get(Kind.HOLD)
    kept = held if isinstance(held, Hold) and held.min_copies else found.get(Kind.KEEP_WARM)
    return kept.author if kept is not None else None


def told_of(status: EndpointStatus, now: datetime) -> tuple[str, ...]:
    """A sentence for each that is in force."""
    return tuple(sentence(kind, one) for kind, one in in_force(status, now).items())


def by_endpoint(records: Iterable[EndpointRecord], now: datetime) -> dict[str, list[str]]:
    """The same of each endpoint of which anything is in force."""
    told = {record.status.name: list(told_of(record.status, now)) for record in records}
    return {name: sentences for name, sentences in sorted(told.items()) if sentences}


def shown(status: EndpointStatus, now: datetime) -> list[dict[str, Any]]:
    """Those beside the hold, for scripts."""
    return [
        {
            "kind": one.kind.value,
            "since": one.since.isoformat(),
            "until": one.until.isoformat(),
            "reason": one.reason,
            "author": one.author,
            "even_for_requests": one.even_for_requests,
        }
        for one in in_force(status, now).values()
        if isinstance(one, Override)
    ]


def sentence(kind: Kind, one: Hold | Override) -> str:
    what = _NAMED[kind]
    if isinstance(one, Hold):
        what += f" at {counted(one.min_copies, 'copy')} or more"
    elif one.even_for_requests:
        what += ", even for requests,"
    return f"{what} until {at_utc(one.until)} by {one.author}: {one.reason}"
