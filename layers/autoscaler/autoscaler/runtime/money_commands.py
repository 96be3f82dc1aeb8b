"""Commands about money and about the kill switch, as the command line sends them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..control.budget_orders import set_budget
from ..control.budget_view import budgets_view, stop_view
from ..control.kill_switch import Stopped, start, stop
from ..control.world import World
from ..spec.orders import LONGEST_REASON

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
Everything = Annotated[str, Field(max_length=LONGEST_REASON)]  # "", or an endpoint


class _MoneyCommand(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    author: Text = "somebody"


class ShowBudget(_MoneyCommand):
    command: Literal["budget"]


class SetBudget(_MoneyCommand):
    command: Literal["budget_set"]
    changes: dict[str, Any]


class Stop(_MoneyCommand):
    command: Literal["stop"]
    endpoint: Everything = ""
    reason: Text


class Start(_MoneyCommand):
    command: Literal["start"]
    endpoint: Everything = ""


MoneyCommand = ShowBudget | SetBudget | Stop | Start


def carry_out_money(world: World, command: MoneyCommand) -> dict[str, Any]:
    """The answer to a command. Raises what the orders raise."""
    if isinstance(command, Stop):
        return _stopped(stop(world, command.author, command.reason, command.endpoint))
    if isinstance(command, Start):
        return _stopped(start(world, command.author, command.endpoint))
    if isinstance(command, SetBudget):
        set_budget(world, command.author, command.changes)
    return budgets_view(world.store.stack(), world.store.load_all(), world.clock.now())


def _stopped(done: Stopped) -> dict[str, Any]:
    state = done.state
    return {
        "stopped": stop_view(state.stopped),
        "stopped_endpoints": {
            name: stop_view(one) for name, one in sorted(state.stopped_endpoints.items())
        },
        "phases": dict(done.phases),
        "left": dict(done.left),
    }
