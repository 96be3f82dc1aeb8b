"""Somebody deletes the config of an endpoint that runs, which SageMaker allows."""

from __future__ import annotations

from autoscaler.policy.types import Phase
from tests.histories.checks import ledger_is_off
from tests.histories.forks import in_copy
from tests.histories.handlers import renew
from tests.histories.template import STACK
from tests.histories.world import NAME, World
from tests.samples import document

TYPE = "ml.g6e.xlarge"  # one alone: SageMaker then tells it in the config only


def _left_alone(world: World) -> tuple[str | None, int, set[str], list[str]]:
    one = {**document(NAME)["instances"], "types": [TYPE]}
    world.apply(scaling={"max_copies": 2, "keep_alive": "10m"}, instances=one)
    world.run(420)
    assert world.phase() == Phase.AWAKE, world.phase()
    world.client("sagemaker").delete_endpoint_config(EndpointConfigName=f"{STACK}-{NAME}")
    renew(world.wire)  # Lambda begins functions anew, which know nothing of the config
    world.run(2400)
    used = world.store().usage(world.clock.now().replace(hour=0), world.clock.now())
    types = {segment.instance_type for segment in used}
    return world.phase(), world.instances(), types, ledger_is_off(world, NAME)


def test_an_endpoint_whose_config_was_deleted_is_looked_after_and_booked(empty: World) -> None:
    assert in_copy(lambda: _left_alone(empty)) == (Phase.ASLEEP, 0, {TYPE}, [])
