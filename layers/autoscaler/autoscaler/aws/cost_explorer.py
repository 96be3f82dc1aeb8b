"""What AWS billed for the stack, by Cost Explorer. Every request costs $0.01, so there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..endpoints.tags import ENDPOINT, STACK
from ..ledger.bill import Bill, BillLine
from .clients import client, error_code, error_message

_METRICS = ("UnblendedCost", "AmortizedCost", "UsageQuantity")


class NoBillError(RuntimeError):
    """The bill could not be read; the message says why and what to do."""


class CostExplorer:
    """Bills of one stack in one Region."""

    def __init__(self, stack: str, region: str, ce: Any = None) -> None:
        self._stack, self._region = stack, region
        self._ce = ce or client("ce")

    def read(self, first: date, after: date, now: datetime) -> Bill:
        """The UTC days [first, after), in one request. Raises NoBillError."""
        try:
            page = self._ce.get_cost_and_usage(**self._request(first, after))
        except ClientError as refused:
            raise NoBillError(_said(refused)) from refused
        except BotoCoreError as broken:
            raise NoBillError(f"Cost Explorer could not be asked: {broken}") from broken
        days = page["ResultsByTime"]
        return Bill(
            first=first,
            after=after,
            read_at=now,
            lines=tuple(line for day in days for line in _lines(day)),
            final=not any(day.get("Estimated", False) for day in days),
            whole="NextPageToken" not in page,
        )

    def _request(self, first: date, after: date) -> dict[str, Any]:
        return {
            "TimePeriod": {"Start": first.isoformat(), "End": after.isoformat()},
            "Granularity": "DAILY",
            "Metrics": list(_METRICS),
            "GroupBy": [
                {"Type": "TAG", "Key": ENDPOINT},
                {"Type": "DIMENSION", "Key": "USAGE_TYPE"},
            ],
            "Filter": {
                "And": [
                    {"Tags": {"Key": STACK, "Values": [self._stack]}},
                    {"Dimensions": {"Key": "REGION", "Values": [self._region]}},
                ]
            },
        }


def _lines(day: Mapping[str, Any]) -> Iterator[BillLine]:
    for group in day.get("Groups", ()):
        tag, usage_type = group["Keys"]
        unblended, amortized, quantity = (
            Decimal(group["Metrics"].get(name, {}).get("Amount", "0")) for name in _METRICS
        )
        yield BillLine(
            day=date.fromisoformat(day["TimePeriod"]["Start"][:10]),
            endpoint=tag.partition("$")[2],  # as autoscaler:endpoint$llama
            usage_type=usage_type,
            unblended_usd=unblended,
            amortized_usd=amortized,
            quantity=quantity,
        )


def _said(refused: ClientError) -> str:
    code = error_code(refused)
    if code in ("AccessDeniedException", "AccessDenied"):
        return (
            "Cost Explorer refused: it has to be enabled once in the Billing console, in an "
            "organisation the management account must allow it to its members, and the report's "
            f"role needs ce:GetCostAndUsage ({error_message(refused)})"
        )
    return f"Cost Explorer answered {code}: {error_message(refused)}"
