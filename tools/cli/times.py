"""Until when a hold lasts or a request is of use, as people say it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from autoscaler.spec import parse_duration
from autoscaler.spec.orders import LONGEST_OVERRIDE, LONGEST_REASON
from autoscaler.spec.text import is_readable
from tools.cli.client import RefusedError

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_YEARS = range(2000, 3000)  # beyond, what is added to a moment or a zone's offset may be no date


def checked_year(option: str, given: str, moment: date) -> None:
    """RefusedError for a moment so far away that nothing can be counted from it."""
    if moment.year not in _YEARS:
        raise RefusedError(
            [f"{option}: {given!r} is too far away: years are {_YEARS[0]} to {_YEARS[-1]}"]
        )


def checked_reason(reason: str) -> str:
    """The reason, without what is around it; RefusedError for what no colleague could read."""
    said = reason.strip()
    if not said:
        raise RefusedError(["--reason: is empty: say in a few words why, for your colleagues"])
    if len(said) > LONGEST_REASON:
        most = f"write {LONGEST_REASON} characters at most"
        raise RefusedError([f"--reason: {said!r:.40}... has {len(said)} characters: {most}"])
    if not is_readable(said):
        raise RefusedError([f"--reason: {said!r:.40} is not UTF-8: write it in UTF-8"])
    return said


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
    given = f"--for: {duration!r}" if until is None else f"--until: {until!r}"
    if left <= timedelta(0):
        raise RefusedError([f"{given} is over already"])
    if left > LONGEST_OVERRIDE:
        raise RefusedError(
            [f"{given} is too far away: at most {LONGEST_OVERRIDE.days} days from now"]
        )
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
    except (ValueError, OverflowError):  # the latter of the last and the first days there are
        raise ValueError(
            f'{text!r} is not a time: write 18:00, "2026-11-24 18:00" or 2026-11-24T18:00+01:00'
        ) from None
