"""What is read of AWS itself: the time, prices, quotas."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Protocol


class Clock(Protocol):
    """The present, timezone-aware UTC."""

    def now(self) -> datetime: ...


class PriceListError(RuntimeError):
    """The price list was not read, or what came is no price list; the message says why."""


class PriceList(Protocol):
    """AWS's own prices."""

    def read(self, region: str) -> Mapping[str, Decimal]:
        """Dollars per hour of SageMaker hosting by instance type; raises PriceListError."""


class QuotaError(RuntimeError):
    """The account's quotas could not be read; the message says why."""


class Quotas(Protocol):
    """How many instances of a type the account may have for endpoints."""

    def for_endpoints(self) -> Mapping[str, float]:
        """By instance type; a type that is absent is not known. Raises QuotaError."""
