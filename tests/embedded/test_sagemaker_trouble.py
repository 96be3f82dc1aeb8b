"""What goes wrong on the way of a copy, roll-outs, and the order in which things are removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.sagemaker_lab import STILL, Served, Sink, Stage
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.sagemaker import SageMakerService


class Lab(Stage):
    def __init__(self, folder: Path, **options: Any) -> None:
        self.clock = AccountClock(folder / "clock", datetime(2026, 3, 2, tzinfo=UTC), STILL)
        self.sink = Sink()
        self.service = SageMakerService(self.clock, self.sink, self.sink, **options)
        self.served = Served(self.service)
        super().__init__(self.served)

    def ready(self, copies: int = 1, **config: Any) -> None:
        """An endpoint in service with a component in service."""
        self.model()
        self.config(**config)
        self.endpoint()
        self.clock.jump(121)
        self.component(copies=copies)
        self.clock.jump(300)


Make = Callable[..., Lab]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Lab] = []

    def build(**options: Any) -> Lab:
        made.append(Lab(tmp_path, **options))
        return made[-1]

    yield build
    for lab in made:
        lab.served.close()


def refused(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def test_missing_weights_fail_a_creation(make: Make) -> None:
    asked: list[str] = []

    def weights(uri: str) -> bool:
        asked.append(uri)
        return False

    lab = make(weights=weights)
    source = {"S3Uri": "s3://b/w/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    lab.model(ModelDataSource={"S3DataSource": source})
    lab.config()
    lab.endpoint()
    lab.clock.jump(121)
    lab.component()
    lab.clock.jump(70)
    assert lab.seen() == ("Failed", 1, 0)
    found = lab.sagemaker.describe_inference_component(InferenceComponentName="ic")
    assert "Could not find model data at s3://b/w/" in found["FailureReason"]
    assert asked == ["s3://b/w/"]


def test_a_broken_container_is_in_creation_until_its_health_check_times_out(make: Make) -> None:
    lab = make()
    lab.ready()
    lab.service.break_container("ic", "CUDA driver version is insufficient")
    lab.copies(2)
    lab.clock.jump(700)
    assert lab.seen() == ("Updating", 2, 1)
    lab.clock.jump(10)
    assert lab.seen() == ("InService", 2, 1)
    assert lab.service.instances_now() == {"e": 2}, "it is tried on, and paid for"
    lab.service.break_container("ic", None)
    lab.clock.jump(800)
    assert lab.seen() == ("InService", 2, 2)


def test_caching_shortens_the_way_of_a_second_copy(make: Make) -> None:
    lab = make()
    lab.model()
    lab.config()
    lab.endpoint()
    lab.clock.jump(121)
    lab.component(DataCacheConfig={"EnableCaching": True})
    lab.clock.jump(300)
    lab.copies(2)
    lab.clock.jump(105 + 37 + 1)
    assert lab.seen() == ("InService", 2, 2)


def test_another_specification_is_rolled_out_without_a_gap(make: Make) -> None:
    lab = make()
    lab.ready()
    lab.model("m2")
    lab.sagemaker.update_inference_component(
        InferenceComponentName="ic",
        Specification={
            "ModelName": "m2",
            "ComputeResourceRequirements": {
                "MinMemoryRequiredInMb": 1024,
                "NumberOfAcceleratorDevicesRequired": 1,
            },
        },
    )
    lab.clock.jump(200)
    assert lab.seen() == ("Updating", 1, 1), "the old copy serves"
    lab.clock.jump(100)
    assert lab.seen() == ("InService", 1, 1)
    assert min(current for *_, current in lab.service.timeline("ic")[1:]) == 1
    found = lab.sagemaker.describe_inference_component(InferenceComponentName="ic")
    assert found["Specification"]["ModelName"] == "m2"


def test_a_roll_out_that_finds_no_instance_is_rolled_back(make: Make) -> None:
    lab = make()
    lab.ready()
    lab.model("m2")
    lab.service.set_capacity("ml.g5.xlarge", 1)
    needs = {"MinMemoryRequiredInMb": 1024, "NumberOfAcceleratorDevicesRequired": 1}
    lab.sagemaker.update_inference_component(
        InferenceComponentName="ic",
        Specification={"ModelName": "m2", "ComputeResourceRequirements": needs},
    )
    lab.clock.jump(650)
    assert lab.seen() == ("InService", 1, 1)
    found = lab.sagemaker.describe_inference_component(InferenceComponentName="ic")
    assert found["Specification"]["ModelName"] == "m"
    assert "InsufficientInstanceCapacity" in found["FailureReason"]


@pytest.mark.parametrize(
    "size", [{"Type": "COPY_COUNT", "Value": 1}, {"Type": "CAPACITY_PERCENT", "Value": 51}]
)
def test_a_roll_out_takes_between_a_twentieth_and_a_half_of_the_copies(
    make: Make, size: dict[str, Any]
) -> None:
    """Of one copy no number of copies is."""
    lab = make()
    lab.ready()
    lab.model("m2")
    needs = {"MinMemoryRequiredInMb": 1024, "NumberOfAcceleratorDevicesRequired": 1}
    rolling = {"MaximumBatchSize": size, "WaitIntervalInSeconds": 0}
    with pytest.raises(ClientError, match="between 5% and 50% of the copy count 1"):
        lab.sagemaker.update_inference_component(
            InferenceComponentName="ic",
            Specification={"ModelName": "m2", "ComputeResourceRequirements": needs},
            DeploymentConfig={"RollingUpdatePolicy": rolling},
        )
    assert lab.seen() == ("InService", 1, 1)


def test_a_lost_instance_is_replaced(make: Make) -> None:
    lab = make()
    lab.ready()
    (instance,) = lab.service.billed("e")
    lab.service.lose_instance(instance[2])
    assert lab.seen() == ("InService", 1, 0)
    lab.clock.jump(246)
    assert lab.seen() == ("InService", 1, 1)


@pytest.mark.parametrize(
    ("capacity", "after_200_s", "after_590_s", "after_610_s"),
    [(None, "InService", "InService", "InService"), (0, "Creating", "Creating", "Failed")],
)
def test_a_creation_waits_for_another_instance_than_the_lost_one(
    make: Make, capacity: int | None, after_200_s: str, after_590_s: str, after_610_s: str
) -> None:
    """Before any component is there, and so long as for the first one: 600 s."""
    lab = make()
    lab.model()
    lab.config()
    lab.endpoint()
    lab.clock.jump(90)
    lab.service.set_capacity("ml.g5.xlarge", capacity)
    lab.service.lose_instance(lab.service.billed("e")[0][2])

    def status() -> str:
        return str(lab.sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"])

    lab.clock.jump(31)
    assert status() == "Creating", "it would have been in service"
    lab.clock.jump(200 - 31)
    assert status() == after_200_s
    lab.clock.jump(390)
    assert status() == after_590_s
    lab.clock.jump(20)
    assert status() == after_610_s


def test_things_are_removed_in_their_order(make: Make) -> None:
    lab = make()
    lab.ready()
    api = lab.sagemaker
    assert "hosts inference components: ic" in refused(api.delete_endpoint, EndpointName="e")
    assert "uses it" in refused(api.delete_model, ModelName="m")
    api.delete_inference_component(InferenceComponentName="ic")
    assert "while it is in status Deleting" in refused(
        api.delete_inference_component, InferenceComponentName="ic"
    )
    lab.clock.jump(31)
    assert "Could not find inference component" in refused(
        api.describe_inference_component, InferenceComponentName="ic"
    )
    api.delete_endpoint(EndpointName="e")
    lab.clock.jump(31)
    assert api.list_endpoints()["Endpoints"] == []
    assert all(end is not None for *_, end in lab.service.billed())
    api.delete_endpoint_config(EndpointConfigName="c")
    api.delete_model(ModelName="m")
    assert "Could not find model" in refused(api.describe_model, ModelName="m")


def test_what_changes_is_not_changed_again(make: Make) -> None:
    lab = make()
    lab.model()
    lab.config()
    lab.endpoint()
    api = lab.sagemaker
    assert "in status Creating" in refused(api.delete_endpoint, EndpointName="e")
    assert "in status Creating" in refused(api.delete_endpoint_config, EndpointConfigName="c")
    assert "in-progress" in refused(api.update_endpoint, EndpointName="e", EndpointConfigName="c")
    with pytest.raises(ClientError, match="not InService"):
        lab.component()
    lab.clock.jump(121)
    lab.component()
    assert "in status Creating" in refused(
        api.delete_inference_component, InferenceComponentName="ic"
    )
    with pytest.raises(ClientError, match="in status Creating"):
        lab.copies(2)
