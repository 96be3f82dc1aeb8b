"""Dollars as the command line writes them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_CENT = Decimal("0.01")


def usd(amount: Any) -> str:
    """Of a number, its text, or None for what nobody knows: `$1,234.50`, `-$0.05`."""
    if amount is None:
        return "unknown"
    cents = Decimal(str(amount)).quantize(_CENT, ROUND_HALF_UP)
    return f"{'-' if cents < 0 else ''}${abs(cents):,}"
