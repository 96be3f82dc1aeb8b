"""From the decision that an endpoint is idle to zero instances: ours, and SageMaker's own way.

Both stand in one account, on the same clock, and have their last request at the same moment. The
native one has no other hand on it than high-resolution target tracking with a minimum of zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.scaling import put_scaling_policy, register_scalable_target
from autoscaler.policy.types import Bounds
from benchmarks.lifecycle.fleet import WEIGHTS, requests_of
from tests.embedded.stack import Stack, wait_for
from tests.samples import spec

OURS, NATIVE = "ours", "native"
SCALING = {"min_copies": 0, "max_copies": 2, "keep_alive": "2m"}
TOKENS = 20


@dataclass(frozen=True)
class Sleep:
    """Simulated seconds."""

    ours: float  # from the stored wish to sleep until zero instances were seen
    native: float  # from the end of the last request until the last instance was gone
    native_after_ours: float  # from our wish, on the same clock, until then
    release: float  # what SageMaker was told to take for an instance without copies


class Pair:
    """Two endpoints alike in all but who puts them to sleep."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._names = ResourceNames(NATIVE, "one")
        bucket = stack.outputs["WeightsBucketName"]
        account = stack.account
        account.boto("s3").put_object(Bucket=bucket, Key=f"{WEIGHTS}model.safetensors", Body=b"x")
        made = requests_of(spec("one", scaling=SCALING), NATIVE, bucket)
        sagemaker = account.boto("sagemaker")
        sagemaker.create_model(**made.model)
        sagemaker.create_endpoint_config(**made.endpoint_config)
        sagemaker.create_endpoint(**made.endpoint)
        assert stack.apply(OURS, scaling=SCALING)["ok"]
        self._until_endpoint()
        sagemaker.create_inference_component(**made.component)
        self._until_copies(1)
        scaling = account.boto("application-autoscaling")
        scaling.register_scalable_target(**register_scalable_target(self._names, Bounds(0, 2)))
        stack.until(OURS, "AWAKE")

    def measure(self, release: float) -> Sleep:
        """One sleep of both. `release`: how long an instance without copies stays."""
        world = self._stack.account.sagemaker.world
        with world.lock:
            world.settings = replace(world.settings, idle_instance=release)
        self._track()
        self._last_request(f"last-{release:.0f}")
        ended = self._stack.account.clock.time()
        self._stack.until(OURS, "ASLEEP")
        wished, seen = (self._when(phase) for phase in ("SLEEPING", "ASLEEP"))
        gone = self._native_gone()
        return Sleep(seen - wished, gone - ended, gone - wished, release)

    def wake(self) -> None:
        """Both awake again, whoever has to do it by hand."""
        self._stack.command("wake", endpoint=OURS)
        self._stack.account.boto("sagemaker").update_inference_component_runtime_config(
            InferenceComponentName=self._names.component, DesiredRuntimeConfig={"CopyCount": 1}
        )
        self._until_copies(1)
        self._stack.until(OURS, "AWAKE")

    def _track(self) -> None:
        """Anew, so that its quarter of an hour does not begin before the last request."""
        policy = put_scaling_policy(spec("one", scaling=SCALING), self._names)
        self._stack.account.boto("application-autoscaling").put_scaling_policy(**policy)

    def _last_request(self, request_id: str) -> None:
        self._stack.ask(OURS, {"id": request_id, "prompt": "x", "max_tokens": TOKENS})
        self._stack.account.boto("sagemaker-runtime").invoke_endpoint(
            EndpointName=self._names.endpoint,
            InferenceComponentName=self._names.component,
            ContentType="application/json",
            Body=b'{"prompt": "x", "max_tokens": 20}',
        )
        self._stack.result(OURS, request_id)

    def _when(self, phase: str) -> float:
        lines = self._stack.get(OURS)["history"]
        newest = max(line["at"] for line in lines if line["phase"] == phase)
        return datetime.fromisoformat(newest).timestamp()

    def _native_gone(self) -> float:
        def ends() -> list[float | None]:
            billed = self._stack.account.sagemaker.billed(self._names.endpoint)
            return [gone for *_, gone in billed]

        found = wait_for(ends, lambda all_of: None not in all_of, "the native endpoint at zero")
        return float(max(found))

    def _component(self) -> Any:
        return self._stack.account.boto("sagemaker").describe_inference_component(
            InferenceComponentName=self._names.component
        )

    def _until_endpoint(self) -> None:
        sagemaker = self._stack.account.boto("sagemaker")

        def status() -> Any:
            return sagemaker.describe_endpoint(EndpointName=self._names.endpoint)["EndpointStatus"]

        wait_for(status, lambda one: one == "InService", "the native endpoint")

    def _until_copies(self, copies: int) -> None:
        def current() -> Any:
            return self._component()["RuntimeConfig"]["CurrentCopyCount"]

        wait_for(current, lambda one: one >= copies, "the native copy")
