"""Two ticks at once: one does all of its work in the middle of a call of the other's.

tests/histories/test_races.py has them at each call to AWS; here it is at each call of a port.
"""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.control.reconcile import Outcome, reconcile
from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.types import Phase
from autoscaler.ports import ConflictError, Flow
from tests.memory import MemoryStore, MemoryWorld, memory_world
from tests.samples import awake, put

NAME = "llama"
# Of a tick that puts an endpoint to sleep, in their order. The second tick comes before the call is
# carried out, or between that and its answer.
CALLS = ["store.load_all", "load.read", "scaler.look", "store.save", "flows.start"]


def _idle() -> MemoryWorld:
    """Its keep-alive is over: a tick puts it to sleep."""
    world = memory_world()
    put(world, awake(NAME))
    world.scaler.settle(NAME, 1)
    return world


def _both(world: MemoryWorld, where: str, before: bool) -> list[Outcome]:
    """What the two ticks did, of which the second began and ended in a call of the first's."""
    name, _, call = where.partition(".")
    port, outcomes = getattr(world, name), []
    real = getattr(port, call)

    def interrupted(*args: Any, **named: Any) -> Any:
        setattr(port, call, real)
        if before:
            outcomes.append(reconcile(world))
        answer = real(*args, **named)
        if not before:
            outcomes.append(reconcile(world))
        return answer

    setattr(port, call, interrupted)
    outcomes.insert(0, reconcile(world))
    assert len(outcomes) == 2, f"no tick calls {where}"
    return outcomes


def _done(world: MemoryWorld) -> dict[str, Any]:
    """All that a tick leaves behind."""
    status = world.store.records[NAME].status
    return {
        "started": world.flows.started,
        "generation": status.generation,
        "phase": status.phase,
        "history": [entry.text for entry in world.store.entries],
        "ledger": world.store.segments,
        "meters": status.meters,
        "told": world.announcer.kinds(),
        "asked of AWS": world.scaler.calls,
    }


@pytest.mark.parametrize("before", [True, False], ids=["before", "in"])
@pytest.mark.parametrize("where", CALLS)
def test_two_ticks_at_the_same_moment_act_once(where: str, before: bool) -> None:
    alone, world = _idle(), _idle()
    reconcile(alone)
    _both(world, where, before)
    assert world.flows.started == [(Flow.SLEEP, NAME, 2)]
    assert _done(world) == _done(alone)


def test_who_read_before_the_other_wrote_writes_nothing() -> None:
    first, second = _both(_idle(), "store.load_all", before=False)
    assert (first.conflicts, second.conflicts) == ([NAME], [])


def test_without_the_version_both_would_act(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above are known to interleave: the table's condition is what holds."""

    def unchecked(_store: MemoryStore, status: EndpointStatus) -> None:
        if status.phase is Phase.RETIRED:
            raise ConflictError(status.name)

    monkeypatch.setattr(MemoryStore, "_check", unchecked)
    alone, world = _idle(), _idle()
    reconcile(alone)
    _both(world, "store.load_all", before=False)
    assert _done(world) != _done(alone)
