"""The simulated SageMaker through real clients: what is there at which simulated second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.sagemaker_lab import STILL, Served, Sink, Stage
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.sagemaker import SageMakerService, SimSettings

POOLS = [
    {"InstanceType": "ml.g5.xlarge", "Priority": 1},
    {"InstanceType": "ml.g6.xlarge", "Priority": 2},
]


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


def test_creating_an_endpoint_pays_for_one_instance_and_announces_it(make: Make) -> None:
    lab = make()
    lab.config()
    lab.endpoint()
    assert lab.status() == "Creating"
    assert lab.service.instances_now() == {"e": 1}
    lab.clock.jump(119)
    assert lab.status() == "Creating"
    lab.clock.jump(2)
    assert lab.status() == "InService"
    told = [detail["EndpointStatus"] for *_, detail in lab.sink.events]
    assert told == ["CREATING", "IN_SERVICE"]


def test_a_wake_from_zero_takes_instance_container_and_weights(make: Make) -> None:
    lab = make()
    lab.ready(copies=0)
    lab.clock.jump(900)
    assert lab.service.instances_now() == {}, "the unused first instance has left"
    lab.copies(1)
    asked = lab.service.timeline("ic")[-1][0]
    assert lab.seen() == ("Updating", 1, 0)
    assert lab.service.instances_now() == {"e": 1}, "billed from the request on"
    lab.clock.jump(243)
    assert lab.seen() == ("Updating", 1, 0)
    lab.clock.jump(3)
    assert lab.seen() == ("InService", 1, 1)
    assert lab.service.timeline("ic")[-1] == (pytest.approx(asked + 245), 1, 1)


def test_a_jump_of_hours_leaves_every_moment_as_if_it_had_been_watched(make: Make) -> None:
    lab = make()
    lab.ready()
    lab.copies(3)
    asked = lab.service.timeline("ic")[-1][0]
    lab.clock.jump(36_000)
    up = [(round(time - asked), current) for time, _, current in lab.service.timeline("ic")[-3:]]
    assert up == [(0, 1), (245, 2), (245, 3)]
    lab.copies(0)
    lab.clock.jump(36_000)
    left = [end - asked - 36_000 for *_, end in lab.service.billed() if end]
    assert left == [pytest.approx(80, abs=2)] * 3, "20 s of leaving, 60 s of an idle instance"


def test_copies_share_an_instance_as_far_as_its_accelerators_go(make: Make) -> None:
    lab = make()
    lab.model()
    lab.config(InstanceType="ml.g5.12xlarge")  # 4 accelerators
    lab.endpoint()
    lab.clock.jump(121)
    lab.component(copies=3, accelerators=2)
    lab.clock.jump(300)
    assert lab.seen() == ("InService", 3, 3)
    assert lab.service.instances_now() == {"e": 2}


def test_a_copy_that_no_instance_can_hold_is_refused(make: Make) -> None:
    lab = make()
    lab.ready()
    with pytest.raises(ClientError, match="not enough hardware resources"):
        lab.component(name="large", accelerators=2)


def test_an_empty_pool_is_passed_over(make: Make) -> None:
    lab = make()
    lab.service.set_capacity("ml.g5.xlarge", 0)
    lab.ready(InstancePools=POOLS)
    assert lab.seen() == ("InService", 1, 1)
    variant = lab.sagemaker.describe_endpoint(EndpointName="e")["ProductionVariants"][0]
    counts = {one["InstanceType"]: one["CurrentInstanceCount"] for one in variant["InstancePools"]}
    assert counts == {"ml.g5.xlarge": 0, "ml.g6.xlarge": 1}


def test_pools_are_tried_by_priority_in_whatever_order_they_are_written(make: Make) -> None:
    lab = make()
    lab.config(InstancePools=POOLS[::-1])
    lab.endpoint()
    assert [one[1] for one in lab.service.billed()] == ["ml.g5.xlarge"]


def test_a_bill_ends_with_its_instance_and_is_kept(make: Make) -> None:
    lab = make()
    lab.ready()
    lab.copies(0)
    lab.clock.jump(100)
    told = lab.service.billed()
    assert told[0][4] is not None
    lab.clock.jump(86_400)
    assert lab.service.billed() == told, "nothing is billed after an instance is gone"
    lab.copies(1)
    first, second = lab.service.billed()
    assert (first, second[4]) == (told[0], None)
    assert second[2] != first[2], "a new instance is another line"
    lab.clock.jump(300)
    lab.sagemaker.delete_inference_component(InferenceComponentName="ic")
    lab.clock.jump(31)
    lab.sagemaker.delete_endpoint(EndpointName="e")
    lab.clock.jump(3600)
    assert len(lab.service.billed()) == 2, "of an endpoint that is gone, too"
    assert lab.service.instances_now() == {}


def test_a_component_keeps_its_tags_until_it_is_gone(make: Make) -> None:
    """By them it is known whose it is, also while it is being deleted."""
    lab = make()
    lab.ready()
    arn = lab.service.world.arn("inference-component", "ic")
    lab.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "x"}])
    lab.sagemaker.delete_inference_component(InferenceComponentName="ic")
    assert lab.service.tags_of(arn) == {"team": "x"}
    lab.clock.jump(3600)
    assert arn not in dict(lab.service.tagged())
    assert not lab.service.exists(arn)


def test_an_empty_pool_may_be_waited_for_until_its_timeout(make: Make) -> None:
    lab = make(settings=SimSettings(skip_empty_pools=False))
    lab.ready(copies=0, InstancePools=POOLS, VariantInstanceProvisionTimeoutInSeconds=300)
    lab.clock.jump(900)
    lab.service.set_capacity("ml.g5.xlarge", 0)
    lab.copies(1)
    lab.clock.jump(290)
    assert lab.service.instances_now() == {}
    lab.clock.jump(20)
    assert lab.service.instances_now() == {"e": 1}


def test_a_creation_without_capacity_fails_in_the_end(make: Make) -> None:
    lab = make()
    lab.ready(copies=0)
    lab.clock.jump(900)
    lab.service.set_capacity("ml.g5.xlarge", 0)
    lab.component(name="other")
    lab.clock.jump(599)
    assert lab.seen("other") == ("Creating", 1, 0)
    lab.clock.jump(2)
    assert lab.seen("other") == ("Failed", 1, 0)
    found = lab.sagemaker.describe_inference_component(InferenceComponentName="other")
    assert "InsufficientInstanceCapacity" in found["FailureReason"]
    lab.sagemaker.delete_inference_component(InferenceComponentName="other")


def test_an_update_without_capacity_ends_short_and_is_mended_when_there_is_some(make: Make) -> None:
    lab = make()
    lab.ready()
    lab.service.set_capacity("ml.g5.xlarge", 1)
    lab.copies(2)
    lab.clock.jump(599)
    assert lab.seen() == ("Updating", 2, 1)
    lab.clock.jump(2)
    assert lab.seen() == ("InService", 2, 1)
    found = lab.sagemaker.describe_inference_component(InferenceComponentName="ic")
    assert "InsufficientInstanceCapacity" in found["FailureReason"]
    lab.service.set_capacity("ml.g5.xlarge", None)
    lab.clock.jump(280)
    assert lab.seen() == ("InService", 2, 2)


def test_an_endpoint_without_capacity_fails_and_costs_nothing(make: Make) -> None:
    lab = make()
    lab.service.set_capacity("ml.g5.xlarge", 0)
    lab.config()
    lab.endpoint()
    lab.clock.jump(601)
    assert lab.status() == "Failed"
    assert lab.service.instances_now() == {}
    assert lab.sink.events[-1][2]["EndpointStatus"] == "FAILED"


def test_a_turn_round_in_the_middle_of_a_wake(make: Make) -> None:
    lab = make(settings=SimSettings(refuse_update_while_updating=False))
    lab.ready(copies=0)
    lab.copies(2)
    lab.clock.jump(60)
    lab.copies(0)
    lab.clock.jump(30)
    assert lab.seen() == ("InService", 0, 0)
    lab.clock.jump(120)
    assert lab.service.instances_now() == {}, "what was still starting has gone"


def test_it_may_be_billed_from_service_only(make: Make) -> None:
    lab = make(settings=SimSettings(billed_from_request=False))
    lab.config()
    lab.endpoint()
    assert lab.service.instances_now() == {}
    assert lab.service.truth.seconds() == 0
    found = lab.sagemaker.describe_endpoint(EndpointName="e")
    assert "ProductionVariants" not in found, "while it is created all of it is pending"
    (variant,) = found["PendingDeploymentSummary"]["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 0
    lab.clock.jump(106)
    assert lab.service.instances_now() == {"e": 1}
    assert lab.service.truth.seconds() == pytest.approx(1, abs=0.5)
