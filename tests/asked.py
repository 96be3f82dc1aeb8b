"""Requests of an endpoint as SQS and SageMaker count them, for a CloudWatch of moto's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from autoscaler.endpoints.names import ResourceNames

ANSWER_MICROSECONDS = 4e6


def asked(cloudwatch: Any, name: str, at: datetime, requests: int) -> None:
    """So many in the minute of `at`, of an endpoint of the stack called `stack`."""
    names = ResourceNames("stack", name)
    component = {"Name": "InferenceComponentName", "Value": names.component}
    queue = {"Name": "QueueName", "Value": names.queue}
    for namespace, metric, under, value in (
        ("AWS/SQS", "NumberOfMessagesSent", queue, float(requests)),
        ("AWS/SageMaker", "ModelLatency", component, ANSWER_MICROSECONDS),
    ):
        point = {"MetricName": metric, "Dimensions": [under], "Timestamp": at, "Value": value}
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[point])
