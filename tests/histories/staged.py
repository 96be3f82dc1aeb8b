"""Weights that are staged into the bucket with their endpoint, and go with it."""

from __future__ import annotations

from typing import Any

from autoscaler.policy.types import Phase
from autoscaler.staging.passport import standing_passport
from tests.histories.scenarios import Scenario, agreed, deletion, gone, nothing
from tests.histories.template import STACK
from tests.histories.world import NAME, World
from tests.samples import document

_BUCKET = f"{STACK}-weights-bucket"
_MODEL = {**document(NAME)["model"], "source": "s3"}
# What the other scenarios of an apply and a delete do not have.
_STAGING = frozenset({"plan-staging", "stage-file", "seal-staging", "machine stage-weights"})
_REMOVING = frozenset({"remove-weights"})


def _apply(world: World) -> None:
    if world.phase() in (None, Phase.FAILED):
        world.apply(model=_MODEL)


def _apply_and_wait(world: World) -> None:
    _apply(world)
    world.run(540)


def _staged(world: World) -> list[str]:
    phase = world.phase()
    found = [] if phase == Phase.AWAKE else [f"{NAME} is {phase}, not AWAKE"]
    return found + _proof(world) + agreed(world)


def _proof(world: World) -> list[str]:
    """What the passport says lies there, and nothing half done."""
    record, s3 = world.record(), world.client("s3")
    commit = str(record.status.weights_uri if record else "").rstrip("/").rpartition("/")[2]
    store = _store(world)
    if not commit or standing_passport(store, _MODEL["id"], commit, False) is None:
        return ["the weights have no passport that stands"]
    uploads = s3.list_multipart_uploads(Bucket=_BUCKET).get("Uploads", ())
    return [f"an upload was left open: {one['Key']}" for one in uploads]


def _store(world: World) -> Any:
    from autoscaler.aws.weights import S3WeightStore

    return S3WeightStore(world.client("s3"), _BUCKET)


def _awake(world: World) -> None:
    _apply_and_wait(world)
    assert not _staged(world), _staged(world)


def _delete(world: World) -> None:
    if world.phase() not in (None, Phase.RETIRING):
        world.command("delete", endpoint=NAME, discard_weights=True)


def _without_weights(world: World) -> list[str]:
    """Pointers to contents stay: they are hints."""
    found = world.client("s3").list_objects_v2(Bucket=_BUCKET).get("Contents", ())
    keys = [one["Key"] for one in found]
    left = [f"left behind: {key}" for key in keys if not key.startswith("contents/")]
    return left + gone(world)


STAGED = Scenario(
    "apply with staging", nothing, _apply_and_wait, _apply, _staged,
    possible=lambda case: case.actor in _STAGING,
)  # fmt: skip
UNSTAGED = deletion(
    "delete with weights", _awake, _delete, _without_weights, lambda case: case.actor in _REMOVING
)
WEIGHTS = (STAGED, UNSTAGED)
