"""Whose weights may go with their endpoint, and what goes in which order."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from autoscaler.aws.weights import S3WeightStore
from autoscaler.control.orders import delete
from autoscaler.control.weights import prefix_in, users
from autoscaler.endpoints.status import EndpointRecord, Update, UpdateWay
from autoscaler.policy.types import Phase
from autoscaler.runtime import weights
from autoscaler.staging.removal import remove_weights
from tests.memory import memory_world
from tests.samples import asleep, put, spec

COMMIT = "c" * 40
PREFIX = f"models/acme--llama/{COMMIT}/"
URI = f"s3://weights/{PREFIX}"
KEYS = [
    f"checkpoints/{PREFIX}large.safetensors.json",
    f"{PREFIX}config.json",
    f"{PREFIX}model.safetensors",
    f"passports/acme--llama/{COMMIT}.json",
]
NEIGHBOUR = f"models/acme--llama/{COMMIT}-with-code/config.json"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="weights")
        for key in [*KEYS, NEIGHBOUR]:
            client.put_object(Bucket="weights", Key=key, Body=b"x")
        yield client


def keys(s3) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket="weights").get("Contents", ())]


def record(name: str, **changes) -> EndpointRecord:
    fields = {"weights_uri": URI, **changes}
    return EndpointRecord(spec=spec(name), status=asleep(name, **fields))


def test_all_of_a_commit_goes_and_nothing_of_its_neighbour(s3) -> None:
    upload = s3.create_multipart_upload(Bucket="weights", Key=f"{PREFIX}half.safetensors")
    assert remove_weights(S3WeightStore(s3, "weights"), PREFIX, lambda: True) == len(KEYS)
    assert keys(s3) == [NEIGHBOUR]
    assert upload["UploadId"]
    assert not s3.list_multipart_uploads(Bucket="weights").get("Uploads")


def test_somebody_who_comes_in_between_loses_only_the_proof_and_stages_anew(s3) -> None:
    assert remove_weights(S3WeightStore(s3, "weights"), PREFIX, lambda: False) == 1
    assert set(keys(s3)) == {*KEYS[:3], NEIGHBOUR}


@pytest.mark.parametrize(
    "prefix", ["", "models/", "models/acme--llama/", "models/a/b/c/", "x/a/b/"]
)
def test_only_one_commit_can_be_named(s3, prefix: str) -> None:
    with pytest.raises(ValueError, match="is not the prefix of one commit"):
        remove_weights(S3WeightStore(s3, "weights"), prefix, lambda: True)
    assert len(keys(s3)) == len(KEYS) + 1


def test_weights_that_another_endpoint_has_or_may_have_stay() -> None:
    ours = record("llama")
    assert users(ours, [ours]) == []
    assert users(ours, [ours, record("twin")]) == ["twin"]
    assert users(ours, [record("staging", weights_uri=None)]) == ["staging"]
    assert users(ours, [record("older", weights_uri=URI.replace("c", "d"))]) == []
    leaving = record("leaving", phase=Phase.RETIRING, discard_weights=True)
    assert users(ours, [leaving]) == []
    assert users(ours, [record("leaving", phase=Phase.RETIRING)]) == ["leaving"]


def test_weights_that_an_update_brings_to_another_endpoint_stay() -> None:
    ours, older = record("llama"), URI.replace("c" * 40, "d" * 40)

    def updating(uri: str | None, model_id: str = spec().model.id) -> EndpointRecord:
        other = record("other", weights_uri=older)
        model = {"id": model_id, "revision": "v2"}
        update = Update(spec=spec("other", model=model), way=UpdateWay.ROLL, weights_uri=uri)
        status = other.status.model_copy(update={"update": update})
        return other.model_copy(update={"status": status})

    assert users(ours, [updating(URI)]) == ["other"], "staged, and not in place yet"
    assert users(ours, [updating(None)]) == ["other"], "its commit is not known yet"
    assert users(ours, [updating(older)]) == []
    assert users(ours, [updating(None, "acme/another")]) == []
    foreign = spec("other", model={"id": "acme/another"})
    assert users(ours, [updating(URI).model_copy(update={"spec": foreign})]) == ["other"]


def test_what_the_stack_did_not_stage_has_no_prefix_to_remove() -> None:
    assert prefix_in("weights", URI) == PREFIX
    assert prefix_in("weights", None) is None
    assert prefix_in("weights", "s3://elsewhere/models/a/b/") is None
    assert prefix_in("weights", "s3://weights/results/a/") is None


def test_that_its_weights_shall_go_may_also_be_said_of_a_retirement_under_way() -> None:
    world = memory_world()
    put(world, asleep("llama"))
    assert not delete(world, "llama", discard_requests=False).discard_weights
    told = delete(world, "llama", discard_requests=False, discard_weights=True)
    assert (told.discard_weights, told.generation) == (True, 2)
    assert delete(world, "llama", discard_requests=False).discard_weights, "it is not taken back"


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({}, True),
        ({"generation": 3}, False),  # a wish that overtook this one
        ({"phase": Phase.ASLEEP}, False),
        ({"discard_weights": False}, False),
    ],
    ids=["asked for", "by another wish", "not retiring", "not asked for"],
)
def test_weights_go_only_by_the_very_wish_that_asked_for_it(
    s3, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], gone: bool
) -> None:
    """An execution that was overtaken, and hears of it late, removes nothing."""
    fields = {"generation": 2, "phase": Phase.RETIRING, "discard_weights": True, **changes}
    world = memory_world()
    put(world, asleep("llama", weights_uri=URI, **fields))
    monkeypatch.setattr(weights, "world", lambda: world)
    monkeypatch.setattr(weights, "settings", lambda: SimpleNamespace(weights_bucket="weights"))
    monkeypatch.setattr(weights, "client", lambda _service: s3)
    answer = weights.answer_weights({"endpoint": "llama", "generation": 2})
    assert answer == {"removed": len(KEYS) if gone else 0, "kept_for": []}
    assert keys(s3) == [NEIGHBOUR] if gone else len(keys(s3)) == len(KEYS) + 1
