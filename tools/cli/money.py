"""Dollars as the command line writes them."""

from __future__ import annotations

from typing import Any


def usd(amount: Any) -> str:
    """Of a number, its text, or None for what nobody knows."""
    return "unknown" if amount is None else f"${float(amount):,.2f}"
