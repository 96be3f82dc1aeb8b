"""The stack's budget as a person sets it, without a deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from ..endpoints.stack_state import StackState
from ..endpoints.status import EndpointRecord
from ..spec import SpecError, StackLimits
from ..spec.sentences import cut, sentence
from .budgets import stack_news, wakes_counted
from .world import World

_MOST = 100  # unknown fields that are named at a time


def set_budget(world: World, author: str, changes: Mapping[str, Any]) -> StackState:
    """Stores the fields that are given, beside those that were; None takes a limit away.

    Whom the new budget binds is known at once; what follows is done, and told, by the next tick.
    Raises SpecError that names each wrong field, and ConflictError when somebody else wrote first.
    """
    state = world.store.stack()
    unknown = sorted(set(changes) - set(StackLimits.model_fields))[:_MOST]
    if unknown:
        known = ", ".join(StackLimits.model_fields)
        raise SpecError([f"budget.{cut(name)}: unknown field; known: {known}" for name in unknown])
    try:
        present = {**state.budget.model_dump(), "wakes_per_day": state.wakes_per_day}
        limits = StackLimits.model_validate({**present, **changes})
    except ValidationError as wrong:
        raise SpecError([_problem(error) for error in wrong.errors()]) from wrong
    now = world.clock.now()
    after = state.model_copy(
        update={
            "budget": limits.budget,
            "wakes_per_day": limits.wakes_per_day,
            "budget_by": author,
            "budget_at": now,
            # Against another budget every step and the forecast are news again.
            "month_told": "",
            "day_told": "",
            "forecast_told": "",
        }
    )
    return world.store.save_stack(_binding(after, world.store.load_all(), now))


def _binding(state: StackState, records: Sequence[EndpointRecord], now: datetime) -> StackState:
    """With whom it binds from now on, as a tick finds it. Nothing is told: the tick does that."""
    counted = wakes_counted(state, records, now)
    return counted.model_copy(update={"yielding": stack_news(state, records, now, []).yielding})


def _problem(error: Any) -> str:
    place = tuple(part for part in error["loc"] if isinstance(part, str))
    path = ".".join(("budget", *place))
    if error["type"] == "value_error":
        return f"{path}: {error['msg'].removeprefix('Value error, ')}"
    said = sentence(error["type"], place, error["input"], error.get("ctx", {}), error["msg"])
    return f"{path}: {said}"
