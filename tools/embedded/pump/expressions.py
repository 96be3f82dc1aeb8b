"""Schedule expressions: when rate(), cron() and at() fire."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tools.embedded.pump.cron import Cron, CronError, parse_cron

UTC_ZONE = ZoneInfo("UTC")
UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
# How far back a late look searches for the last missed firing of a cron, nearest first.
LOOK_BACK_SECONDS = (600, 7200, 86_400 * 2, 86_400 * 32, 86_400 * 400)


@dataclass(frozen=True)
class Timetable:
    """One schedule's firings, in epoch seconds. A rate counts from its anchor."""

    rate_seconds: float | None = None
    cron: Cron | None = None
    once: float | None = None
    zone: ZoneInfo = UTC_ZONE

    def next_after(self, moment: float, anchor: float) -> float | None:
        """The first firing after a moment; a rate's first firing is one period past its anchor."""
        if self.rate_seconds is not None:
            periods = max(0, math.floor((moment - anchor) / self.rate_seconds)) + 1
            return anchor + periods * self.rate_seconds
        if self.once is not None:
            return self.once if self.once > moment else None
        assert self.cron is not None
        fires = self.cron.next_after(datetime.fromtimestamp(moment, UTC), self.zone)
        return fires.timestamp() if fires else None

    def last_until(self, first: float, now: float, anchor: float) -> float:
        """The last firing between a due one and now: what a jump of the clock leaves to do."""
        for back in LOOK_BACK_SECONDS if self.cron else (self.rate_seconds or 0,):
            fires = self.next_after(max(first, now - back) - 1e-3, anchor)
            if fires is None or fires > now:
                continue
            while (later := self.next_after(fires, anchor)) is not None and later <= now:
                fires = later
            return fires
        return first


@lru_cache(maxsize=1024)
def parse_expression(expression: str, zone_name: str = "UTC") -> Timetable:
    """Parses rate(), cron() or at(). Raises CronError for what AWS would refuse."""
    zone = parse_zone(zone_name)
    kind, _, rest = expression.strip().partition("(")
    if not rest.endswith(")"):
        raise CronError(f"{expression!r} is not a schedule expression")
    body = rest[:-1].strip()
    if kind == "rate":
        return Timetable(rate_seconds=_rate(body))
    if kind == "cron":
        return Timetable(cron=parse_cron(body), zone=zone)
    if kind == "at":
        return Timetable(once=_at(body, zone))
    raise CronError(f"{expression!r} is not a schedule expression")


def parse_zone(name: str | None) -> ZoneInfo:
    """An IANA time zone; UTC, unless one is named. Raises CronError."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones
        raise CronError(f"{name!r} is not a time zone") from error


def _rate(body: str) -> float:
    found = re.fullmatch(r"(\d+)\s+(minute|hour|day)(s?)", body)
    if not found or int(found[1]) < 1:
        raise CronError(f"rate({body}) is not understood")
    return float(int(found[1]) * UNIT_SECONDS[found[2]])


def _at(body: str, zone: ZoneInfo) -> float:
    try:
        return datetime.strptime(body, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone).timestamp()
    except ValueError as error:
        raise CronError(f"at({body}) is not a time such as at(2026-11-24T08:00:00)") from error
