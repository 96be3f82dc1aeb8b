"""Several endpoints through their whole life at once, while calls of the control plane fail."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.types import Phase
from tests.embedded.inventory import inventory, left
from tests.embedded.stack import Stack
from tests.samples import document
from tools.embedded.kernel.disorder import Disorder

PATIENCE_SECONDS = 240.0  # of the wall, for one phase of all endpoints
REPEATS = 12  # a person whose command met trouble sends it again
SCALING = {"min_copies": 0, "max_copies": 1, "keep_alive": "5m"}
TOKENS = 5
PHASES = ("AWAKE", "ASLEEP", "AWAKE", "ASLEEP", None)


class StoryError(AssertionError):
    """An endpoint did not get where it should; says where it stayed."""


@dataclass
class Lived:
    """What the story left."""

    reached: dict[str, list[str | None]] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)
    instances: int = 0
    simulated_seconds: float = 0.0


def live(stack: Stack, names: Sequence[str], disorder: Disorder) -> Lived:
    """Deploy, sleep, wake by a request, sleep, retire, all under disorder. Raises StoryError."""
    lived = Lived({name: [] for name in names})
    began = stack.account.clock.time()
    before = inventory(stack.account)
    stack.account.front.traffic.disorder = disorder
    try:
        for name in names:
            changes = document(name, scaling=SCALING)
            _ordered(stack, "apply", document=changes)
        _reach(stack, lived, "AWAKE")
        _reach(stack, lived, "ASLEEP")
        for name in names:
            stack.ask(name, {"id": f"{name}-1", "prompt": "x", "max_tokens": TOKENS})
        _reach(stack, lived, "AWAKE")
        _wait(lambda: not _missing(stack, names), lambda: f"no answer: {_missing(stack, names)}")
        _reach(stack, lived, "ASLEEP")
        for name in names:
            _ordered(stack, "delete", endpoint=name)
        _reach(stack, lived, None)
    finally:
        stack.account.front.traffic.disorder = None
    lived.unanswered = _missing(stack, names)
    lived.instances = stack.instances()
    lived.left = left(before, inventory(stack.account))
    lived.simulated_seconds = stack.account.clock.time() - began
    return lived


def _ordered(stack: Stack, command: str, **arguments: Any) -> dict[str, Any]:
    """The command's answer; a function that failed is asked again, as a person would."""
    body = json.dumps({"command": command, **arguments}).encode()
    for _ in range(REPEATS):
        reply = stack.account.boto("lambda").invoke(
            FunctionName=stack.outputs["CommandFunctionName"], Payload=body
        )
        answer: dict[str, Any] = json.loads(reply["Payload"].read())
        if "FunctionError" not in reply:
            return answer
    raise StoryError(f"{command} {arguments} was refused {REPEATS} times: {answer}")


def _statuses(stack: Stack) -> dict[str, EndpointStatus]:
    """As they are stored, seen by the account's owner, whom no disorder touches."""
    records = stack.store().load_all()
    return {record.status.name: record.status for record in records}


def _reach(stack: Stack, lived: Lived, phase: str | None) -> None:
    """Waits until every endpoint was seen in the phase once (None: it is gone)."""
    seen: set[str] = set()

    def reached() -> bool:
        now = _statuses(stack)
        if failed := {n: one.failure for n, one in now.items() if one.phase is Phase.FAILED}:
            raise StoryError(f"these wait for a person: {failed}")
        seen.update(n for n in lived.reached if (now[n].phase if n in now else None) == phase)
        return len(seen) == len(lived.reached)

    _wait(reached, lambda: f"waited for {phase}, saw {_statuses(stack)}")
    for name in lived.reached:
        lived.reached[name].append(phase)


def _missing(stack: Stack, names: Sequence[str]) -> list[str]:
    """Requests without their answer."""
    s3, bucket = stack.account.boto("s3"), stack.outputs["ResultsBucketName"]
    missing = []
    for name in names:
        key = f"results/{name}/{name}-1.json"
        found = s3.list_objects_v2(Bucket=bucket, Prefix=key)
        result = found["KeyCount"] and json.loads(
            s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        )
        if (
            not result
            or result.get("answer", {}).get("usage", {}).get("completion_tokens") != TOKENS
        ):
            missing.append(f"{name}-1")
    return missing


def _wait(reached: Callable[[], bool], saying: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > end:
            raise StoryError(saying())
        time.sleep(0.2)
