"""What calls of SageMaker and Application Auto Scaling need.

Application Auto Scaling looks at its resources, and makes its alarms, by the caller's right: its
user guide asks for permissions for the target service and for CloudWatch besides its own.
"""

from __future__ import annotations

from tools.embedded.iam.needed import Maker, Need, requested
from tools.embedded.iam.needs_state import Members, Rule

_SERVICE = "sagemaker.amazonaws.com"
_NAMES = {
    "endpoint": "EndpointName",
    "endpoint-config": "EndpointConfigName",
    "inference-component": "InferenceComponentName",
    "model": "ModelName",
}
_MADE_UP = "7f4e1944-1817-4891-9bef-e055a90787a4"
_SCALING_ROLE = (
    "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


def _arn(make: Maker, kind: str, name: str) -> str:
    """A name is in small letters there, as SageMaker has it, and so a policy has to have it."""
    return make.arn("sagemaker", f"{kind}/{name.lower()}")


def _named(operation: str, *asked: str) -> Rule:
    """An action of the operation's name on each of the things that the request names."""

    def rule(make: Maker, given: Members) -> list[Need]:
        tags = requested(given.get("Tags"))
        return [
            make.need(f"sagemaker:{operation}", _arn(make, kind, given[_NAMES[kind]]), tags)
            for kind in asked
            if given.get(_NAMES[kind])
        ]

    return rule


def _made(operation: str, kind: str, *besides: str) -> Rule:
    """As `_named`, with the tags and the role that are given to what is made."""
    named = _named(operation, kind, *besides)

    def rule(make: Maker, given: Members) -> list[Need]:
        arn = _arn(make, kind, given.get(_NAMES[kind], ""))
        return [
            *named(make, given),
            *make.tagging(
                "sagemaker:AddTags",
                arn,
                requested(given.get("Tags")),
                sagemaker__taggingaction=operation,
            ),
            *make.passing(given.get("ExecutionRoleArn"), _SERVICE),
            *_lent_keys(make, given),
        ]

    return rule


def _lent_keys(make: Maker, given: Members) -> list[Need]:
    """Volumes are encrypted with a key that the caller lends to SageMaker."""
    key = given.get("KmsKeyId")
    if not key:
        return []
    arn = key if key.startswith("arn:") else make.arn("kms", f"key/{key}")
    return [
        make.need("kms:DescribeKey", arn),
        make.need("kms:CreateGrant", arn, kms__grantisforawsresource="true"),
    ]


def _invoke(action: str, *, components: bool = True) -> Rule:
    """A model is asked by its endpoint, and by its component if the request names one."""
    kinds = ("endpoint", "inference-component") if components else ("endpoint",)
    return _named(action, *kinds)


def _stream(make: Maker, given: Members) -> list[Need]:
    """Both: the action of its own is in AWS's Service Authorization Reference, and the API's page
    says that InvokeEndpoint must be allowed."""
    actions = ("InvokeEndpoint", "InvokeEndpointWithResponseStream")
    return [need for action in actions for need in _invoke(action)(make, given)]


def _tags(action: str) -> Rule:
    def rule(make: Maker, given: Members) -> list[Need]:
        tags = requested(given.get("Tags"))
        return [make.need(f"sagemaker:{action}", given.get("ResourceArn", ""), tags)]

    return rule


def listing(action: str) -> Rule:
    return lambda make, _given: [make.need(action)]


def _target(action: str) -> Rule:
    """On a scalable target: its id is generated, so that only conditions limit it."""

    def rule(make: Maker, given: Members) -> list[Need]:
        arn = make.arn("application-autoscaling", f"scalable-target/{given.get('ResourceId', '')}")
        return [
            make.need(
                f"application-autoscaling:{action}",
                arn,
                application_autoscaling__service_namespace=given.get("ServiceNamespace", ""),
                application_autoscaling__scalable_dimension=given.get("ScalableDimension", ""),
            )
        ]

    return rule


def _capacity(make: Maker, given: Members) -> list[Need]:
    """That a target is registered, its resource looked at, and moved into its new bounds. Of a
    variant its config too (SageMaker's guide, "Auto scaling prerequisites", which asks for it on
    `*`), by a name that SageMaker made up and nobody was told of (aws-controllers-k8s/community,
    issue 2110)."""
    kind, _, rest = given.get("ResourceId", "").partition("/")
    name = rest.partition("/")[0]
    arn = _arn(make, kind, name)
    if kind == "inference-component":
        actions = ("DescribeInferenceComponent", "UpdateInferenceComponentRuntimeConfig")
        return [make.need(f"sagemaker:{action}", arn) for action in actions]
    actions = ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities")
    return [
        *(make.need(f"sagemaker:{action}", arn) for action in actions),
        make.need("sagemaker:DescribeEndpointConfig", _arn(make, "endpoint-config", _MADE_UP)),
    ]


def _register(make: Maker, given: Members) -> list[Need]:
    found = [*_target("RegisterScalableTarget")(make, given), *_capacity(make, given)]
    if not make.around.has_scaling_role():
        role = f"arn:aws:iam::{make.around.account_id}:{_SCALING_ROLE}"
        found.append(
            make.need(
                "iam:CreateServiceLinkedRole",
                role,
                iam__awsservicename="sagemaker.application-autoscaling.amazonaws.com",
            )
        )
    return found


def _policy(make: Maker, given: Members) -> list[Need]:
    """Target tracking makes two alarms, named after what it scales."""
    found = _target("PutScalingPolicy")(make, given)
    if given.get("PolicyType") == "TargetTrackingScaling":
        name = f"alarm:TargetTracking-{given.get('ResourceId', '')}-AlarmHigh"
        found += [
            make.need("cloudwatch:PutMetricAlarm", make.arn("cloudwatch", name)),
            make.need("cloudwatch:DescribeAlarms"),
        ]
    return found


def _alarms_go(action: str) -> Rule:
    """The alarms of target tracking go with their policy or target."""

    def rule(make: Maker, given: Members) -> list[Need]:
        name = f"alarm:TargetTracking-{given.get('ResourceId', '')}-AlarmHigh"
        return [
            *_target(action)(make, given),
            make.need("cloudwatch:DeleteAlarms", make.arn("cloudwatch", name)),
        ]

    return rule


_DESCRIBED = {
    "DescribeEndpoint": "endpoint",
    "DescribeEndpointConfig": "endpoint-config",
    "DescribeInferenceComponent": "inference-component",
    "DescribeModel": "model",
    "DeleteEndpoint": "endpoint",
    "DeleteEndpointConfig": "endpoint-config",
    "DeleteInferenceComponent": "inference-component",
    "DeleteModel": "model",
    "UpdateEndpointWeightsAndCapacities": "endpoint",
    "UpdateInferenceComponent": "inference-component",
    "UpdateInferenceComponentRuntimeConfig": "inference-component",
}
_LISTED = ("ListEndpoints", "ListEndpointConfigs", "ListInferenceComponents", "ListModels")
RULES: dict[str, Rule] = {
    **{f"sagemaker:{name}": _named(name, kind) for name, kind in _DESCRIBED.items()},
    **{f"sagemaker:{name}": listing(f"sagemaker:{name}") for name in _LISTED},
    "sagemaker:CreateModel": _made("CreateModel", "model"),
    "sagemaker:CreateEndpointConfig": _made("CreateEndpointConfig", "endpoint-config"),
    "sagemaker:CreateEndpoint": _made("CreateEndpoint", "endpoint", "endpoint-config"),
    "sagemaker:UpdateEndpoint": _named("UpdateEndpoint", "endpoint", "endpoint-config"),
    "sagemaker:CreateInferenceComponent": _made(
        "CreateInferenceComponent", "inference-component", "endpoint"
    ),
    "sagemaker:AddTags": _tags("AddTags"),
    "sagemaker:ListTags": _tags("ListTags"),
    "sagemaker:DeleteTags": _tags("DeleteTags"),
    "sagemaker:InvokeEndpoint": _invoke("InvokeEndpoint"),
    "sagemaker:InvokeEndpointAsync": _invoke("InvokeEndpointAsync", components=False),
    "sagemaker:InvokeEndpointWithResponseStream": _stream,
    "application-autoscaling:RegisterScalableTarget": _register,
    "application-autoscaling:DeregisterScalableTarget": _alarms_go("DeregisterScalableTarget"),
    "application-autoscaling:PutScalingPolicy": _policy,
    "application-autoscaling:DeleteScalingPolicy": _alarms_go("DeleteScalingPolicy"),
    **{
        f"application-autoscaling:{name}": listing(f"application-autoscaling:{name}")
        for name in ("DescribeScalableTargets", "DescribeScalingPolicies")
    },
}
