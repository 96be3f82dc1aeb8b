"""Dollars as they leave the program in JSON or CSV: to the millionth, not to 28 digits."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import PlainSerializer

_MILLIONTH = Decimal("0.000001")


def millionths(money: Decimal) -> Decimal:
    """Rounded to six decimals."""
    return money.quantize(_MILLIONTH, ROUND_HALF_UP)


Money = Annotated[
    Decimal, PlainSerializer(lambda money: f"{millionths(money):f}", str, when_used="json")
]
"""Exact inside; six decimals as JSON."""
