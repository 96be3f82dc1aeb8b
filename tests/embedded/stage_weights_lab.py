"""The ways through the deployed `stage_weights` machine that its tests share."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.embedded.stack import Stack, wait_for
from tools.hub import Repository, make_repository

FUNCTION = "autoscaler-stage-file"
_KILL_WITHIN_SECONDS = 30


def begin(stack: Stack, **request: Any) -> str:
    """The ARN of an execution that has begun."""
    flows = stack.account.boto("stepfunctions")
    machine = next(
        one["stateMachineArn"]
        for one in flows.list_state_machines()["stateMachines"]
        if one["name"].endswith("stage-weights")
    )
    begun = flows.start_execution(
        stateMachineArn=machine, name=uuid.uuid4().hex, input=json.dumps(request)
    )
    return str(begun["executionArn"])


def execute(stack: Stack, **request: Any) -> tuple[str, Any]:
    """How an execution ended, and its output or its error and cause."""
    flows, execution = stack.account.boto("stepfunctions"), begin(stack, **request)
    seen = wait_for(
        lambda: flows.describe_execution(executionArn=execution),
        lambda one: one["status"] != "RUNNING",
        "the execution's end",
    )
    if seen["status"] == "SUCCEEDED":
        return "SUCCEEDED", json.loads(seen["output"])
    return seen["status"], {k: seen.get(k, "") for k in ("error", "cause")}


def published(stack: Stack, name: str, shards: int = 3, shard_bytes: int = 300_000) -> Repository:
    """A model repository of the test's own, so that one stack serves all tests."""
    repository = make_repository(f"acme/{name}", shards=shards, shard_bytes=shard_bytes)
    stack.hub.add(repository)
    return repository


def stored(stack: Stack, name: str) -> list[str]:
    """The keys of a model's files, checkpoints and passport."""
    bucket = stack.outputs["WeightsBucketName"]
    found = stack.account.boto("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
    return sorted(one["Key"] for one in found if f"/acme--{name}" in one["Key"])


def uploads(stack: Stack) -> list[str]:
    """The keys of multipart uploads that are open, of all tests."""
    bucket = stack.outputs["WeightsBucketName"]
    found = stack.account.boto("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [one["Key"] for one in found]


@contextmanager
def killing(stack: Stack, when: Callable[[], bool]) -> Iterator[list[int]]:
    """Kills the workers that there are when this holds for the first time; their process ids."""
    worker, killed, over = stack.account.runtime.deployed[FUNCTION], [], threading.Event()

    def kill() -> None:
        end = time.monotonic() + _KILL_WITHIN_SECONDS
        while time.monotonic() < end and not killed and not over.is_set():
            if when():
                for environment in list(worker.environments):
                    environment._process.kill()
                    killed.append(environment.pid)
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


@contextmanager
def large_from(stack: Stack, size_bytes: int, part_bytes: int) -> Iterator[None]:
    """What is larger goes in parts of this size; both lie at gigabytes otherwise."""
    change = stack.account.runtime.change_environment
    sizes = {"STAGING_SINGLE_PUT_BYTES": size_bytes, "STAGING_PART_BYTES": part_bytes}
    change(FUNCTION, **{name: str(value) for name, value in sizes.items()})
    try:
        yield
    finally:
        change(FUNCTION, **dict.fromkeys(sizes, ""))
