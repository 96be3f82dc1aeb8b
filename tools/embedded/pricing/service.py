"""GetProducts over the hosting prices of one service, in the shape of the offer files.

`prices` may be changed while the account runs: us-east-1's list is there from the start, another
Region has none until a test gives it some.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from werkzeug.wrappers import Request, Response

from tools.embedded.sagemaker.faults import Faults, TakesFaults
from tools.embedded.sagemaker.listing import page
from tools.embedded.sagemaker.wire import Call, parse, refuse, reply
from tools.embedded.shapes import ServiceError
from tools.embedded.types import DEFAULT_REGION, Clock

_SERVICE = "pricing"
_SAGEMAKER = "AmazonSageMaker"
_MOST = 100
# Of an instance type the price list has a product for each use; people pay by theirs.
_COMPONENTS = {"Hosting": "Host", "Training": "Train", "Notebook": "Notebk"}
_FORMAT = "aws_v1"


class PricingService(TakesFaults):
    """types.Service for `pricing`. `prices`: dollars per hour by Region and instance type."""

    signing_names: tuple[str, ...] = (_SERVICE,)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.faults = Faults(clock)
        text = files(__package__).joinpath("hosting_prices.json").read_text(encoding="utf-8")
        self.prices: dict[str, dict[str, str]] = {DEFAULT_REGION: json.loads(text)}

    def handle(self, request: Request) -> Response:
        try:
            call = parse(_SERVICE, request)
            self.faults.check(f"{_SERVICE}:{call.name}", call.arguments)
            if call.name != "GetProducts":
                message = f"The embedded account does not simulate {call.name}."
                raise ServiceError("UnknownOperationException", message)
            return reply(call, self._get_products(call))
        except ServiceError as error:
            return refuse(_SERVICE, error)

    def _get_products(self, call: Call) -> dict[str, Any]:
        asked = call.arguments
        if asked["ServiceCode"] != _SAGEMAKER:
            raise ServiceError("NotFoundException", f"There is no service {asked['ServiceCode']}.")
        wanted: dict[str, str] = {}
        for one in asked.get("Filters", []):
            if one["Type"] != "TERM_MATCH":
                message = f"The embedded account does not simulate the filter {one['Type']}."
                raise ServiceError("InvalidParameterException", message)
            wanted[one["Field"]] = one["Value"]
        found = [product for product in self._products() if _matches(product, wanted)]
        token, size = asked.get("NextToken"), asked.get("MaxResults", _MOST)
        refusal = ServiceError("InvalidNextTokenException", f"{token!r} is no token.")
        products, following = page(found, token, size, refusal)
        told = {"FormatVersion": _FORMAT, "PriceList": [json.dumps(one) for one in products]}
        return {**told, "NextToken": following} if following else told

    def _products(self) -> Iterator[dict[str, Any]]:
        published = self._clock.now().strftime("%Y-%m-%dT00:00:00Z")
        for region, prices in self.prices.items():
            for name, usd in prices.items():
                for component in _COMPONENTS:
                    yield _product(region, name, component, usd, published)


def _product(region: str, name: str, component: str, usd: str, published: str) -> dict[str, Any]:
    sku = hashlib.sha256(f"{region}{name}{component}".encode()).hexdigest()[:16].upper()
    term, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension = {
        "unit": "Hrs", "beginRange": "0", "endRange": "Inf", "appliesTo": [], "rateCode": rate,
        "description": f"${usd} per {component} {name} hour", "pricePerUnit": {"USD": usd},
    }  # fmt: skip
    return {
        "serviceCode": _SAGEMAKER,
        "publicationDate": published,
        "product": {
            "sku": sku,
            "productFamily": "ML Instance",
            "attributes": {
                "servicecode": _SAGEMAKER, "servicename": "Amazon SageMaker",
                "regionCode": region, "locationType": "AWS Region", "component": component,
                "instanceName": name, "instanceType": f"{name}-{component}",
                "platoinstancename": name.split(".")[1], "platoinstancetype": component,
                "usagetype": f"{_COMPONENTS[component]}:{name}", "operation": "RunInstance",
            },
        },
        "terms": {
            "OnDemand": {
                term: {
                    "sku": sku, "offerTermCode": "JRTCKXETXF", "termAttributes": {},
                    "effectiveDate": published, "priceDimensions": {rate: dimension},
                }
            }
        },
    }  # fmt: skip


def _matches(product: dict[str, Any], wanted: dict[str, str]) -> bool:
    attributes = {**product["product"]["attributes"]}
    attributes["productFamily"] = product["product"]["productFamily"]
    attributes["ServiceCode"] = product["serviceCode"]
    return all(attributes.get(field) == value for field, value in wanted.items())
