"""How an endpoint's requests are treated: what may wait, and who has which share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .durations import PatientDuration, format_duration
from .numbers import Real, Whole
from .request import TENANT_PATTERN

OTHERS = "*"  # every tenant that is not named, and requests that name none
MOST_TENANTS = 100
# A queue keeps a message for 14 days, and it must have time to be answered after it is due.
_LONGEST = timedelta(days=7)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")


def _not_too_long(value: timedelta) -> timedelta:
    if value > _LONGEST:
        raise ValueError(f"{format_duration(value)} is too long: at most 7d")
    return value


class Requests(_Part):
    """`deferrable_within`: requests that may wait, and give no deadline, are due then."""

    deferrable_within: Annotated[PatientDuration, AfterValidator(_not_too_long)] = timedelta(days=1)


class Tenant(_Part):
    """A tenant's part of the endpoint. None: no limit."""

    share: Annotated[Real, Field(gt=0, le=1000)] = 1.0
    in_flight: Annotated[Whole, Field(ge=1, le=1000)] | None = None
    requests_per_minute: Annotated[Whole, Field(ge=1, le=100_000)] | None = None


TenantName = Annotated[str, Field(pattern=rf"{TENANT_PATTERN}|^\*$")]
Tenants = Annotated[dict[TenantName, Tenant], Field(max_length=MOST_TENANTS)]
