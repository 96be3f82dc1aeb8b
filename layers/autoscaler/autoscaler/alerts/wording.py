"""Money, durations and counts as people read them. Here alone dollars are rounded for them."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

NOT_KNOWN = "not known"
_CENT, _HUNDREDTH_CENT = Decimal("0.01"), Decimal("0.0001")
_TEN_CENTS = Decimal("0.1")


def usd(money: Decimal | None) -> str:
    """`$1,234.50`, `−$0.42`, `$0.0031` below ten cents, `not known`."""
    if money is None:
        return NOT_KNOWN
    size = abs(money)
    rounded = size.quantize(_HUNDREDTH_CENT, ROUND_HALF_UP)
    if not size or rounded >= _TEN_CENTS:
        rounded = size.quantize(_CENT, ROUND_HALF_UP)
    if money and not rounded:
        return "<$0.0001" if money > 0 else ">−$0.0001"
    return f"{'−' if money < 0 else ''}${rounded:,}"


def usd_apart(one: Decimal | None, other: Decimal | None) -> tuple[str, str]:
    """Two unequal prices with as many decimals as tell them apart: two, four or six."""
    told = usd(one), usd(other)
    for places in (4, 6):
        if told[0] == told[1] and one is not None and other is not None:
            told = f"${one:,.{places}f}", f"${other:,.{places}f}"
    return told


def spoken(seconds: float) -> str:
    """`42 s`, `6 min 05 s`, `3 h 20 min`, `2 d 4 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def percent(share: float) -> str:
    """`80 %`; a decimal below ten. What is not the whole is never `100 %`."""
    value = share * 100
    if 99 <= abs(value) < 100:
        value = math.trunc(value)
    text = f"{value:.0f} %" if abs(value) >= 10 or value == 0 else f"{value:.1f} %"
    return text.replace("-", "−")


def share_of(part: Decimal | None, whole: Decimal | None) -> str:
    """`45 %`, or nothing when the share means nothing."""
    return percent(float(part / whole)) if part is not None and whole else ""


def local_time(moment: datetime, time_zone: str = "UTC") -> str:
    """`20 Nov 2026 23:05 UTC`, or with the zone's own abbreviation."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return f"{local.day} {local:%b %Y %H:%M %Z}"
