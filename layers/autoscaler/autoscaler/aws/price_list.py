"""SageMaker's prices from the AWS Price List API (GetProducts), one Region at a time.

Fields as the offer files of AmazonSageMaker have them: `component` Hosting, `instanceName`
(ml.g5.xlarge), `regionCode`; the on-demand term has one dimension in hours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..ports import PriceListError
from .clients import client

_SERVICE = "AmazonSageMaker"
_COMPONENT = "Hosting"
_HOURS = frozenset({"hrs", "hours", "hour"})
_PAGE = 100
_MAX_PAGES = 60  # a Region has some 300 hosting products


class AwsPriceList:
    """PriceList over the Price List API."""

    def __init__(self, pricing: Any = None) -> None:
        self._pricing = pricing or client("pricing")

    def read(self, region: str) -> Mapping[str, Decimal]:
        prices: dict[str, Decimal] = {}
        for product in self._products(region):
            found = _hosting_price(product, region)
            if found is not None:
                name, usd = found
                prices[name] = max(usd, prices.get(name, usd))  # of two, never the smaller
        if not prices:
            raise PriceListError(f"the price list has no {_COMPONENT} price of {region}")
        return prices

    def _products(self, region: str) -> Iterator[Mapping[str, Any]]:
        wanted = {"regionCode": region, "component": _COMPONENT}
        filters = [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in wanted.items()]
        more: dict[str, str] = {}
        for _ in range(_MAX_PAGES):
            try:
                page = self._pricing.get_products(
                    ServiceCode=_SERVICE, Filters=filters, MaxResults=_PAGE, **more
                )
            except (ClientError, BotoCoreError) as refused:
                raise PriceListError(f"the price list was not read: {refused}") from refused
            yield from map(_parsed, page.get("PriceList") or ())
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}
        raise PriceListError(f"the price list of {region} does not end")


def _parsed(text: Any) -> Mapping[str, Any]:
    try:
        product = json.loads(text)
    except (ValueError, TypeError) as wrong:
        raise PriceListError(f"an entry of the price list is not JSON: {wrong}") from wrong
    if not isinstance(product, dict):
        raise PriceListError(f"an entry of the price list is no object: {text:.80}")
    return product


def _hosting_price(product: Mapping[str, Any], region: str) -> tuple[str, Decimal] | None:
    """Type and dollars per hour; None for what is not one of ours, or costs nothing."""
    attributes = (product.get("product") or {}).get("attributes") or {}
    name = attributes.get("instanceName")
    ours = attributes.get("component") == _COMPONENT and attributes.get("regionCode") == region
    if not ours or not isinstance(name, str):
        return None
    prices = [usd for usd in _hourly(product, name) if usd > 0]
    return (name, max(prices)) if prices else None


def _hourly(product: Mapping[str, Any], name: str) -> Iterator[Decimal]:
    terms = (product.get("terms") or {}).get("OnDemand") or {}
    for term in terms.values():
        for dimension in (term.get("priceDimensions") or {}).values():
            if str(dimension.get("unit", "")).lower() not in _HOURS:
                continue
            usd = (dimension.get("pricePerUnit") or {}).get("USD")
            try:
                yield Decimal(str(usd))
            except InvalidOperation as wrong:
                raise PriceListError(f"the price list has {usd!r} for {name}") from wrong
