"""A thousand endpoints in the simulated SageMaker and in the table, and one tick over them."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoscaler.catalog.models import known_model
from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.requests import Deployment, deployment
from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.types import Phase
from autoscaler.spec import EndpointSpec
from tests.embedded.stack import MODEL, Stack
from tests.samples import asleep, awake, spec

RECONCILE = "autoscaler-reconcile"
DISPATCH = "autoscaler-dispatch-requests"
TICK = (Path(__file__).parents[2] / "events" / "tick.json").read_bytes()
WEIGHTS = "models/fleet/"
THREADS = 4


@dataclass(frozen=True)
class Tick:
    """One tick as the front and the machine saw it."""

    seconds: float  # of the wall
    processor_seconds: float  # of the function's own process
    calls: Counter[str]  # of this function alone
    outcome: dict[str, Any]


@dataclass(frozen=True)
class Fleet:
    """How many endpoints are in which phase; the rest sleeps."""

    endpoints: int = 1000
    awake: int = 270
    waking: int = 10
    failed: int = 20

    def phase(self, number: int) -> Phase:
        for phase, count in (
            (Phase.AWAKE, self.awake),
            (Phase.WAKING, self.waking),
            (Phase.FAILED, self.failed),
        ):
            if number < count:
                return phase
            number -= count
        return Phase.ASLEEP


def settle(stack: Stack, fleet: Fleet) -> None:
    """Creates them all, as `deploy_endpoint` would, and their items in the table."""
    account = stack.account
    world = account.sagemaker.world
    world.settings = replace(world.settings, default_quota=fleet.endpoints)
    bucket = stack.outputs["WeightsBucketName"]
    account.boto("s3").put_object(Bucket=bucket, Key=f"{WEIGHTS}model.safetensors", Body=b"x")
    requests = [
        requests_of(_spec(fleet, number), "autoscaler", bucket) for number in range(fleet.endpoints)
    ]
    sagemaker, sqs = account.boto("sagemaker"), account.boto("sqs")
    _each(lambda one: sagemaker.create_model(**one.model), requests)
    _each(lambda one: sagemaker.create_endpoint_config(**one.endpoint_config), requests)
    _each(lambda one: sagemaker.create_endpoint(**one.endpoint), requests)
    account.clock.jump(world.settings.endpoint + 60)
    _each(lambda one: sagemaker.create_inference_component(**one.component), requests)
    account.clock.jump(600)
    resting = [f"autoscaler-{_name(n)}" for n in range(fleet.endpoints) if _rests(fleet.phase(n))]
    _each(lambda name: _to_zero(sagemaker, name), resting)
    account.clock.jump(600)
    _each(lambda n: sqs.create_queue(QueueName=f"autoscaler-{_name(n)}"), range(fleet.endpoints))
    store = stack.store()
    now = account.clock.now()
    _each(lambda n: store.create(_spec(fleet, n), _status(fleet, n, now)), range(fleet.endpoints))


def tick(stack: Stack) -> Tick:
    """One tick in the function's own process, with its own timeout."""
    traffic, runtime = stack.account.front.traffic, stack.account.runtime
    traffic.counts.clear()
    traffic.counting = True
    before = _processor_seconds(runtime)
    began = time.monotonic()
    done = runtime.invoke(RECONCILE, TICK)
    seconds = time.monotonic() - began
    traffic.counting = False
    used = sum(_processor_seconds(runtime).values()) - sum(before.values())
    if done.function_error:
        raise AssertionError(f"the tick failed: {done.payload.decode()[:2000]}")
    own = runtime.find(RECONCILE).launch.environ["AWS_ACCESS_KEY_ID"]
    return Tick(seconds, used, traffic.counts[own], json.loads(done.payload))


def disable_schedule(stack: Stack) -> None:
    """From now on the only ticks are those that are measured."""
    scheduler = stack.account.boto("scheduler")
    found = scheduler.get_schedule(Name="autoscaler-tick")
    kept = {k: found[k] for k in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**kept, State="DISABLED")


def _processor_seconds(runtime: Any) -> dict[int, float]:
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for environment in runtime.find(RECONCILE).environments:
        stat = Path(f"/proc/{environment.pid}/stat")
        if stat.exists():
            fields = stat.read_text().rpartition(")")[2].split()
            found[environment.pid] = (int(fields[11]) + int(fields[12])) / ticks
    return found


def _each(work: Callable[[Any], Any], things: Iterable[Any]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(work, things):
            pass


def _name(number: int) -> str:
    return f"e{number:04}"


def _rests(phase: Phase) -> bool:
    return phase is not Phase.AWAKE


def _spec(fleet: Fleet, number: int) -> EndpointSpec:
    kept = 1 if fleet.phase(number) is Phase.AWAKE else 0
    return spec(_name(number), scaling={"min_copies": kept, "max_copies": 2, "keep_alive": "10m"})


def _status(fleet: Fleet, number: int, now: Any) -> EndpointStatus:
    phase = fleet.phase(number)
    if phase is Phase.AWAKE:
        return awake(_name(number), at=now, last_active_at=now)
    more = {"wish_copies": 1, "wished_at": now} if phase is Phase.WAKING else {}
    return asleep(_name(number), phase=phase, at=now, **more)


def requests_of(wanted: EndpointSpec, prefix: str, bucket: str) -> Deployment:
    """What `deploy_endpoint` sends to SageMaker and Application Auto Scaling."""
    facts = known_model(MODEL)
    assert facts is not None
    return deployment(
        wanted,
        ResourceNames(prefix, wanted.name),
        region="us-east-1",
        weights_uri=f"s3://{bucket}/{WEIGHTS}",
        role_arn="arn:aws:iam::123456789012:role/fleet",
        facts=facts,
        tags={"autoscaler:stack": prefix},
    )


def _to_zero(sagemaker: Any, component: str) -> None:
    sagemaker.update_inference_component_runtime_config(
        InferenceComponentName=component, DesiredRuntimeConfig={"CopyCount": 0}
    )
