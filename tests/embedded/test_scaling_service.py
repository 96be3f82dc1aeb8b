"""The simulated Application Auto Scaling through real clients, in simulated time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.sagemaker_lab import STILL, Served, Sink, Stage, until
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.sagemaker import SageMakerService
from tools.embedded.scaling import AutoScalingService
from tools.embedded.types import Fault

DIMENSION = "sagemaker:inference-component:DesiredCopyCount"
IC: dict[str, Any] = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "inference-component/ic",
    "ScalableDimension": DIMENSION,
}
HIGH_RESOLUTION = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"


class Lab(Stage):
    def __init__(self, folder: Path) -> None:
        self.clock = AccountClock(folder / "clock", datetime(2026, 3, 2, tzinfo=UTC), STILL)
        self.sink = Sink()
        self.service = SageMakerService(self.clock, self.sink, self.sink)
        self.auto = AutoScalingService(self.clock, self.service)
        self.served = Served(self.service, self.auto)
        super().__init__(self.served)
        self.model()
        managed = {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 8}
        self.config(ManagedInstanceScaling=managed)
        self.endpoint()
        self.clock.jump(121)
        self.component(copies=1)
        self.clock.jump(300)

    def bounds(self, low: int, high: int, **more: Any) -> str:
        found = self.scaling.register_scalable_target(
            **IC, MinCapacity=low, MaxCapacity=high, **more
        )
        return str(found["ScalableTargetARN"])

    def track(self, target: float = 2, **more: Any) -> Any:
        return self.scaling.put_scaling_policy(
            **IC,
            PolicyName="track",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": target,
                "PredefinedMetricSpecification": {"PredefinedMetricType": HIGH_RESOLUTION},
                **more,
            },
        )

    def desired(self) -> int:
        return self.seen()[1]

    def outstanding(self) -> list[int]:
        """Requests by copy."""
        with self.service.world.lock:
            copies = self.service.world.components["ic"].ready
            return [copy.load.outstanding(self.clock.time()) for copy in copies]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.served.close()


def test_registering_clamps_at_once(lab: Lab) -> None:
    lab.bounds(2, 4)
    assert lab.seen()[:2] == ("Updating", 2)
    lab.clock.jump(300)
    lab.bounds(0, 1)
    assert lab.desired() == 1
    (found,) = lab.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (0, 1)
    told = lab.scaling.describe_scaling_activities(ServiceNamespace="sagemaker")
    assert [one["Description"] for one in told["ScalingActivities"]] == [
        "Setting desired copy count to 1.",
        "Setting desired copy count to 2.",
    ]
    assert [one["StatusCode"] for one in told["ScalingActivities"]] == ["InProgress", "Successful"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"MinCapacity": 3, "MaxCapacity": 2}, "Maximum capacity cannot be less than minimum"),
        ({"MinCapacity": -1, "MaxCapacity": 2}, "must be at least 0"),
        ({"MinCapacity": 1}, "are required for a new scalable target"),
        ({"ResourceId": "inference-component/no", "MinCapacity": 0, "MaxCapacity": 1}, "not exist"),
        ({"ResourceId": "endpoint/e/variant/v", "MinCapacity": 0, "MaxCapacity": 1}, "Invalid res"),
        (
            {"ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 0, "MaxCapacity": 1},
            "Unsupported service namespace",
        ),
    ],
)
def test_targets_that_are_refused(lab: Lab, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ClientError, match=says):
        lab.scaling.register_scalable_target(**(IC | change))


def test_bounds_may_be_changed_one_at_a_time_and_go_with_all_that_hangs_on_them(lab: Lab) -> None:
    lab.bounds(0, 3)
    assert lab.seen() == ("InService", 1, 1), "within the bounds nothing moves"
    lab.track()
    lab.scaling.register_scalable_target(**IC, MinCapacity=1)
    (found,) = lab.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 3)
    lab.scaling.deregister_scalable_target(**IC)
    described = lab.scaling.describe_scaling_policies(ServiceNamespace="sagemaker")
    assert described["ScalingPolicies"] == []
    with pytest.raises(ClientError) as caught:
        lab.scaling.deregister_scalable_target(**IC)
    assert caught.value.response["Error"]["Code"] == "ObjectNotFoundException"


def test_a_scheduled_action_moves_the_bounds_at_local_time(lab: Lab) -> None:
    lab.bounds(0, 1)
    lab.scaling.put_scheduled_action(
        **IC,
        ScheduledActionName="morning",
        Schedule="cron(0 8 * * ? *)",
        Timezone="Europe/Berlin",
        ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 4},
    )
    lab.clock.jump(7 * 3600 - 421 - 10)  # it is 06:59:50 UTC, about
    assert lab.desired() == 1
    lab.clock.jump(20)
    assert lab.desired() == 2
    assert "scheduled action name morning" in lab.auto.activities[-1].cause
    (shown,) = lab.scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")[
        "ScheduledActions"
    ]
    assert shown["Timezone"] == "Europe/Berlin"


def test_scheduled_actions_fire_once_and_not_when_suspended_or_deleted(lab: Lab) -> None:
    lab.bounds(0, 1)

    def at(name: str, when: str) -> None:
        action = {"MinCapacity": 3, "MaxCapacity": 3}
        lab.scaling.put_scheduled_action(
            **IC, ScheduledActionName=name, Schedule=f"at({when})", ScalableTargetAction=action
        )

    at("one", "2026-03-02T01:00:00")
    at("two", "2026-03-02T02:00:00")
    lab.scaling.delete_scheduled_action(**IC, ScheduledActionName="one")
    lab.bounds(0, 1, SuspendedState={"ScheduledScalingSuspended": True})
    lab.clock.jump(3 * 3600)
    assert lab.desired() == 1
    lab.bounds(0, 1, SuspendedState={"ScheduledScalingSuspended": False})
    at("three", "2026-03-02T04:00:00")
    lab.clock.jump(3 * 3600)
    assert lab.desired() == 3
    with pytest.raises(ClientError, match="Invalid schedule"):
        at("four", "tomorrow")


def test_a_classic_variant_is_scaled_by_its_instances(lab: Lab) -> None:
    lab.config("classic", ModelName="m", InitialInstanceCount=1)
    lab.endpoint("e2", "classic")
    lab.clock.jump(250)
    variant = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/e2/variant/v",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    with pytest.raises(ClientError, match="must be at least 1"):
        lab.scaling.register_scalable_target(**variant, MinCapacity=0, MaxCapacity=2)
    lab.scaling.register_scalable_target(**variant, MinCapacity=2, MaxCapacity=2)
    lab.clock.jump(250)
    (found,) = lab.sagemaker.describe_endpoint(EndpointName="e2")["ProductionVariants"]
    assert found["CurrentInstanceCount"] == 2


def test_a_variant_that_is_scaled_takes_another_model_and_no_other_machines(lab: Lab) -> None:
    lab.config("classic", ModelName="m", InitialInstanceCount=1)
    lab.endpoint("e2", "classic")
    lab.clock.jump(250)
    variant = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/e2/variant/v",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    lab.scaling.register_scalable_target(**variant, MinCapacity=1, MaxCapacity=2)
    lab.model("m2")
    lab.config("remodelled", ModelName="m2", InitialInstanceCount=1)
    lab.sagemaker.update_endpoint(EndpointName="e2", EndpointConfigName="remodelled")
    lab.clock.jump(600)
    lab.config("larger", ModelName="m2", InitialInstanceCount=1, InstanceType="ml.g5.2xlarge")
    with pytest.raises(ClientError, match="must be deregistered as scalable targets"):
        lab.sagemaker.update_endpoint(EndpointName="e2", EndpointConfigName="larger")
    lab.scaling.deregister_scalable_target(**variant)
    lab.sagemaker.update_endpoint(EndpointName="e2", EndpointConfigName="larger")


def test_tags_of_a_target(lab: Lab) -> None:
    arn = lab.bounds(0, 1, Tags={"a": "1"})
    lab.scaling.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    lab.scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert lab.scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}


def test_a_fault_is_answered_once(lab: Lab) -> None:
    lab.auto.inject(
        Fault("application-autoscaling:RegisterScalableTarget", "ConcurrentUpdateException")
    )
    with pytest.raises(lab.scaling.exceptions.ConcurrentUpdateException):
        lab.bounds(0, 1)
    lab.bounds(0, 1)
    assert len(lab.auto.fired) == 1


def test_real_requests_make_it_scale_out(lab: Lab) -> None:
    lab.bounds(1, 4)
    lab.track(target=1)
    body = json.dumps({"prompt": "x", "max_tokens": 3000})
    answers: list[Any] = []  # kept: a caller that goes away ends its request
    threads = [
        threading.Thread(
            target=lambda: answers.append(
                lab.runtime.invoke_endpoint_with_response_stream(
                    EndpointName="e", InferenceComponentName="ic", Body=body
                )
            )
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    until(lambda: lab.outstanding() == [3])
    lab.clock.jump(45)
    assert lab.desired() == 3
    lab.clock.jump(300)
    for thread in threads:
        thread.join()
    assert len(answers) == 3
