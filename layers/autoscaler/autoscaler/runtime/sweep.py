"""The sweep_account function: hourly, and when a person asks."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Literal

from pydantic import Field

from ..aws.inventory import AwsAccount
from ..aws.sweep_memory import TableMemory
from ..control.sweep import Gap
from ..control.sweeping import Swept, found_event, inspect, line_of, sweep
from ..endpoints.mode import Mode
from .boundary import Boundary, Variables
from .logs import logger
from .settings import settings
from .wiring import world


class SweepSettings(Variables):
    """What the template tells this function besides."""

    cap: int = Field(alias="SWEEP_CAP", ge=0)


class SweepOrder(Boundary):
    """`look` changes nothing and remembers nothing."""

    sweep: Literal["look", "remove"]


@cache
def _cap() -> int:
    """Orphans that are removed at a time; none in observe mode."""
    if settings().mode is Mode.OBSERVE:
        return 0
    return SweepSettings.model_validate(dict(os.environ)).cap


def answer_sweep(event: Any) -> dict[str, Any]:
    """What was found, what becomes of it, and what was removed; money as text, None: unknown."""
    order, env = SweepOrder.model_validate(event), settings()
    account = AwsAccount(env.stack_name, f"{env.stack_name}-dispatch-requests")
    work = inspect if order.sweep == "look" else sweep
    done = work(world(), account, TableMemory(env.table_name), env.stack_name, _cap())
    logger.info(
        "swept",
        order=order.sweep,
        orphans=len(done.orphans),
        removed=[resource.name for resource in done.removed],
        gaps=len(done.gaps),
        problems=done.problems,
    )
    return _told(done)


def _told(done: Swept) -> dict[str, Any]:
    found = found_event(done).model_dump(mode="json")
    return {
        "orphans": [line_of(one, done.at).model_dump(mode="json") for one in done.orphans],
        "usd_per_hour": found["usd_per_hour"],
        "usd_so_far": found["usd_so_far"],
        "unpriced": done.unpriced,
        "gaps": [
            {"endpoint": gap.endpoint, "lacks": gap.lacks, "what_to_do": _what(gap)}
            for gap in done.gaps
        ],
        "problems": list(done.problems),
        "removed": [{"kind": one.kind, "name": one.name} for one in done.removed],
        "cap": _cap(),
        "mode": settings().mode,
    }


def _what(gap: Gap) -> str:
    return f"{gap.what_to_do}: `{gap.command}`" if gap.command else gap.what_to_do
