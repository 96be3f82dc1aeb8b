"""Functions that go their rounds beside the control loop, and are simply called again."""

from __future__ import annotations

from tests.histories.scenarios import Scenario, agreed, awake
from tests.histories.template import STACK
from tests.histories.world import World


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


PRICES = Scenario("prices", awake, _prices, _prices, _read, by_itself=True)
REPORT = Scenario("report", awake, _report, _report, _written)
ROUNDS = (PRICES, REPORT)
