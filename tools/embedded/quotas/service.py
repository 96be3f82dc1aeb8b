"""ListServiceQuotas and GetServiceQuota of SageMaker: instances by type for endpoint usage.

`values` may be changed while the account runs. Every accelerated type has `DEFAULT_VALUE` until
then; a new account of AWS mostly has none.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import Any

from werkzeug.wrappers import Request, Response

from tools.embedded.sagemaker.faults import Faults, TakesFaults
from tools.embedded.sagemaker.listing import page
from tools.embedded.sagemaker.wire import Call, parse, refuse, reply
from tools.embedded.shapes import ServiceError
from tools.embedded.types import Clock

DEFAULT_VALUE = 100.0
_SERVICE = "service-quotas"
_SAGEMAKER = "sagemaker"
_USES = ("endpoint usage", "training job usage", "notebook instance usage")
_MOST = 100


class QuotaService(TakesFaults):
    """types.Service for Service Quotas. `values`: instances by type for endpoint usage."""

    signing_names: tuple[str, ...] = ("servicequotas",)

    def __init__(self, clock: Clock, region: str, account_id: str) -> None:
        self._arn = f"arn:aws:servicequotas:{region}:{account_id}:{_SAGEMAKER}"
        self.faults = Faults(clock)
        known = files("tools.embedded.sagemaker").joinpath("instance_types.json")
        names = json.loads(known.read_text(encoding="utf-8"))
        self.values: dict[str, float] = dict.fromkeys(names, DEFAULT_VALUE)

    def handle(self, request: Request) -> Response:
        try:
            call = parse(_SERVICE, request)
            self.faults.check(f"servicequotas:{call.name}", call.arguments)
            if call.arguments.get("ServiceCode", _SAGEMAKER) != _SAGEMAKER:
                message = f"There is no service {call.arguments['ServiceCode']}."
                raise ServiceError("NoSuchResourceException", message)
            operate = {"ListServiceQuotas": self._list, "GetServiceQuota": self._get}
            if call.name not in operate:
                message = f"The embedded account does not simulate {call.name}."
                raise ServiceError("UnknownOperationException", message)
            return reply(call, operate[call.name](call))
        except ServiceError as error:
            return refuse(_SERVICE, error)

    def _list(self, call: Call) -> dict[str, Any]:
        token = call.arguments.get("NextToken")
        refusal = ServiceError("InvalidPaginationTokenException", f"{token!r} is no token.")
        size = call.arguments.get("MaxResults", _MOST)
        quotas, following = page(self._quotas(), token, size, refusal)
        return {"Quotas": quotas, **({"NextToken": following} if following else {})}

    def _get(self, call: Call) -> dict[str, Any]:
        code = call.arguments["QuotaCode"]
        for quota in self._quotas():
            if quota["QuotaCode"] == code:
                return {"Quota": quota}
        raise ServiceError("NoSuchResourceException", f"There is no quota {code}.")

    def _quotas(self) -> list[dict[str, Any]]:
        return [
            self._quota(f"{name} for {use}", value if use == _USES[0] else 0.0)
            for use in _USES
            for name, value in self.values.items()
        ]

    def _quota(self, name: str, value: float) -> dict[str, Any]:
        code = "L-" + hashlib.sha256(name.encode()).hexdigest()[:8].upper()
        return {
            "ServiceCode": _SAGEMAKER, "ServiceName": "Amazon SageMaker", "QuotaName": name,
            "QuotaCode": code, "QuotaArn": f"{self._arn}/{code}", "Value": value, "Unit": "None",
            "Adjustable": True, "GlobalQuota": False, "QuotaAppliedAtLevel": "ACCOUNT",
        }  # fmt: skip
