"""Whether answers are kept for requests that are the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from .durations import Duration, format_duration

SHORTEST_KEPT = timedelta(minutes=1)


def _long_enough(value: timedelta) -> timedelta:
    if value < SHORTEST_KEPT:
        raise ValueError(
            f"{format_duration(value)} is too short: at least 1m; leave `answers` out to keep none"
        )
    return value


class Answers(BaseModel):
    """`keep`: how long a deterministic request's answer answers the next one that is the same;
    None: never. The stack's ResultDays ends what is kept for longer."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    keep: Annotated[Duration, AfterValidator(_long_enough)] | None = None
