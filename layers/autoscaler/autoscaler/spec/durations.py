"""Durations as people write them: `90s`, `10m`, `2h`, `1d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PATTERN = re.compile(r"([0-9]+)([smhd])")
LEARNED = "learned"
LONGEST = timedelta(days=365)
SHORTEST_IDLE = timedelta(seconds=30)


def parse_duration(value: Any) -> timedelta:
    """Returns the duration of `90s`, `10m`, `1h30m` or a timedelta, at most 365 days.

    Raises ValueError for anything else.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).strip().replace(" ", "")
    parts = _PATTERN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{value!r:.80} is not a duration: write it as 90s, 10m, 2h or 1h30m")
    seconds = sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text[:40]} is too long: at most {format_duration(LONGEST)}")
    return timedelta(seconds=seconds)


def not_too_short(value: timedelta) -> timedelta:
    """Returns a duration of 30 s or more; ValueError for a shorter one."""
    if value < SHORTEST_IDLE:
        raise ValueError(f"{format_duration(value)} is too short: at least 30s")
    return value


def format_duration(value: timedelta) -> str:
    """Returns the shortest text that `parse_duration` reads back (whole seconds)."""
    rest = int(value.total_seconds())
    text = ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return text or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
]

# A keep-alive or a drain target: shorter than two ticks nothing could follow it.
PatientDuration = Annotated[Duration, AfterValidator(not_too_short)]


def _or_learned(value: Any) -> Any:
    return None if value == LEARNED else value


def _or_word(value: timedelta | None) -> str:
    return LEARNED if value is None else format_duration(value)


# None, written `learned`: the controller finds it from the endpoint's own idle times.
KeepAlive = Annotated[
    PatientDuration | None,
    BeforeValidator(_or_learned),
    PlainSerializer(_or_word, return_type=str, when_used="json"),
]
