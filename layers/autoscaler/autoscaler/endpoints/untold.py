"""An event that waits to be announced, stored with the change that it tells of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Untold(BaseModel):
    """Its name on the bus and its detail there."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    detail_type: str
    detail: dict[str, Any]
