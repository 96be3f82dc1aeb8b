"""The statements of every role of a template, with all of its options taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tools.embedded.iam.managed import is_of_aws
from tools.embedded.iam.policy import Permission, Statement, statement
from tools.embedded.kernel.intrinsics import Resolver
from tools.embedded.kernel.stack import checked_parameters, load
from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION
from tools.permissions.written import Written, above, written

STACK = "autoscaler"
_ROLE, _POLICY = "AWS::IAM::Role", "AWS::IAM::Policy"
_NAMED_BY = ("FunctionName", "StateMachineName", "QueueName", "TableName", "AlarmName", "Name")
_PSEUDO = {
    "AWS::StackName": STACK,
    "AWS::Region": DEFAULT_REGION,
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
_ANY = f"{DEFAULT_REGION}:{ACCOUNT_ID}"
# Parameters with which every statement is there. A parameter that adds one belongs in here.
EVERYTHING = {
    "HubTokenSecretName": "make",
    "ScannerFunctionArn": f"arn:aws:lambda:{_ANY}:function:scanner",
    "AlertTopicArns": f"arn:aws:sns:{_ANY}:alerts-of-a-team",
    "ReplyQueues": f"arn:aws:sqs:{_ANY}:answers-of-a-team",
    "GatewayAccess": "keys",
    "GatewayKeysSecretName": "gateway-keys",
    "Reconcile": "cost-explorer",
    "Tracing": "Active",
    "AlarmEmail": "team@example.com",
    "KmsKeyArn": f"arn:aws:kms:{_ANY}:key/1a2b3c4d-0000-1111-2222-333344445555",
}


@dataclass(frozen=True)
class Grant:
    """One statement of one role."""

    role: str
    statement: Statement
    written: Written

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """None of a denial: it grants nothing, so that no test has to use it."""
        if not self.statement.allows:
            return ()
        return tuple(Permission(self.statement.sid, one) for one in self.statement.actions)


@dataclass(frozen=True)
class Roles:
    """All roles: what they may do, what they are for, and AWS's own policies that they have."""

    grants: tuple[Grant, ...]
    managed: Mapping[str, tuple[str, ...]]
    purposes: Mapping[str, str]
    boundaries: Mapping[str, tuple[Statement, ...]] = field(default_factory=dict)

    def policy(self, role: str) -> tuple[Statement, ...]:
        return tuple(one.statement for one in self.grants if one.role == role)

    @property
    def names(self) -> list[str]:
        return sorted(self.managed)


@cache
def roles(path: Path) -> Roles:
    """Those of a template, for a stack called `autoscaler`. Raises TemplateError, and ValueError
    for a statement without a Sid, or with that of another one of the same role."""
    template = load(path, EVERYTHING)
    resolver = resolver_of(template)
    comments = written(path.read_text())
    grants: list[Grant] = []
    managed: dict[str, tuple[str, ...]] = {}
    bounds: dict[str, tuple[Statement, ...]] = {}
    for logical, resource in template["Resources"].items():
        if resource["Type"] == _ROLE:
            found = resolver.value(resource["Properties"])
            beside = _managed(template["Resources"], resource)
            arns = map(str, found.get("ManagedPolicyArns", ()))
            managed[logical] = tuple(arn for arn in arns if is_of_aws(arn))
            grants += _grants(logical, found, comments)
            for policy in beside:
                properties = resolver.value(template["Resources"][policy]["Properties"])
                for one in properties["PolicyDocument"]["Statement"]:
                    grants.append(Grant(logical, statement(one), comments[(policy, one["Sid"])]))
            if limit := resource["Properties"].get("PermissionsBoundary"):
                bounds[logical] = _boundary(template["Resources"][limit["Ref"]], resolver)
    grants += _of_policies(template["Resources"], resolver, comments)
    grants.sort(key=lambda grant: list(managed).index(grant.role))
    text = path.read_text()
    purposes = {role: _purpose(role, template, text) for role in managed}
    return Roles(tuple(grants), managed, purposes, bounds)


def _managed(resources: Mapping[str, Any], role: Mapping[str, Any]) -> list[str]:
    """The managed policies of the template that a role names, by their logical ids."""
    arns = role["Properties"].get("ManagedPolicyArns", ())
    return [one["Ref"] for one in arns if isinstance(one, Mapping) and one.get("Ref") in resources]


def _of_policies(
    resources: Mapping[str, Any], resolver: Resolver, comments: Mapping[tuple[str, str], Written]
) -> list[Grant]:
    """Those of policies that stand beside the roles that have them."""
    kinds = {logical: resource["Type"] for logical, resource in resources.items()}
    roles = {resolver.value({"Ref": one}): one for one, kind in kinds.items() if kind == _ROLE}
    found = []
    for logical in (one for one, kind in kinds.items() if kind == _POLICY):
        policy = resolver.value(resources[logical]["Properties"])
        for one in policy["PolicyDocument"]["Statement"]:
            why = comments[(logical, one["Sid"])]
            found += [Grant(roles[name], statement(one), why) for name in policy["Roles"]]
    return found


def _boundary(policy: Mapping[str, Any], resolver: Resolver) -> tuple[Statement, ...]:
    document = resolver.value(policy["Properties"]["PolicyDocument"])
    return tuple(map(statement, document["Statement"]))


def _purpose(role: str, template: Mapping[str, Any], text: str) -> str:
    """What a function says of itself, or what is written above a role of its own."""
    function = template["Resources"].get(role.removesuffix("Role"), {})
    if function.get("Type") == "AWS::Lambda::Function":
        return str(function["Properties"]["Description"])
    return above(text, role)


def _grants(
    role: str, properties: Mapping[str, Any], comments: Mapping[tuple[str, str], Written]
) -> list[Grant]:
    found: list[Grant] = []
    for policy in properties.get("Policies", ()):
        for one in policy["PolicyDocument"]["Statement"]:
            sid = one.get("Sid")
            if not sid:
                raise ValueError(f"{role}: a statement has no Sid: {json.dumps(one)}")
            if any(other.statement.sid == sid for other in found):
                raise ValueError(f"{role}: two statements have the Sid {sid}")
            owner = role.removesuffix("Role") if (role, sid) not in comments else role
            found.append(Grant(role, statement(one), comments[(owner, sid)]))
    return found


def resolver_of(template: Mapping[str, Any], **given: str) -> Resolver:
    """What answers intrinsic functions as a deployment with every option would."""
    parameters = template.get("Parameters", {})
    taken = {name: value for name, value in EVERYTHING.items() if name in parameters}
    resources = template["Resources"]

    def name(logical: str) -> str:
        properties = resources[logical].get("Properties", {})
        for key in _NAMED_BY:
            if key in properties:
                return str(resolver.value(properties[key]))
        return f"{STACK}-{logical}-1A2B3C"

    def reference(logical: str) -> str:
        kind = resources[logical]["Type"]
        by_arn = ("SecretsManager", "SNS", "StepFunctions", "LayerVersion")
        return arn(logical) if any(one in kind for one in by_arn) else name(logical)

    def arn(logical: str) -> str:
        return arn_of(resources[logical]["Type"], name(logical))

    def attribute(logical: str, key: str) -> str:
        return arn(logical) if key == "Arn" else f"{logical}.{key}"

    resolver = Resolver(
        dict(template), checked_parameters(template, {**taken, **given}), _PSEUDO, reference,
        attribute,
    )  # fmt: skip
    return resolver


def arn_of(kind: str, name: str) -> str:
    """The ARN of a resource of the template, as AWS would give it."""
    forms = {
        "AWS::S3::Bucket": f"arn:aws:s3:::{name.lower()}",
        "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{_ANY}:table/{name}",
        "AWS::SQS::Queue": f"arn:aws:sqs:{_ANY}:{name}",
        "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{_ANY}:alarm:{name}",
        "AWS::SNS::Topic": f"arn:aws:sns:{_ANY}:{name}",
        "AWS::Events::EventBus": f"arn:aws:events:{_ANY}:event-bus/{name}",
        "AWS::Lambda::Function": f"arn:aws:lambda:{_ANY}:function:{name}",
        "AWS::Lambda::LayerVersion": f"arn:aws:lambda:{_ANY}:layer:{name}:1",
        "AWS::StepFunctions::StateMachine": f"arn:aws:states:{_ANY}:stateMachine:{name}",
        "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT_ID}:role/{name}",
        "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{_ANY}:secret:{name}-1a2b3c",
        "AWS::Logs::LogGroup": f"arn:aws:logs:{_ANY}:log-group:{name}:*",
    }
    return forms.get(kind, f"arn:aws:other:{_ANY}:{name}")
