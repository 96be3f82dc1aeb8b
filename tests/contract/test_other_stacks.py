"""What a stack's roles may do to another stack of the account, as AWS would judge it."""

from __future__ import annotations

import re

from tests.contract.role_rights import FOREIGN, HERE, NAMESAKE, all_held, allowed, owned_by
from tools.embedded.iam import catalogue
from tools.permissions.grants import STACK

# What reaches further than the stack, because AWS or its purpose leaves no other way.
SCALING = "scalable targets have generated ids and stand for what SageMaker's own actions limit"
KEYS = "a spec names its key; the key's own policy must allow it too"
SEEN = "the sweep looks at everything in the account, whatever its name, to find orphans"
NETWORK = "subnets and groups are the spec's, interfaces have generated ids"
IMAGES = "images are in AWS's own accounts"
BEYOND = {
    ("ReconcileFunctionRole", "application-autoscaling:RegisterScalableTarget"): SCALING,
    ("RecordPhaseFunctionRole", "application-autoscaling:RegisterScalableTarget"): SCALING,
    ("SweepAccountFunctionRole", "application-autoscaling:DeregisterScalableTarget"): SCALING,
    ("FlowRole", "application-autoscaling:RegisterScalableTarget"): SCALING,
    ("FlowRole", "application-autoscaling:DeregisterScalableTarget"): SCALING,
    ("FlowRole", "application-autoscaling:PutScalingPolicy"): SCALING,
    ("FlowRole", "kms:CreateGrant"): KEYS,
    ("FlowRole", "kms:DescribeKey"): KEYS,
    ("FlowRole", "cloudwatch:DescribeAlarms"): "target tracking looks for its alarms among all",
    ("EndpointRole", "kms:CreateGrant"): KEYS,
    **{
        ("SweepAccountFunctionRole", action): SEEN
        for action in (
            "sagemaker:DescribeEndpoint",
            "sagemaker:DescribeEndpointConfig",
            "sagemaker:DescribeInferenceComponent",
            "sagemaker:DescribeModel",
            "sagemaker:ListTags",
            "cloudwatch:DescribeAlarms",
            "lambda:GetEventSourceMapping",
            "lambda:ListTags",
        )
    },
    **{
        ("EndpointRole", f"ec2:{action}"): NETWORK
        for action in (
            "CreateNetworkInterface",
            "CreateNetworkInterfacePermission",
            "DeleteNetworkInterface",
            "DeleteNetworkInterfacePermission",
        )
    },
    **{
        ("EndpointRole", f"ecr:{action}"): IMAGES
        for action in ("BatchGetImage", "GetDownloadUrlForLayer", "BatchCheckLayerAvailability")
    },
}  # fmt: skip

# And what reaches a stack whose name begins with ours and a dash, because only names are left.
WHOSE = "looks whose it is, before anything is made or removed"
ABSENT = "makes what is not there: SageMaker refuses a name that is taken"
UNTAGGED = "alarms of target tracking have no tags; the names are those of proven endpoints"
_READ = (
    "sagemaker:DescribeEndpoint",
    "sagemaker:DescribeEndpointConfig",
    "sagemaker:DescribeInferenceComponent",
    "sagemaker:DescribeModel",
    "sagemaker:ListTags",
)
_READ_QUEUES = ("sqs:GetQueueAttributes", "sqs:ListQueueTags")
BY_NAME = {
    **{("CheckNamesFunctionRole", action): WHOSE for action in _READ},
    **{("AcceptCommandFunctionRole", action): WHOSE for action in (*_READ, *_READ_QUEUES)},
    ("AcceptCommandFunctionRole", "sqs:GetQueueUrl"): WHOSE,
    **{("SweepAccountFunctionRole", action): WHOSE for action in _READ_QUEUES},
    ("SweepAccountFunctionRole", "cloudwatch:ListTagsForResource"): WHOSE,
    ("SweepAccountFunctionRole", "cloudwatch:DeleteAlarms"): UNTAGGED,
    ("FlowRole", "cloudwatch:DeleteAlarms"): UNTAGGED,
    ("FlowRole", "cloudwatch:PutMetricAlarm"): UNTAGGED,
    ("CreateModelFunctionRole", "sagemaker:CreateModel"): ABSENT,
    **{
        ("FlowRole", f"sagemaker:Create{kind}"): ABSENT
        for kind in ("Model", "EndpointConfig", "Endpoint", "InferenceComponent")
    },
}


def named(kind: str, name: str) -> list[str]:
    """ARNs of a kind with a name in place of every name."""
    names = [name]
    if kind == "cloudwatch:alarm":
        names += [f"TargetTracking-{one}/{name}" for one in ("endpoint", "inference-component")]
    if kind.startswith("logs:"):
        groups = (
            "/aws/lambda/",
            "/aws/sagemaker/Endpoints/",
            "/aws/sagemaker/InferenceComponents/",
        )
        names = [f"{group}{name}" for group in groups]
    own = {"Partition": "aws", "Region": "us-east-1", "Account": "123456789012"}
    return [
        re.sub(r"\$\{(\w+)\}", lambda place, n=one: own.get(place[1], n), catalogue.kinds()[kind])
        for one in names
    ]


# What a stack has: endpoints and what belongs to them, and functions and machines of its own.
SUFFIXES = ("a", "a-dlq", "a-later", "a-no-capacity", "accept-command", "wake-endpoint")


def reaching(stack: str) -> set[tuple[str, str]]:
    """The roles and actions that reach what is called `<stack>-…` and has that stack's tag."""
    found = set()
    for grant, action in all_held():
        service = action.name.partition(":")[0]
        for kind in action.kinds:
            for suffix in SUFFIXES:
                for arn in named(f"{service}:{kind}", f"{stack}-{suffix}"):
                    if allowed(grant.role, action.name, arn, owned_by(stack)):
                        found.add((grant.role, action.name))
    return found


def test_no_role_reaches_another_stack_unless_its_reason_is_here() -> None:
    assert reaching("other") - set(BEYOND) == set()
    assert set(BEYOND) - reaching("other") == set()  # no reason outlives what it excuses


def test_nor_one_whose_name_begins_with_ours() -> None:
    excused = set(BEYOND) | set(BY_NAME)
    assert reaching(NAMESAKE) - excused == set()
    assert excused - reaching(NAMESAKE) == set()


def test_the_same_actions_reach_this_stack() -> None:
    """So the test above does not pass because nothing is allowed at all."""
    mine = {**FOREIGN, "aws:resourcetag/autoscaler:stack": (STACK,)}
    named_so = f"arn:aws:sagemaker:{HERE}:endpoint/{STACK}-a"
    assert allowed("FlowRole", "sagemaker:DeleteEndpoint", named_so, mine)
    assert allowed("GatewayFunctionRole", "sagemaker:InvokeEndpoint", named_so, mine)
    machine = f"arn:aws:states:{HERE}:stateMachine:{STACK}-wake-endpoint"
    assert allowed("ReconcileFunctionRole", "states:StartExecution", machine, mine)
    assert allowed("FlowRole", "sqs:DeleteQueue", f"arn:aws:sqs:{HERE}:{STACK}-a", mine)
    assert not allowed("FlowRole", "sqs:DeleteQueue", f"arn:aws:sqs:{HERE}:other-a", mine)


def test_who_registers_a_variant_may_look_at_a_config_whose_name_nobody_knows() -> None:
    """Application Auto Scaling asks for it by the caller's right (aws-controllers-k8s/community,
    issue 2110, as CloudTrail told it), and AWS's guide has it on all."""
    action = "application-autoscaling:RegisterScalableTarget"
    registering = {grant.role for grant, held in all_held() if held.name == action}
    made_up = f"arn:aws:sagemaker:{HERE}:endpoint-config/7f4e1944-1817-4891-9bef-e055a90787a4"
    assert registering
    for role in registering:
        assert allowed(role, "sagemaker:DescribeEndpointConfig", made_up, {}), role
