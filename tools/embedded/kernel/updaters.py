"""How each CloudFormation type is changed in place, through the service's own API.

A type that is not here, or one of whose `FIXED` properties changed, is replaced: made anew, and
the old one removed when everything refers to the new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tools.embedded.kernel.resources import MAKERS, Context, Made, attach_policies, role_policies

Properties = Mapping[str, Any]


def _role(c: Context, made: Made, p: Properties) -> None:
    iam, name = c.boto("iam"), made.physical_id
    iam.update_assume_role_policy(
        RoleName=name, PolicyDocument=json.dumps(p["AssumeRolePolicyDocument"])
    )
    wanted = role_policies(p)
    for policy, document in wanted.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
    for policy in set(made.properties["policies"]) - wanted.keys():  # others' policies stay
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    made.properties["policies"] = list(wanted)
    attach_policies(c, name, p)
    if "PermissionsBoundary" in p:
        iam.put_role_permissions_boundary(
            RoleName=name, PermissionsBoundary=p["PermissionsBoundary"]
        )


def _managed_policy(c: Context, made: Made, p: Properties) -> None:
    """A version that is in force from now on; the roles that have the policy keep it."""
    c.boto("iam").create_policy_version(
        PolicyArn=made.physical_id,
        PolicyDocument=json.dumps(p["PolicyDocument"]),
        SetAsDefault=True,
    )


def _queue(c: Context, made: Made, p: Properties) -> None:
    plain = {key: value for key, value in p.items() if key not in ("QueueName", "Tags")}
    attributes = {
        key: json.dumps(value) if isinstance(value, dict | bool) else str(value)
        for key, value in plain.items()
    }
    sqs = c.boto("sqs")
    if attributes:
        sqs.set_queue_attributes(QueueUrl=made.physical_id, Attributes=attributes)
    if tags := {tag["Key"]: tag["Value"] for tag in p.get("Tags", ())}:
        sqs.tag_queue(QueueUrl=made.physical_id, Tags=tags)


def _queue_policy(c: Context, _made: Made, p: Properties) -> None:
    MAKERS["AWS::SQS::QueuePolicy"](c, "", dict(p))


def _topic_policy(c: Context, _made: Made, p: Properties) -> None:
    MAKERS["AWS::SNS::TopicPolicy"](c, "", dict(p))


def _bucket(c: Context, made: Made, p: Properties) -> None:
    s3, name = c.boto("s3"), made.physical_id
    if "BucketEncryption" in p:
        rules = [
            {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
            for rule in p["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        ]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    if "PublicAccessBlockConfiguration" in p:
        s3.put_public_access_block(
            Bucket=name, PublicAccessBlockConfiguration=p["PublicAccessBlockConfiguration"]
        )


def _table(c: Context, made: Made, p: Properties) -> None:
    if "TimeToLiveSpecification" in p:
        c.boto("dynamodb").update_time_to_live(
            TableName=made.physical_id, TimeToLiveSpecification=p["TimeToLiveSpecification"]
        )


def _secret(c: Context, made: Made, p: Properties) -> None:
    """Its description alone: the value is its user's by now."""
    c.boto("secretsmanager").update_secret(
        SecretId=made.physical_id, Description=p.get("Description", "")
    )


def _rule(c: Context, made: Made, p: Properties) -> None:
    events, bus = c.boto("events"), made.properties["EventBusName"]
    named = {"Rule": made.physical_id, "EventBusName": bus}
    wanted = {target["Id"] for target in p.get("Targets", ())}
    targets = [target["Id"] for target in events.list_targets_by_rule(**named)["Targets"]]
    if gone := [target for target in targets if target not in wanted]:
        events.remove_targets(**named, Ids=gone)
    MAKERS["AWS::Events::Rule"](c, "", {**p, "Name": made.physical_id})


def _log_group(c: Context, made: Made, p: Properties) -> None:
    if "RetentionInDays" in p:
        c.boto("logs").put_retention_policy(
            logGroupName=made.physical_id, retentionInDays=int(p["RetentionInDays"])
        )


def _mapping(c: Context, made: Made, p: Properties) -> None:
    fixed = ("Tags", "EventSourceArn", "StartingPosition")
    changes = {key: value for key, value in p.items() if key not in fixed}
    c.boto("lambda").update_event_source_mapping(UUID=made.physical_id, **changes)


def _schedule(c: Context, made: Made, p: Properties) -> None:
    c.boto("scheduler").update_schedule(**{**p, "Name": made.physical_id})


def _machine(c: Context, made: Made, p: Properties) -> None:
    """Executions that run keep the definition that they began with."""
    definition = p["DefinitionString"]
    for key, value in p.get("DefinitionSubstitutions", {}).items():
        definition = definition.replace("${" + key + "}", str(value))
    c.boto("stepfunctions").update_state_machine(
        stateMachineArn=made.physical_id, definition=definition, roleArn=p["RoleArn"]
    )


def _put_again(kind: str, name: str) -> Callable[[Context, Made, Properties], None]:
    """Of what is made and changed by one and the same call, under the name that it has."""

    def update(c: Context, made: Made, p: Properties) -> None:
        MAKERS[kind](c, "", {**p, name: made.physical_id})

    return update


def _nothing(_c: Context, _made: Made, _p: Properties) -> None:
    """No service knows it: what the engine notes is enough."""


UPDATERS: dict[str, Callable[[Context, Made, Properties], None]] = {
    "AWS::IAM::Role": _role,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _put_again("AWS::S3::BucketPolicy", "Bucket"),
    "AWS::DynamoDB::Table": _table,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::Events::Rule": _rule,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::EventInvokeConfig": _put_again("AWS::Lambda::EventInvokeConfig", "FunctionName"),
    "AWS::Lambda::Permission": _nothing,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::CloudWatch::Alarm": _put_again("AWS::CloudWatch::Alarm", "AlarmName"),
    "AWS::CloudWatch::Dashboard": _put_again("AWS::CloudWatch::Dashboard", "DashboardName"),
    "AWS::StepFunctions::StateMachine": _machine,
}
# What CloudFormation cannot change in place, of the types above.
FIXED: Mapping[str, tuple[str, ...]] = {
    "AWS::IAM::Role": ("RoleName",),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "Description"),
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::SQS::QueuePolicy": ("Queues",),
    "AWS::SNS::TopicPolicy": ("Topics",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::DynamoDB::Table": ("TableName", "KeySchema"),
    "AWS::SecretsManager::Secret": ("Name",),
    "AWS::Events::Rule": ("Name", "EventBusName"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::Lambda::EventSourceMapping": ("EventSourceArn",),
    "AWS::Lambda::EventInvokeConfig": ("FunctionName",),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::Scheduler::Schedule": ("Name",),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::StepFunctions::StateMachine": ("StateMachineName",),
}
