"""Until when a hold lasts or a request is of use, as people say it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from autoscaler.spec import parse_duration
from tools.cli.client import RefusedError

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def hold_seconds(duration: str | None, until: str | None, now: datetime) -> float:
    """Seconds from `now`, by `--for` or `--until`; exactly one of them is given.

    A time without a zone is this machine's; `18:00` is the next one.
    """
    if (duration is None) == (until is None):
        raise RefusedError(["give either --for (2h) or --until (18:00), not both or neither"])
    try:
        left = parse_duration(duration) if until is None else _moment(until, now) - now
    except ValueError as wrong:
        raise RefusedError([f"{'--for' if until is None else '--until'}: {wrong}"]) from None
    if left <= timedelta(0):
        given = f"--for: {duration!r}" if until is None else f"--until: {until!r}"
        raise RefusedError([f"{given} is over already"])
    return left.total_seconds()


def deadline_at(text: str, now: datetime) -> datetime:
    """The moment of `--deadline`: a duration from now, or a time."""
    try:
        at = now + parse_duration(text)
    except ValueError:
        try:
            at = _moment(text, now)
        except ValueError as wrong:
            raise RefusedError([f"--deadline: {wrong}, or 2h"]) from None
    if at <= now:
        raise RefusedError([f"--deadline: {text!r} is over already"])
    return at.astimezone(UTC)


def _moment(text: str, now: datetime) -> datetime:
    if match := _CLOCK.fullmatch(text.strip()):
        local = now.astimezone().replace(tzinfo=None, second=0, microsecond=0)
        there = local.replace(hour=int(match[1]), minute=int(match[2]))
        if there.astimezone() <= now:
            there += timedelta(days=1)
        return there.astimezone()
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except ValueError:
        raise ValueError(
            f'{text!r} is not a time: write 18:00, "2026-11-24 18:00" or 2026-11-24T18:00+01:00'
        ) from None
