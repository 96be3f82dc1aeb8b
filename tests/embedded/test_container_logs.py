"""What containers say ends with the stack's retention, whoever made its log group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.stack import Stack, deployed, wait_for
from tools.embedded.types import Fault

DAYS = 14
COMPONENTS, ENDPOINTS = "/aws/sagemaker/InferenceComponents/", "/aws/sagemaker/Endpoints/"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), LogRetentionDays=str(DAYS)) as found:
        yield found


def group(stack: Stack, name: str) -> dict[str, Any]:
    found = stack.account.boto("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return next((one for one in found if one["logGroupName"] == name), {})


def tags(stack: Stack, name: str) -> dict[str, str]:
    return stack.account.boto("logs").list_tags_log_group(logGroupName=name)["tags"]


def spoke(stack: Stack, name: str) -> bool:
    return bool(stack.account.boto("logs").filter_log_events(logGroupName=name)["events"])


@pytest.mark.parametrize(
    ("kind", "above"),
    [("component", COMPONENTS), ("realtime", ENDPOINTS), ("async", ENDPOINTS)],
)
def test_a_new_endpoints_log_is_made_with_its_end_before_its_container_speaks(
    stack, kind, above
) -> None:
    name = f"new-{kind}"
    made = f"{above}autoscaler-{name}"
    assert stack.apply(name, kind=kind)["ok"]
    first = wait_for(lambda: group(stack, made), lambda one: "retentionInDays" in one, "its end")
    assert first["retentionInDays"] == DAYS
    assert not spoke(stack, made), "it was there before the container's first line"
    assert tags(stack, made)["autoscaler:endpoint"] == name, "SageMaker would not have tagged it"
    stack.until(name, "AWAKE")
    assert spoke(stack, made), "and it is the one into which the container speaks"


def test_a_log_without_an_end_is_given_one_and_outlives_its_endpoint(stack) -> None:
    kept = f"{COMPONENTS}autoscaler-old"
    logs = stack.account.boto("logs")
    logs.create_log_group(logGroupName=kept)
    logs.create_log_stream(logGroupName=kept, logStreamName="of-an-earlier-endpoint")
    assert "retentionInDays" not in group(stack, kept), "as SageMaker leaves it"
    assert stack.apply("old")["ok"]
    stack.until("old", "AWAKE")
    assert group(stack, kept)["retentionInDays"] == DAYS
    assert stack.command("delete", endpoint="old")["ok"]
    stack.until("old", None)
    after = logs.describe_log_streams(logGroupName=kept)["logStreams"]
    assert "of-an-earlier-endpoint" in [one["logStreamName"] for one in after]
    assert group(stack, kept)["retentionInDays"] == DAYS


def test_a_throttle_of_the_log_ends_no_creation(stack) -> None:
    """CloudWatch Logs has no name of its own for it: the flow reads the cause."""
    faults = [
        Fault(f"logs:{operation}", "ThrottlingException", "Rate exceeded", times=2)
        for operation in ("CreateLogGroup", "PutRetentionPolicy")
    ]
    for fault in faults:
        stack.account.front.inject(fault)
    assert stack.apply("throttled")["ok"]
    stack.until("throttled", "AWAKE")
    fired = [fault.operation for _, fault in stack.account.front.fired]
    for fault in faults:
        assert fired.count(fault.operation) == 2, fired
    assert group(stack, f"{COMPONENTS}autoscaler-throttled")["retentionInDays"] == DAYS


def test_a_log_that_may_not_be_limited_is_no_endpoint_and_says_why(stack) -> None:
    denied = Fault("logs:PutRetentionPolicy", "AccessDeniedException", "an SCP denies it", 400, 9)
    stack.account.front.inject(denied)
    assert stack.apply("denied")["ok"]
    one = stack.until("denied", "FAILED")
    assert any(fault.operation == denied.operation for _, fault in stack.account.front.fired)
    assert "an SCP denies it" in one["failure"]
    assert "autoscaler-denied" not in str(stack.account.boto("sagemaker").list_endpoints())
