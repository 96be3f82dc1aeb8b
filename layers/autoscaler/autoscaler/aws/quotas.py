"""SageMaker's quotas of instances for endpoints, from Service Quotas.

One quota a type, named "ml.g6e.xlarge for endpoint usage". Its code cannot be told from its name,
so the list is read: some 20 pages, kept for ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..ports import QuotaError
from .clients import client

_SUFFIX = " for endpoint usage"
_PAGE = 100
_MAX_PAGES = 100
_KEPT_SECONDS = 600.0


class ServiceQuotas:
    """Quotas over Service Quotas."""

    def __init__(self, quotas: Any = None) -> None:
        self._quotas = quotas or client("service-quotas")
        self._kept: tuple[float, dict[str, float]] | None = None

    def for_endpoints(self) -> Mapping[str, float]:
        if self._kept is None or time.monotonic() - self._kept[0] > _KEPT_SECONDS:
            self._kept = (time.monotonic(), self._read())
        return self._kept[1]

    def _read(self) -> dict[str, float]:
        found: dict[str, float] = {}
        more: dict[str, str] = {}
        for _ in range(_MAX_PAGES):
            try:
                page = self._quotas.list_service_quotas(
                    ServiceCode="sagemaker", MaxResults=_PAGE, **more
                )
            except (ClientError, BotoCoreError) as refused:
                raise QuotaError(str(refused)) from refused
            for quota in page.get("Quotas", ()):
                name = quota.get("QuotaName", "")
                if name.endswith(_SUFFIX) and "Value" in quota:
                    found[name.removesuffix(_SUFFIX)] = float(quota["Value"])
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}
        raise QuotaError("the list of quotas does not end")
