"""Functions that go their rounds beside the control loop: what they are told to do twice, they do
once, and what they may not touch they leave alone."""

from __future__ import annotations

from autoscaler.policy.types import Phase
from tests.histories.scenarios import Scenario, agreed, awake, left
from tests.histories.template import STACK
from tests.histories.world import NAME, World

_ALIVE = ("model", "config", "endpoint", "component")


def _sweep(world: World) -> None:
    world.invoke("sweep-account", {"sweep": "remove"})


def _sweep_often(world: World) -> None:
    """Often enough that what it took for an orphan would be removed."""
    for _ in range(3):
        _sweep(world)
        world.move_to(world.clock.time() + 3600)
        world.tick()


def _untouched(world: World) -> list[str]:
    """Whatever could not be read: what an endpoint needs is there, and nothing was removed."""
    there = left(world)
    gone = [f"{one} was removed" for one in _ALIVE if not any(f": {one} " in had for had in there)]
    removed = [f"removed: {detail}" for detail in world.told("OrphanRemoved")]
    phase = [] if world.phase() == Phase.AWAKE else [f"{NAME} is {world.phase()}"]
    return gone + removed + phase + agreed(world)


def _prices(world: World) -> None:
    world.invoke("refresh-prices")


def _read(world: World) -> list[str]:
    book = world.store().prices()
    return ([] if book.read_at else ["the prices were not read"]) + agreed(world)


def _report(world: World) -> None:
    world.invoke("report-costs", {"period": "day", "running": True})


def _written(world: World) -> list[str]:
    found = world.client("s3").list_objects_v2(Bucket=f"{STACK}-reports-bucket")
    kinds = {one["Key"].rpartition(".")[2] for one in found.get("Contents", ())}
    lacks = sorted({"html", "csv", "json"} - kinds)
    told = [] if world.told("ReportWritten") else ["nobody was told of the report"]
    return [f"the report lacks {kind}" for kind in lacks] + told + agreed(world)


SWEEP = Scenario("sweep", awake, _sweep_often, _sweep, _untouched)
PRICES = Scenario("prices", awake, _prices, _prices, _read)
REPORT = Scenario("report", awake, _report, _report, _written)
ROUNDS = (SWEEP, PRICES, REPORT)
