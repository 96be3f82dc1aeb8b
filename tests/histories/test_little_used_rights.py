"""What some roles may touch only in a corner of an endpoint's life: each corner once, in full."""

from __future__ import annotations

from autoscaler.aws.weights import S3WeightStore
from autoscaler.catalog.models import known_model
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy.types import Phase
from autoscaler.staging.large import CHECKPOINTS, checkpoint_key
from tests.histories.checks import wrong_with
from tests.histories.forks import in_copy
from tests.histories.scenarios import left
from tests.histories.staged import STAGED
from tests.histories.template import STACK
from tests.histories.world import NAME, World, world
from tools.hub.repository import make_repository
from tools.hub.server import HubServer

UNKNOWN = "somebody/Llama-Of-Their-Own"


def _record(world: World) -> EndpointRecord:
    record = world.record()
    assert record is not None
    return record


def _weights(world: World) -> S3WeightStore:
    return S3WeightStore(world.client("s3"), f"{STACK}-weights-bucket")


def _parked_and_begun_anew(world: World) -> tuple[list[str], str | None, list[str]]:
    world.apply()
    world.until(lambda: world.phase() == Phase.CREATING, most_seconds=600, step_seconds=1)
    assert world.command("stop", reason="a test").payload["ok"]
    world.tick()
    removals = [one.name for one in world.states.running() if one.flow == "remove-capacity"]
    assert _record(world).status.parked
    assert world.settle()
    assert world.instances() == 0
    assert world.command("start").payload["ok"]
    assert world.settle()
    return removals, world.phase(), wrong_with(world)


def test_a_creation_that_is_stopped_is_removed_by_a_tick_and_begins_anew(empty: World) -> None:
    removals, phase, wrong = in_copy(lambda: _parked_and_begun_anew(empty))
    assert len(removals) == 1
    assert (phase, wrong) == (Phase.AWAKE, [])


def _deleted_with_a_checkpoint(world: World) -> tuple[list[str], list[str]]:
    STAGED.act(world)
    assert not STAGED.wish(world), STAGED.wish(world)
    store = _weights(world)
    prefix = str(_record(world).status.weights_uri).removeprefix(f"s3://{STACK}-weights-bucket/")
    store.put_bytes(checkpoint_key(f"{prefix}model-00001-of-00001.safetensors"), b"{}")
    assert world.command("delete", endpoint=NAME, discard_weights=True).payload["ok"]
    assert world.settle()
    return [one.key for one in store.list(CHECKPOINTS)], left(world)


def test_a_checkpoint_that_a_worker_left_goes_with_the_weights(empty: World) -> None:
    assert in_copy(lambda: _deleted_with_a_checkpoint(empty)) == ([], [])


def test_a_model_that_the_catalogue_does_not_know_is_planned_from_its_staged_config() -> None:
    theirs = make_repository(UNKNOWN, shards=1, shard_bytes=1 << 10)
    with HubServer([theirs]) as hub, world(hub.endpoint) as made:
        assert made.apply(model={"id": UNKNOWN, "source": "s3"}).payload["ok"]
        assert made.settle()
        assert known_model(UNKNOWN) is None
        assert (made.phase(), wrong_with(made)) == (Phase.AWAKE, [])
