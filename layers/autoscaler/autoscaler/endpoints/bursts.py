"""The second line of defence beside target tracking: a step policy for bursts far above the target.

Why it is for bursts and not for the way out of zero: docs/decisions/0007. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..spec import EndpointSpec, Kind
from . import kinds
from .names import ResourceNames
from .scaling import Request

# Times the target at which a load is a burst. Below that target tracking is soon enough: it acts
# after three periods of 10 s above its target, this after one.
BURST = 2.0
# Seconds in which the copies that a burst asked for are not asked for once more.
COOLDOWN_SECONDS = 60
LEAST_COPIES = 3  # from which on there is more than one to add
PERIOD_SECONDS = 10  # what SageMaker publishes the metric by


def put_burst_policy(spec: EndpointSpec, names: ResourceNames) -> Request:
    """Doubles the copies from twice the target on, and triples them from four times on.

    It only ever adds, within the bounds that the controller set: at zero there is no metric and
    no room, and what it added goes when the controller or target tracking takes it back.
    """
    threshold = burst_threshold(spec)
    return {
        "PolicyName": names.burst_policy,
        **kinds.scalable(spec.kind, names),
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "PercentChangeInCapacity",
            "MinAdjustmentMagnitude": 1,
            "Cooldown": COOLDOWN_SECONDS,
            "MetricAggregationType": "Maximum",
            "StepAdjustments": [
                {
                    "MetricIntervalLowerBound": 0.0,
                    "MetricIntervalUpperBound": threshold,
                    "ScalingAdjustment": 100,
                },
                {"MetricIntervalLowerBound": threshold, "ScalingAdjustment": 200},
            ],
        },
    }


def burst_alarm(
    spec: EndpointSpec, names: ResourceNames, labels: Sequence[Request]
) -> dict[str, Any] | None:
    """Without its action: the ARN of the policy is known when Application Auto Scaling made it.

    None of an async endpoint, whose metric comes once a minute and whose requests can wait.
    """
    if spec.kind is Kind.ASYNC:
        return None
    metric = kinds.manner(spec.kind).concurrency
    return {
        "AlarmName": names.burst_alarm,
        "Tags": list(labels),
        "AlarmDescription": "Far more requests than the copies are meant for: more copies at once.",
        "Namespace": "AWS/SageMaker",
        "MetricName": metric,
        "Dimensions": kinds.dimensions(spec.kind, names, metric),
        "Statistic": "Maximum",
        "Period": PERIOD_SECONDS,
        "EvaluationPeriods": 1,
        "Threshold": burst_threshold(spec),
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }


def bursts(spec: EndpointSpec) -> bool:
    """Whether policy and alarm are made. Not for two copies at most: then target tracking asks for
    the same one copy more twenty seconds later, and the alarm is paid for by the hour."""
    return spec.kind is not Kind.ASYNC and spec.highest_max_copies >= LEAST_COPIES


def burst_threshold(spec: EndpointSpec) -> float:
    """Concurrent requests of one copy."""
    return BURST * spec.target_concurrency
