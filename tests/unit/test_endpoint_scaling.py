"""The requests that move and take down an endpoint, and the names that they go by."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.queues import queue_requests
from autoscaler.endpoints.scaling import (
    register_scalable_target,
    update_copies,
)
from autoscaler.endpoints.tags import labels, may_be_deleted
from autoscaler.policy.types import Bounds
from tests.api_shapes import check
from tests.samples import spec

NAMES = ResourceNames("prod", "llama")


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        (
            "application-autoscaling",
            "RegisterScalableTarget",
            register_scalable_target(NAMES, Bounds(0, 0)),
        ),
        ("sagemaker", "UpdateInferenceComponentRuntimeConfig", update_copies(NAMES, 0)),
    ],
)
def test_bounds_and_copies_are_moved_by_requests_that_aws_takes(
    service: str, operation: str, request_: dict[str, Any]
) -> None:
    check(service, operation, request_)


TOPIC = "arn:aws:sns:eu-central-1:123456789012:prod-alarms"


def test_names_agree_with_the_queue_and_its_alarms() -> None:
    made = queue_requests(
        spec(),
        NAMES,
        account_arn_prefix="arn:aws:sqs:eu-central-1:123456789012:",
        dispatcher_arn="arn:aws:lambda:eu-central-1:123456789012:function:dispatch",
        alarm_topic_arn=TOPIC,
        tags=labels("prod", "llama"),
    )

    assert made["queue"]["QueueName"] == NAMES.queue == "prod-llama"
    assert made["dead_letter_queue"]["QueueName"] == NAMES.dead_letter_queue == "prod-llama-dlq"
    assert made["queue_alarm"]["AlarmName"] == NAMES.queue_alarm
    assert made["capacity_alarm"]["AlarmName"] == NAMES.capacity_alarm
    for alarm in ("queue_alarm", "capacity_alarm"):
        assert made[alarm]["AlarmActions"] == [TOPIC]
    for queue in ("queue", "dead_letter_queue"):
        assert may_be_deleted(made[queue]["Tags"], "prod")
        sent = {("tags" if key == "Tags" else key): value for key, value in made[queue].items()}
        check("sqs", "CreateQueue", sent)
    check("lambda", "CreateEventSourceMapping", made["mapping"])
    check("cloudwatch", "PutMetricAlarm", made["queue_alarm"])
    check("cloudwatch", "PutMetricAlarm", made["capacity_alarm"])


def test_an_execution_is_named_after_its_wish() -> None:
    assert NAMES.execution(7) == "llama-7"


def test_a_name_that_is_too_long_says_how_long_it_may_be() -> None:
    with pytest.raises(ValueError, match=r"with stack .* SageMaker allows 39 characters"):
        ResourceNames("s" * 23, "a" * 40)
