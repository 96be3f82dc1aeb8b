"""Dollars as the command line writes them: as a report's page and its messages do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from autoscaler.alerts import wording


def usd(amount: Any) -> str:
    """Of a number, its text, or None for what nobody knows."""
    return "unknown" if amount is None else wording.usd(Decimal(str(amount)))
