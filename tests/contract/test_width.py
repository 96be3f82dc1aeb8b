"""No right is wider than it is written down in reach_table.py: not even inside the stack.

What other stacks have, and what only tags keep apart, is in test_other_stacks.py and
test_permissions.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.reach import meant, places, reach
from tests.contract.reach_table import written
from tests.contract.role_rights import HERE, ROOT, held, owned_by, roles
from tools.embedded.iam import catalogue
from tools.embedded.iam.policy import Statement, judge
from tools.embedded.kernel.stack import load
from tools.permissions.grants import STACK

Policy = tuple[Statement, ...]
_SCALING = ("application-autoscaling:service-namespace", "ecs")
_VIA = ("kms:viaservice", "lambda.us-east-1.amazonaws.com")
_FEEDS = ("lambda:functionarn", f"arn:aws:lambda:{HERE}:function:{STACK}-notify")
# What is allowed only if the request says so: by which key, and a value that is refused.
CONDITIONS = {
    "kms:CreateGrant": ("kms:grantisforawsresource", "false"),
    "kms:Decrypt": _VIA,
    "kms:GenerateDataKey": _VIA,
    "cloudwatch:PutMetricData": ("cloudwatch:namespace", "Autoscaler"),
    "iam:PassRole": ("iam:passedtoservice", "lambda.amazonaws.com"),
    "application-autoscaling:RegisterScalableTarget": _SCALING,
    "application-autoscaling:DeregisterScalableTarget": _SCALING,
    "application-autoscaling:PutScalingPolicy": _SCALING,
    "lambda:CreateEventSourceMapping": _FEEDS,
    "lambda:UpdateEventSourceMapping": _FEEDS,
    "lambda:DeleteEventSourceMapping": _FEEDS,
    "sagemaker:AddTags": ("sagemaker:taggingaction", "AddTags"),
}
# Whether SageMaker says of these that creating them tags them, is not known: docs/security.md.
MAY_BE_ABSENT = re.compile(r".*:inference-component/.*")


def wrong(role: str, policy: Policy, actions: set[str]) -> set[tuple[str, str]]:
    """What a role reaches and should not, or should and does not, of some actions."""
    right = {one for one in written().get(role, set()) if one[0] in actions}
    return (reach(policy, actions) ^ right) | unconditioned(policy, actions)


def unconditioned(policy: Policy, actions: set[str]) -> set[tuple[str, str]]:
    """What is allowed on a resource though the request does not say what it has to say."""
    found = set()
    for action in actions & set(CONDITIONS):
        key, refused = CONDITIONS[action]
        context = {k: v for k, v in owned_by(STACK).items() if k != key}
        for arn in resources(policy, action):
            asked = [{**context, key: (refused,)}]
            asked += [] if MAY_BE_ABSENT.fullmatch(arn) else [context]
            if any(judge(policy, action, arn, one).allowed for one in asked):
                found.add((action, arn))
    return found


def resources(policy: Policy, action: str) -> set[str]:
    allowing = [one for one in policy if one.allows and one.matching(action)]
    return {arn.replace("*", "x") for one in allowing for arn in one.resources}


@pytest.mark.parametrize("role", roles().names)
def test_a_role_reaches_what_is_written_down_and_no_more(role: str) -> None:
    policy = roles().policy(role)
    assert wrong(role, policy, meant(policy)) == set()


def test_no_role_is_written_down_that_is_none_and_every_place_is_reached_by_some() -> None:
    assert set(written()) <= set(roles().names)
    seen = {place for reached in written().values() for _, place in reached}
    unseen = {place.name for place in places()} - seen
    # By a person, by Lambda's own mappings, or by nobody.
    functions = {f"function:{one}" for one in ("DispatchRequests", "Gateway", "RetireStack")}
    assert unseen == {
        "results:else",
        "reports:else",
        "secret:else",
        "tables:else",
        *functions,
        "run:RetireStack",
    }


def test_every_queue_and_alarm_of_the_template_is_among_the_places() -> None:
    """One more that is called by the stack's name would be within reach of the flows."""
    kinds = [one["Type"] for one in load(ROOT / "template.yaml")["Resources"].values()]
    names = [place.name.partition(":")[0] for place in places()]
    assert names.count("queue") == kinds.count("AWS::SQS::Queue") + 3
    assert names.count("alarm") == kinds.count("AWS::CloudWatch::Alarm") + 2


def statement_of(role: str, sid: str) -> Statement:
    return next(one for one in roles().policy(role) if one.sid == sid)


def noticed(role: str, sid: str, **changes: Any) -> bool:
    """Whether the rules above find fault with a role one of whose statements is changed."""
    old = statement_of(role, sid)
    new = replace(old, **changes)
    policy = tuple(new if one is old else one for one in roles().policy(role))
    return bool(wrong(role, policy, meant([old, new])))


WEIGHTS, RESULTS = (f"arn:aws:s3:::{STACK}-{one}bucket-1a2b3c/*" for one in ("weights", "results"))


@pytest.mark.parametrize(
    ("role", "sid", "changes"),
    [
        ("SweepAccountFunctionRole", "RememberSwept", {"conditions": {}}),
        ("NotifyFunctionRole", "HoldAlerts", {"conditions": {}}),
        ("RefreshPricesFunctionRole", "KeepPrices", {"conditions": {}}),
        ("RemoveWeightsFunctionRole", "RemoveWeights", {"resources": (WEIGHTS,)}),
        ("EndpointRole", "ReadWeights", {"resources": (WEIGHTS,)}),
        ("EndpointRole", "ExchangeRequests", {"resources": (RESULTS,)}),
        ("GatewayFunctionRole", "FetchAnswers", {"resources": (RESULTS,)}),
        ("FlowRole", "LendKeys", {"conditions": {}}),
        ("EndpointRole", "WriteMetrics", {"conditions": {}}),
        ("StageFileFunctionRole", "WriteWeights", {"resources": (WEIGHTS,)}),
        ("StageFileFunctionRole", "RemoveCheckpoints", {"resources": (WEIGHTS,)}),
        ("SealStagingFunctionRole", "Seal", {"resources": (WEIGHTS,)}),
        ("GatewayFunctionRole", "WishWakes", {"conditions": {}}),
        ("GatewayFunctionRole", "CountTraffic", {"actions": ("dynamodb:*",)}),
    ],
)
def test_a_right_that_grows_is_noticed(role: str, sid: str, changes: dict[str, Any]) -> None:
    assert not noticed(role, sid), "as it is in the template"
    assert noticed(role, sid, **changes)


def conditions() -> Iterator[tuple[str, str, str]]:
    """Role, statement and key of every condition but those on tags."""
    for grant in roles().grants:
        for keys in grant.statement.conditions.values():
            for key in keys:
                if grant.statement.allows and "tag/" not in key.lower():
                    yield grant.role, grant.statement.sid, key


def test_no_condition_can_be_left_out_unnoticed() -> None:
    tried = list(conditions())
    assert len(tried) > 30
    for role, sid, key in tried:
        rest = {
            operator: {one: wanted for one, wanted in keys.items() if one != key}
            for operator, keys in statement_of(role, sid).conditions.items()
        }
        assert noticed(role, sid, conditions=rest), (role, sid, key)


def grown(arn: str) -> str:
    """All of a bucket, all secrets, or all of a kind that is called by the stack's name."""
    bucket = re.match(r"arn:aws:s3:::[^/]+/", arn)
    name = bucket or re.match(rf".*?(:secret:|[:/]{STACK}-)", arn)
    return f"{name[0]}*" if name else arn


def test_no_resource_can_grow_unnoticed() -> None:
    """Of those kinds that are among the places."""
    tried = 0
    for grant in roles().grants:
        for arn in grant.statement.resources:
            more = grown(arn)
            chosen = any(
                catalogue.fits(action, place.arn) for action in held(grant) for place in places()
            )
            if more != arn and chosen:
                tried += 1
                every = (*grant.statement.resources, more)
                assert noticed(grant.role, grant.statement.sid, resources=every), (grant, more)
    assert tried > 80


def test_no_denial_can_be_left_out_unnoticed() -> None:
    denials = [grant for grant in roles().grants if not grant.statement.allows]
    named = {grant.role for grant in denials if grant.statement.sid != "LeaveAddress"}
    assert named == {"FlowRole", "GatewayFunctionRole", "DispatchRequestsFunctionRole"}
    for grant in denials:
        for arn in grant.statement.resources:
            rest = tuple(one for one in grant.statement.resources if one != arn)
            assert noticed(grant.role, grant.statement.sid, resources=rest), (grant.role, arn)


def test_only_who_keeps_and_who_answers_it_reach_the_address_of_cloudformation() -> None:
    """A signed URL: by a role of the gateway's, say, somebody else could answer in its place."""
    place = "table:RETIREMENT"
    found = {
        (role, action)
        for role in roles().names
        for action, where in reach(roles().policy(role), meant(roles().policy(role)))
        if where == place
    }
    assert found == {
        ("AnswerStackFunctionRole", "dynamodb:GetItem"),
        ("RetireStackFunctionRole", "dynamodb:PutItem"),
    }
    retirement = load(ROOT / "template.yaml")["Resources"]["Retirement"]
    assert "LeaveAddress" in retirement["DependsOn"], "it stays until that is over"


def test_a_secret_of_your_own_is_named_whole() -> None:
    """Which no other test sees, because they take the stack with the secrets that it makes."""
    named = re.findall(r":secret:([^\"\]]+)", (ROOT / "template.yaml").read_text())
    assert len(named) > 4
    assert [one for one in named if not re.fullmatch(r"\$\{\w+\}-\?{6}", one)] == []
