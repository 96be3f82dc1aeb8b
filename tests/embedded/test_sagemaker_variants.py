"""Variants that name a model, updates of endpoints, adapters, asynchronous inference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.sagemaker_lab import ROLE, STILL, Served, Sink, Stage, until
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.sagemaker import SageMakerService

SPEED = 20  # where something is to happen by itself


class Store:
    """Blobs in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get(self, uri: str) -> bytes:
        return self.objects[uri]

    def put(self, uri: str, body: bytes) -> None:
        self.objects[uri] = body


class Lab(Stage):
    def __init__(self, folder: Path, **options: Any) -> None:
        self.clock = AccountClock(folder / "clock", datetime(2026, 3, 2, tzinfo=UTC), STILL)
        self.sink, self.store = Sink(), Store()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.service = SageMakerService(
            self.clock,
            self.sink,
            self.sink,
            blobs=self.store,
            notify=lambda arn, message: self.told.append((arn, message)),
            **options,
        )
        self.served = Served(self.service)
        super().__init__(self.served)

    def classic(self, count: int = 1, **config: Any) -> None:
        """An endpoint in service whose variant names a model."""
        self.model()
        self.config(ModelName="m", InitialInstanceCount=count, **config)
        self.endpoint()
        self.clock.jump(246)

    def counts(self) -> tuple[int, int]:
        (variant,) = self.sagemaker.describe_endpoint(EndpointName="e")["ProductionVariants"]
        return variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]

    def resize(self, count: int) -> None:
        asked = [{"VariantName": "v", "DesiredInstanceCount": count}]
        self.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="e", DesiredWeightsAndCapacities=asked
        )


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.served.close()


def test_a_classic_endpoint_takes_as_long_as_its_container(lab: Lab) -> None:
    lab.model()
    lab.config(ModelName="m", InitialInstanceCount=2)
    lab.endpoint()
    lab.clock.jump(240)
    assert lab.status() == "Creating"
    lab.clock.jump(6)
    assert (lab.status(), lab.counts()) == ("InService", (2, 2))
    lab.clock.set_speed(SPEED)
    body = json.dumps({"prompt": "x", "max_tokens": 2})
    answer = lab.runtime.invoke_endpoint(EndpointName="e", Body=body)
    assert answer["InvokedProductionVariant"] == "v"


def test_a_classic_variant_is_resized(lab: Lab) -> None:
    lab.classic()
    lab.resize(3)
    assert lab.status() == "Updating"
    lab.clock.jump(246)
    assert (lab.status(), lab.counts()) == ("InService", (3, 3))
    lab.resize(1)
    lab.clock.jump(30)
    assert (lab.status(), lab.counts()) == ("InService", (1, 1))
    with pytest.raises(ClientError, match="must be at least 1"):
        lab.resize(0)


@pytest.mark.parametrize(("retain", "expected"), [(True, 3), (False, 1)])
def test_an_update_resets_the_count_unless_it_is_retained(
    lab: Lab, retain: bool, expected: int
) -> None:
    lab.classic()
    lab.resize(3)
    lab.clock.jump(246)
    lab.config("c2", ModelName="m", InstanceType="ml.g6.xlarge")
    lab.sagemaker.update_endpoint(
        EndpointName="e", EndpointConfigName="c2", RetainAllVariantProperties=retain
    )
    lab.clock.jump(100)
    assert lab.status() == "Updating"
    lab.clock.jump(400)
    assert (lab.status(), lab.counts()) == ("InService", (expected, expected))
    alive = {one[1] for one in lab.service.billed() if one[4] is None}
    assert alive == {"ml.g6.xlarge"}


def test_an_update_without_capacity_goes_back(lab: Lab) -> None:
    lab.classic()
    lab.config("c2", ModelName="m", InstanceType="ml.g6.xlarge")
    lab.service.set_capacity("ml.g6.xlarge", 0)
    lab.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="c2")
    lab.clock.jump(700)
    found = lab.sagemaker.describe_endpoint(EndpointName="e")
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "c")
    assert "InsufficientInstanceCapacity" in found["FailureReason"]
    assert lab.counts() == (1, 1)


def test_components_move_to_the_instances_of_another_config(lab: Lab) -> None:
    lab.model()
    lab.config()
    lab.endpoint()
    lab.clock.jump(121)
    lab.component()
    lab.clock.jump(300)
    lab.config("c2", InstanceType="ml.g6.xlarge")
    lab.sagemaker.update_endpoint(
        EndpointName="e", EndpointConfigName="c2", RetainAllVariantProperties=True
    )
    lab.clock.jump(200)
    assert (lab.status(), lab.seen()) == ("Updating", ("Updating", 1, 1))
    lab.clock.jump(300)
    assert (lab.status(), lab.seen()) == ("InService", ("InService", 1, 1))
    alive = [one[1] for one in lab.service.billed() if one[4] is None]
    assert alive == ["ml.g6.xlarge"]


def test_an_adapter_is_served_by_its_base(lab: Lab) -> None:
    lab.model()
    lab.config()
    lab.endpoint()
    lab.clock.jump(121)
    lab.component("base")
    lab.clock.jump(300)
    lab.sagemaker.create_inference_component(
        InferenceComponentName="adapter",
        EndpointName="e",
        Specification={
            "BaseInferenceComponentName": "base",
            "Container": {"ArtifactUrl": "s3://b/adapter.tar.gz"},
        },
    )
    lab.clock.set_speed(SPEED)
    answer = lab.runtime.invoke_endpoint(
        EndpointName="e",
        InferenceComponentName="adapter",
        Body=json.dumps({"prompt": "x", "max_tokens": 2}),
    )
    assert json.loads(answer["Body"].read())["choices"]
    with pytest.raises(ClientError, match="adapters use it"):
        lab.sagemaker.delete_inference_component(InferenceComponentName="base")


OUTPUT = {
    "S3OutputPath": "s3://out/answers/",
    "S3FailurePath": "s3://out/failures/",
    "NotificationConfig": {
        "SuccessTopic": "arn:aws:sns:us-east-1:123456789012:good",
        "ErrorTopic": "arn:aws:sns:us-east-1:123456789012:bad",
    },
}


def test_async_requests_wait_for_an_instance_and_are_stored(lab: Lab) -> None:
    lab.classic(config={"AsyncInferenceConfig": {"OutputConfig": OUTPUT}})
    lab.resize(0)
    lab.clock.jump(60)
    assert lab.counts() == (0, 0)
    lab.store.put("s3://in/one", json.dumps({"prompt": "x", "max_tokens": 5}).encode())
    taken = [
        lab.runtime.invoke_endpoint_async(EndpointName="e", InputLocation="s3://in/one"),
        lab.runtime.invoke_endpoint_async(EndpointName="e", Body=b'{"prompt": "y"}'),
        lab.runtime.invoke_endpoint_async(EndpointName="e", InputLocation="s3://in/none"),
    ]
    assert {one["ResponseMetadata"]["HTTPStatusCode"] for one in taken} == {202}
    lab.clock.set_speed(SPEED)
    lab.clock.jump(20)
    until(lambda: 1.0 in lab.sink.values("HasBacklogWithoutCapacity"))
    assert max(lab.sink.values("ApproximateBacklogSize")) == 3
    lab.resize(1)
    lab.clock.jump(246)
    until(lambda: len(lab.told) == 3)
    answers = [json.loads(lab.store.get(one["OutputLocation"])) for one in taken[:2]]
    assert [one["usage"]["completion_tokens"] for one in answers] == [5, 64]
    assert "could not be read" in lab.store.get(taken[2]["FailureLocation"]).decode()
    assert sorted(arn.rpartition(":")[2] for arn, _ in lab.told) == ["bad", "good", "good"]
    assert {message["invocationStatus"] for _, message in lab.told} == {"Completed", "Failed"}


def test_an_async_request_expires(lab: Lab) -> None:
    lab.classic(config={"AsyncInferenceConfig": {"OutputConfig": OUTPUT}})
    lab.resize(0)
    lab.clock.jump(60)
    taken = lab.runtime.invoke_endpoint_async(
        EndpointName="e", Body=b'{"prompt": "y"}', RequestTTLSeconds=60
    )
    lab.clock.set_speed(SPEED)
    lab.clock.jump(61)
    until(lambda: taken["FailureLocation"] in lab.store.objects)
    assert b"expired" in lab.store.get(taken["FailureLocation"])


def test_a_synchronous_call_of_an_async_endpoint_is_refused(lab: Lab) -> None:
    lab.classic(config={"AsyncInferenceConfig": {"OutputConfig": OUTPUT}})
    with pytest.raises(ClientError, match="only asynchronous"):
        lab.runtime.invoke_endpoint(EndpointName="e", Body=b"{}")
    assert ROLE in str(lab.sagemaker.describe_endpoint_config(EndpointConfigName="c"))
