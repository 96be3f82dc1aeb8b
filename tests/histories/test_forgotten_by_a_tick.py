"""An endpoint that is gone, and whose retirement may not forget it: a tick does."""

from __future__ import annotations

from tests.histories.faults import Call, Fault
from tests.histories.forks import in_copy
from tests.histories.scenarios import awake, left
from tests.histories.world import NAME, World


def _retired(world: World) -> tuple[int, str | None, list[str]]:
    def strike(call: Call) -> Fault | None:
        writes = (call.actor, call.name) == ("record-phase", "dynamodb:TransactWriteItems")
        return Fault.DENIED if writes and b'"Delete"' in call.request["body"] else None

    awake(world)
    world.wire.strike = strike
    assert world.command("delete", endpoint=NAME).payload["ok"]
    world.run(1800)
    assert world.settle()
    return len(world.wire.fired), world.phase(), left(world)


def test_a_tick_forgets_what_the_retirement_could_not(empty: World) -> None:
    fired, phase, still_there = in_copy(lambda: _retired(empty))
    assert fired
    assert (phase, still_there) == (None, [])
