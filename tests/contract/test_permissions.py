"""What the roles of the template may do, and above all may not, as AWS would judge it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.contract.role_rights import (
    FOREIGN,
    HERE,
    NAMESAKE,
    ROOT,
    SAGEMAKER,
    all_held,
    allowed,
    held,
    roles,
)
from tools.embedded.iam import catalogue
from tools.embedded.iam.policy import judge
from tools.embedded.kernel.stack import load
from tools.permissions.audit import wildcards
from tools.permissions.grants import EVERYTHING, STACK, resolver_of
from tools.permissions.page import PAGE, page

# Everything that conditions may ask for but tags, and the creation that a tag is a part of.
UNTAGGED = {
    key: value
    for key, value in FOREIGN.items()
    if "tag/" not in key and key != "sagemaker:taggingaction"
}
ENDPOINT_ROLE = f"arn:aws:iam::123456789012:role/{STACK}-EndpointRole-1A2B3C"


def test_the_page_is_what_the_template_says() -> None:
    written = (ROOT / PAGE).read_text()
    assert page(roles(), written) == written  # else: make permissions


def test_no_option_hides_a_statement_from_these_tests() -> None:
    """Whatever `Fn::If` a statement is in: `tools.permissions.grants.EVERYTHING` takes it."""
    template = load(ROOT / "template.yaml")
    written = [
        sid
        for logical, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
        for sid in sids(resource["Properties"].get("Policies", []))
    ]
    beside = [
        sid
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Policy"
        for sid in sids(resource["Properties"]) * len(resource["Properties"]["Roles"])
    ]
    assert beside, "the stack's own key has policies beside the roles"
    managed = [
        sid
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
        for one in resource["Properties"].get("ManagedPolicyArns", ())
        if isinstance(one, dict) and one.get("Ref") in template["Resources"]
        for sid in sids(template["Resources"][one["Ref"]]["Properties"])
    ]
    assert managed, "the flows' role has policies beside it too"
    assert len(written) + len(beside) + len(managed) == len(roles().grants)


def sids(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in sids(one)]
    if not isinstance(value, dict):
        return []
    own = [value["Sid"]] if "Sid" in value else []
    return own + [found for one in value.values() for found in sids(one)]


def test_every_action_is_one_that_aws_has_and_every_role_has_some() -> None:
    for grant in roles().grants:
        for permission in grant.permissions:
            assert permission.action in catalogue.actions(), permission
    assert {grant.role for grant in roles().grants} == set(roles().names)


def test_a_wildcard_has_its_reason_beside_it() -> None:
    assert wildcards(roles()) == []
    assert any("*" in grant.statement.resources for grant in roles().grants)


def test_whatever_allows_says_what_by_its_whole_name() -> None:
    """Also in policies that name their roles themselves, and in those of buckets and queues."""
    resources = load(ROOT / "template.yaml", EVERYTHING)["Resources"]
    roles_and_all = [one["Properties"] for one in resources.values()]
    limits = [one.get("PermissionsBoundary", {}).get("Ref") for one in roles_and_all]
    seen: set[str] = set()
    for logical, resource in resources.items():
        if logical in limits:  # a boundary allows nothing by itself
            continue
        for one in statements_in(resource["Properties"]):
            if one["Effect"] == "Allow":
                seen.add(resource["Type"].rpartition(":")[2])
                assert not {"NotAction", "NotResource"} & set(one), (logical, one)
                assert not re.search(r"[*?]", json.dumps(one["Action"])), (logical, one["Action"])
    assert seen == {"Role", "Policy", "ManagedPolicy", "QueuePolicy", "TopicPolicy"}


def statements_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for one in value for found in statements_in(one)]
    if not isinstance(value, dict):
        return []
    return [value] * ("Effect" in value) + statements_in(list(value.values()))


def test_all_resources_are_meant_only_where_aws_knows_none() -> None:
    """Or where the call itself is a listing, so that it has none."""
    listings = {"cloudwatch:DescribeAlarms"}
    for grant, action in all_held():
        if "*" in grant.statement.resources:
            assert not action.kinds or action.name in listings, (grant.role, action.name)


def test_every_resource_is_of_a_kind_that_some_action_takes() -> None:
    """Or the statement would allow nothing by it."""
    for grant in (one for one in roles().grants if one.statement.allows):
        for resource in grant.statement.resources:
            samples = [resource.replace("*", any_).replace("?", "x") for any_ in ("x", "x:x")]
            fits = [one for one in held(grant) if any(catalogue.fits(one, s) for s in samples)]
            assert fits or resource == "*", (grant.role, grant.statement.sid, resource)


def test_every_condition_can_hold() -> None:
    for grant, action in all_held():
        for keys in grant.statement.conditions.values():
            for key in keys:
                assert catalogue.is_limited_by(action, key), (grant.role, action.name, key)


def test_only_the_endpoint_role_is_passed_and_only_to_sagemaker() -> None:
    passing = [grant for grant, action in all_held() if action.name == "iam:PassRole"]
    assert {grant.role for grant in passing} == {"FlowRole", "CreateModelFunctionRole"}
    for grant in passing:
        assert grant.statement.resources == (ENDPOINT_ROLE,)
        assert allowed(grant.role, "iam:PassRole", ENDPOINT_ROLE, SAGEMAKER)
        for service in ("lambda.amazonaws.com", "ec2.amazonaws.com", "states.amazonaws.com"):
            other = {"iam:passedtoservice": (service,)}
            assert not allowed(grant.role, "iam:PassRole", ENDPOINT_ROLE, other)
        assert not allowed(grant.role, "iam:PassRole", ENDPOINT_ROLE, {})
        for name in roles().names:
            arn = f"arn:aws:iam::123456789012:role/{STACK}-{name}-1A2B3C"
            assert arn == ENDPOINT_ROLE or not allowed(grant.role, "iam:PassRole", arn, SAGEMAKER)


def test_no_function_writes_logs_of_others_whatever_sam_gives_it() -> None:
    basic = "AWSLambdaBasicExecutionRole"
    functions = [name for name in roles().names if basic in str(roles().managed[name])]
    assert len(functions) > 20
    for role in functions:
        limit, name = roles().boundaries[role], dashed(role.removesuffix("FunctionRole"))
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            own, *others = (
                f"arn:aws:logs:{HERE}:log-group:/aws/lambda/{stack}-{name}:log-stream:x"
                for stack in (STACK, "other", NAMESAKE)
            )
            assert judge(limit, action, own, {}).allowed, role
            assert not any(judge(limit, action, one, {}).allowed for one in others)
        table = f"arn:aws:dynamodb:{HERE}:table/t"
        assert judge(limit, "dynamodb:GetItem", table, {}).allowed  # the role says which


def test_no_function_makes_the_group_of_its_logs_anew() -> None:
    """What a function says last is delivered after it was deleted, with its group. Made anew by
    that, a group would be in the way of the next stack of this name: "already exists"."""
    groups = {
        one["Properties"]["LogGroupName"]["Fn::Sub"]
        for one in load(ROOT / "template.yaml")["Resources"].values()
        if one["Type"] == "AWS::Logs::LogGroup"
    }
    for role, limit in roles().boundaries.items():
        name = f"/aws/lambda/${{AWS::StackName}}-{dashed(role.removesuffix('FunctionRole'))}"
        assert name in groups, f"{role}: nobody makes its group"
        arn = f"arn:aws:logs:{HERE}:log-group:{name.replace('${AWS::StackName}', STACK)}"
        for one in (arn, f"{arn}:*", f"{arn}:log-stream:"):
            assert not judge(limit, "logs:CreateLogGroup", one, {}).allowed, role


def dashed(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


@pytest.mark.parametrize("action", ["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"])
def test_a_config_made_a_moment_ago_is_used_before_it_shows_its_tag(action: str) -> None:
    """SageMaker's tags take a while to be seen by IAM; both flows go on at once. An endpoint that
    is changed is older than that: without this stack's tag it is nobody's."""
    config = f"arn:aws:sagemaker:{HERE}:endpoint-config/{STACK}-llama-b2"
    assert allowed("FlowRole", action, config, {})
    assert not allowed("FlowRole", action, config, FOREIGN)
    endpoint = f"arn:aws:sagemaker:{HERE}:endpoint/{STACK}-llama"
    assert not allowed("FlowRole", "sagemaker:UpdateEndpoint", endpoint, {})


def test_no_policy_is_larger_than_iam_takes_it() -> None:
    """With the longest name that the stack can have: a function's has 64 characters."""
    template = load(ROOT / "template.yaml")
    longest = "s" * (64 - len("-dispatch-requests"))
    inline: Counter[str] = Counter()
    for logical, resource in template["Resources"].items():
        properties = resolver_of(template).value(resource["Properties"])
        if resource["Type"] == "AWS::IAM::Role":
            inline[logical] += sum(map(size(longest), properties.get("Policies", ())))
        if resource["Type"] == "AWS::IAM::Policy":
            for role in resource["Properties"]["Roles"]:
                name = role.get("Ref") or role["Fn::If"][1]["Ref"]
                inline[name] += size(longest)(properties)
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            assert size(longest)(properties) <= 6144, logical
    assert {role: n for role, n in inline.items() if n > 10_240} == {}


def size(stack: str) -> Callable[[Mapping[str, Any]], int]:
    """How long a policy is without its spaces, for a stack of that name in the longest Region."""

    def of(policy: Mapping[str, Any]) -> int:
        text = json.dumps(policy["PolicyDocument"], separators=(",", ":"))
        return len(text.replace(STACK, stack).replace("us-east-1", "ap-southeast-1"))

    return of


# Of a component AWS does not say that its creation names itself when it tags: docs/security.md.
UNTAGGED_TOO = {("inference-component", "sagemaker:AddTags")}
CREATIONS = {
    "model": "CreateModel",
    "endpoint-config": "CreateEndpointConfig",
    "endpoint": "CreateEndpoint",
    "inference-component": "CreateInferenceComponent",
}


@pytest.mark.parametrize("kind", ["endpoint", "inference-component"])
def test_what_has_no_tag_of_the_stack_is_changed_by_nobody(kind: str) -> None:
    """By a call of its own: so without the tags of a request, and not as a part of creating it."""
    arn = f"arn:aws:sagemaker:{HERE}:{kind}/{STACK}-a"
    seen = set()
    for grant, action in all_held():
        if kind not in action.kinds or action.level in ("Read", "List"):
            continue
        if not action.name.startswith("sagemaker:") or (kind, action.name) in UNTAGGED_TOO:
            continue
        seen.add(action.name)
        assert not allowed(grant.role, action.name, arn, UNTAGGED), (grant.role, action.name)
    assert {"endpoint": "sagemaker:DeleteEndpoint"}.get(
        kind, "sagemaker:DeleteInferenceComponent"
    ) in seen


@pytest.mark.parametrize("kind", CREATIONS)
def test_what_is_there_already_never_gets_the_tag_of_the_stack(kind: str) -> None:
    """Whatever SageMaker says of such a call: nothing, or its own name."""
    arn = f"arn:aws:sagemaker:{HERE}:{kind}/{STACK}-somebodys"
    direct = {**UNTAGGED, "aws:requesttag/autoscaler:stack": (STACK,)}
    named = {**direct, "sagemaker:taggingaction": ("AddTags",)}
    for role in roles().names:
        assert not allowed(role, "sagemaker:AddTags", arn, named), role
        if (kind, "sagemaker:AddTags") not in UNTAGGED_TOO:
            assert not allowed(role, "sagemaker:AddTags", arn, direct), role


@pytest.mark.parametrize(("kind", "creation"), list(CREATIONS.items()))
def test_what_is_made_is_tagged_in_the_same_call(kind: str, creation: str) -> None:
    arn = f"arn:aws:sagemaker:{HERE}:{kind}/{STACK}-a"
    made = {**UNTAGGED, "sagemaker:taggingaction": (creation,)}
    assert allowed("FlowRole", "sagemaker:AddTags", arn, made)
    assert allowed("CreateModelFunctionRole", "sagemaker:AddTags", arn, made) == (kind == "model")


def test_no_program_of_the_stack_tags_what_is_there_already() -> None:
    """So what the roles leave open of components is used by nobody."""
    sources = [*ROOT.glob("statemachines/*"), *ROOT.glob("layers/autoscaler/autoscaler/**/*.py")]
    assert len(sources) > 100
    tagging = re.compile(r"sagemaker:addTags|\badd_tags\b")
    assert [one.name for one in sources if tagging.search(one.read_text())] == []


def test_what_another_stack_has_tagged_is_not_tagged_anew() -> None:
    tagged = {**FOREIGN, "sagemaker:taggingaction": ("CreateModel",)}
    for role in ("FlowRole", "CreateModelFunctionRole"):
        model = f"arn:aws:sagemaker:{HERE}:model/{STACK}-a"
        assert not allowed(role, "sagemaker:AddTags", model, tagged)
        assert not allowed(role, "sagemaker:AddTags", model, FOREIGN)


def test_trust_is_for_this_account_alone() -> None:
    template = load(ROOT / "template.yaml")
    for logical, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            for one in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
                by_lambda = one["Principal"]["Service"] == ["lambda.amazonaws.com"]
                ours = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
                assert by_lambda or one.get("Condition") == ours, logical
