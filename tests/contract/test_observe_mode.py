"""With `Mode=observe` no role of the stack has a right to create, change or delete capacity."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import botocore.session
import pytest

from tests.contract.test_statemachines import template

DENYING = "ObservePolicy"
# Beside SageMaker's and Application Auto Scaling's own verbs: what makes or unmakes an endpoint.
_OTHERS = {
    "cloudwatch": {"PutMetricAlarm", "DeleteAlarms"},
    "iam": {"PassRole", "CreateServiceLinkedRole"},
    "kms": {"CreateGrant"},
    "lambda": {"CreateEventSourceMapping", "DeleteEventSourceMapping"},
    "sqs": {"CreateQueue", "DeleteQueue", "SetQueueAttributes"},
}
# What reads, and what asks a model, costs nothing that is not there already.
_READS = ("Describe", "List", "Get", "Search", "Batch")
# SageMaker works with it for the endpoints that there are; nothing of the stack may assume it.
_OF_SAGEMAKER = "EndpointRole"


def mutating() -> set[str]:
    """Every action that may change capacity, by the services' own lists of operations."""
    session = botocore.session.get_session()
    found = {f"{service}:{name}" for service, names in _OTHERS.items() for name in names}
    for service in ("sagemaker", "application-autoscaling"):
        names = session.get_service_model(service).operation_names
        found |= {f"{service}:{name}" for name in names if not name.startswith(_READS)}
    return found


def statements(policies: Any) -> Iterator[dict[str, Any]]:
    """Those of a role or a function; of an !If, what may be there."""
    if isinstance(policies, dict):
        if "Effect" in policies:
            yield policies
        policies = list(policies.values())
    for one in policies if isinstance(policies, list) else ():
        yield from statements(one)


def roles() -> dict[str, list[dict[str, Any]]]:
    """The statements of every role, by its logical name as the transform has it."""
    found = {}
    for name, resource in template()["Resources"].items():
        policies = resource.get("Properties", {}).get("Policies", [])
        if resource["Type"] == "AWS::IAM::Role":
            beside = resource["Properties"].get("ManagedPolicyArns", [])
            policies = [*policies, *(template()["Resources"][one]["Properties"] for one in beside)]
            found[name] = list(statements(policies))
        elif resource["Type"] == "AWS::Serverless::Function":
            found[f"{name}Role"] = list(statements(policies))
    return found


def granted(found: list[dict[str, Any]]) -> set[str]:
    """Actions that change capacity and are allowed."""
    allowed = [
        pattern
        for one in found
        if one["Effect"] == "Allow"
        for pattern in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    ]
    return {action for action in mutating() if any(fnmatchcase(action, p) for p in allowed)}


def denied() -> list[str]:
    (statement,) = template()["Resources"][DENYING]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Deny", "*")
    assert "Condition" not in statement
    return statement["Action"]


@pytest.mark.parametrize("role", sorted(roles()))
def test_in_observe_mode_no_role_may_change_capacity(role: str) -> None:
    if role == _OF_SAGEMAKER:
        pytest.skip("SageMaker's own")
    left = granted(roles()[role])
    if role in template()["Resources"][DENYING]["Properties"]["Roles"]:
        left = {one for one in left if not any(fnmatchcase(one, p) for p in denied())}
    assert left == set()


def test_the_denial_is_there_in_observe_mode_alone_and_goes_first_with_the_stack() -> None:
    policy = template()["Resources"][DENYING]
    assert policy["Condition"] == "Observes"
    assert template()["Conditions"]["Observes"] == ["Mode", "observe"]
    assert template()["Parameters"]["Mode"]["Default"] == "act"
    assert policy["DependsOn"] == "Retirement", "or a stack could not be deleted in observe mode"


def test_it_takes_the_rights_from_whoever_has_some_and_reads_are_kept() -> None:
    having = {role for role, found in roles().items() if granted(found) and role != _OF_SAGEMAKER}
    assert having == set(template()["Resources"][DENYING]["Properties"]["Roles"])
    assert "sqs:CreateQueue" in granted(roles()["FlowRole"]), "also what stands beside the role"
    reads = ("sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint", "sqs:ReceiveMessage")
    assert not [one for one in reads if any(fnmatchcase(one, p) for p in denied())]


def test_every_function_is_told_the_mode() -> None:
    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["MODE"] == "Mode"
