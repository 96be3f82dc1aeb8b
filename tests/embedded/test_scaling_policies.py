"""Target tracking and step policies of the simulated Application Auto Scaling."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.sagemaker_lab import STILL, Served, Sink, Stage
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.sagemaker import SageMakerService
from tools.embedded.scaling import AutoScalingService

DIMENSION = "sagemaker:inference-component:DesiredCopyCount"
IC: dict[str, Any] = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "inference-component/ic",
    "ScalableDimension": DIMENSION,
}
HIGH_RESOLUTION = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
ALARM = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a"


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

    def step(self, change: int = 1, **more: Any) -> str:
        found = self.scaling.put_scaling_policy(
            **IC,
            PolicyName="step",
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": change}],
                "Cooldown": 60,
                **more,
            },
        )
        return str(found["PolicyARN"])

    def burden(self, requests: int, seconds: float) -> None:
        """That many requests in flight from now on, on the copies in turn."""
        with self.service.world.lock:
            now = self.service.world.look()
            copies = self.service.world.components["ic"].ready
            for number in range(requests):
                copies[number % len(copies)].load.admit(now, seconds)

    def desired(self) -> int:
        return self.seen()[1]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.served.close()


def test_a_load_above_the_target_for_30_seconds_scales_out_in_proportion(lab: Lab) -> None:
    lab.bounds(1, 8)
    lab.track(target=2)
    lab.burden(7, 10_000)
    lab.clock.jump(25)
    assert lab.desired() == 1
    lab.clock.jump(15)
    assert lab.seen() == ("Updating", 4, 1)
    cause = lab.auto.activities[-1].cause
    assert "AlarmHigh" in cause


def test_a_load_below_the_target_moves_nothing(lab: Lab) -> None:
    lab.bounds(1, 8)
    lab.track(target=8)
    lab.burden(2, 10_000)
    lab.clock.jump(3600)
    assert (lab.desired(), lab.auto.activities) == (1, [])


def test_scaling_out_stops_at_the_bound(lab: Lab) -> None:
    lab.bounds(1, 2)
    lab.track(target=2)
    lab.burden(50, 10_000)
    lab.clock.jump(3600)
    assert lab.seen() == ("InService", 2, 2)


def test_scaling_in_takes_fifteen_minutes_and_may_end_at_zero(lab: Lab) -> None:
    lab.bounds(2, 8)
    lab.track(target=2)
    lab.clock.jump(250)
    lab.bounds(0, 8)
    began = lab.clock.time()
    lab.clock.jump(7200)
    moves = [(m.before, m.after) for m in lab.auto.activities]
    assert moves == [(1, 2), (2, 1), (1, 0)]
    first, second = (move.time - began for move in lab.auto.activities[1:])
    assert 600 < first < 900, "it was idle for some minutes already"
    assert second - first == pytest.approx(300, abs=11), "the cooldown"


def test_at_zero_target_tracking_does_nothing(lab: Lab) -> None:
    lab.bounds(0, 8)
    lab.track(target=2)
    lab.copies(0)
    lab.clock.jump(36_000)
    assert (lab.desired(), lab.auto.activities) == (0, [])


def test_a_wake_is_not_judged_by_what_was_before_the_sleep(lab: Lab) -> None:
    lab.bounds(0, 8)
    lab.track(target=2)
    lab.clock.jump(600)
    lab.copies(0)
    lab.clock.jump(600)
    lab.copies(1)
    lab.clock.jump(245 + 850)
    assert lab.desired() == 1


def test_scale_in_may_be_disabled_or_suspended(lab: Lab) -> None:
    lab.bounds(1, 8)
    lab.track(target=2, DisableScaleIn=True)
    lab.copies(2)
    lab.clock.jump(3600)
    assert lab.desired() == 2
    lab.track(target=2)
    lab.bounds(1, 8, SuspendedState={"DynamicScalingInSuspended": True})
    lab.clock.jump(3600)
    assert lab.desired() == 2
    lab.bounds(1, 8, SuspendedState={"DynamicScalingInSuspended": False})
    lab.clock.jump(60)
    assert lab.desired() == 1


def test_a_policy_says_what_it_is(lab: Lab) -> None:
    lab.bounds(1, 8)
    put = lab.track(target=2)
    again = lab.track(target=3)
    assert put["PolicyARN"] == again["PolicyARN"]
    assert [alarm["AlarmName"].split("-Alarm")[1][:3] for alarm in put["Alarms"]] == ["Hig", "Low"]
    (found,) = lab.scaling.describe_scaling_policies(
        ServiceNamespace="sagemaker", PolicyNames=["track"]
    )["ScalingPolicies"]
    assert found["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 3
    lab.scaling.delete_scaling_policy(**IC, PolicyName="track")
    with pytest.raises(ClientError, match="No scaling policy found"):
        lab.scaling.delete_scaling_policy(**IC, PolicyName="track")


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"PolicyType": "PredictiveScaling"}, "PredictiveScaling is not supported"),
        ({"PolicyType": "TargetTrackingScaling"}, "takes exactly TargetTracking"),
        (
            {
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": 1,
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
                    },
                },
            },
            "cannot be used with",
        ),
        (
            {
                "PolicyType": "StepScaling",
                "StepScalingPolicyConfiguration": {
                    "AdjustmentType": "ChangeInCapacity",
                    "StepAdjustments": [
                        {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1},
                        {"MetricIntervalLowerBound": 5, "ScalingAdjustment": 2},
                    ],
                },
            },
            "must not overlap",
        ),
    ],
)
def test_policies_that_are_refused(lab: Lab, policy: dict[str, Any], says: str) -> None:
    lab.bounds(1, 8)
    with pytest.raises(ClientError, match=says):
        lab.scaling.put_scaling_policy(**IC, PolicyName="p", **policy)


def test_a_policy_needs_a_target(lab: Lab) -> None:
    with pytest.raises(ClientError, match="No scalable target registered"):
        lab.track()


def test_a_step_policy_leaves_zero_and_then_rests(lab: Lab) -> None:
    lab.bounds(0, 8)
    arn = lab.step()
    lab.copies(0)
    lab.clock.jump(30)
    lab.auto.alarm_state(ALARM, "OK", arn)
    assert lab.desired() == 0
    lab.auto.alarm_state(ALARM, "ALARM", arn)
    lab.auto.alarm_state(ALARM, "ALARM", arn)
    assert lab.desired() == 1
    lab.clock.jump(300)
    lab.auto.alarm_state(ALARM, "ALARM", arn)
    assert lab.desired() == 2
    with pytest.raises(LookupError):
        lab.auto.alarm_state(ALARM, "ALARM", "arn:nobody")


@pytest.mark.parametrize(
    ("adjustment", "steps", "breach", "expected"),
    [
        ("ExactCapacity", [(None, None, 5)], 0, 5),
        ("PercentChangeInCapacity", [(0, None, 150)], 1, 5),
        ("PercentChangeInCapacity", [(0, None, 10)], 1, 3),
        ("ChangeInCapacity", [(0, 10, 1), (10, None, 4)], 3, 3),
        ("ChangeInCapacity", [(0, 10, 1), (10, None, 4)], 10, 6),
        ("ChangeInCapacity", [(0, None, 99)], 0, 8),
        ("ChangeInCapacity", [(None, 0, -1)], -1, 1),
        ("ChangeInCapacity", [(None, 0, -1)], 1, 2),
    ],
)
def test_the_step_of_a_breach(
    lab: Lab, adjustment: str, steps: list[Any], breach: float, expected: int
) -> None:
    lab.bounds(2, 8)
    lab.clock.jump(300)
    lab.bounds(0, 8)
    names = ("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment")
    adjustments = [
        {name: value for name, value in zip(names, step, strict=True) if value is not None}
        for step in steps
    ]
    arn = lab.step(AdjustmentType=adjustment, StepAdjustments=adjustments)
    lab.auto.alarm_state(ALARM, "ALARM", arn, breach)
    assert lab.desired() == expected
