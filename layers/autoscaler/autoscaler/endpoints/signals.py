"""What the metrics of an endpoint said when they were read last, as it is stored."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Signals(BaseModel):
    """Stands for the present until they are read again (`policy.attention`)."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    read_at: AwareDatetime
    concurrency_per_copy: float
    seconds_per_request: float | None = None
    served_per_second: float | None = None
