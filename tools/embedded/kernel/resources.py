"""How each CloudFormation type is made, through the service's own API; see `removers`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tools.embedded.iam.managed import is_of_aws
from tools.embedded.iam.managed import managed_policy as aws_policy


@dataclass
class Made:
    physical_id: str
    ref: Any
    attributes: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass
class Context:
    boto: Callable[[str], Any]
    account_id: str
    region: str
    stack_name: str

    def arn(self, service, rest, region=True):
        return f"arn:aws:{service}:{self.region if region else ''}:{self.account_id}:{rest}"

    def name(self, logical):
        return f"{self.stack_name}-{logical}-{uuid.uuid4().hex[:12]}"


def lower(d):  # PascalCase top-level keys to camelCase
    return {k[0].lower() + k[1:]: v for k, v in d.items()}


def bucket(c, logical, p):
    name = p.get("BucketName") or c.name(logical).lower()[:63]
    s3 = c.boto("s3")
    s3.create_bucket(Bucket=name)
    if "BucketEncryption" in p:
        rules = p["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        s3.put_bucket_encryption(
            Bucket=name,
            ServerSideEncryptionConfiguration={
                "Rules": [
                    {"ApplyServerSideEncryptionByDefault": r["ServerSideEncryptionByDefault"]}
                    for r in rules
                ]
            },
        )
    if "PublicAccessBlockConfiguration" in p:
        s3.put_public_access_block(
            Bucket=name, PublicAccessBlockConfiguration=p["PublicAccessBlockConfiguration"]
        )
    return Made(name, name, {"Arn": f"arn:aws:s3:::{name}"})


def bucket_policy(c, logical, p):
    c.boto("s3").put_bucket_policy(Bucket=p["Bucket"], Policy=json.dumps(p["PolicyDocument"]))
    return Made(p["Bucket"], p["Bucket"])


def table(c, logical, p):
    name = p.get("TableName") or c.name(logical)
    args = {
        k: p[k]
        for k in (
            "AttributeDefinitions",
            "KeySchema",
            "BillingMode",
            "GlobalSecondaryIndexes",
            "ProvisionedThroughput",
            "StreamSpecification",
            "Tags",
        )
        if k in p
    }
    d = c.boto("dynamodb")
    t = d.create_table(TableName=name, **args)["TableDescription"]
    if "TimeToLiveSpecification" in p:
        d.update_time_to_live(TableName=name, TimeToLiveSpecification=p["TimeToLiveSpecification"])
    return Made(name, name, {"Arn": t["TableArn"], "StreamArn": t.get("LatestStreamArn")})


def secret(c, logical, p):
    arn = c.boto("secretsmanager").create_secret(
        Name=p.get("Name") or c.name(logical),
        Description=p.get("Description", ""),
        SecretString=p.get("SecretString", "{}"),
    )["ARN"]
    return Made(arn, arn, {"Id": arn})


def bus(c, logical, p):
    arn = c.boto("events").create_event_bus(Name=p["Name"])["EventBusArn"]
    return Made(p["Name"], p["Name"], {"Arn": arn, "Name": p["Name"]})


def queue(c, logical, p):
    name = p.get("QueueName") or c.name(logical)
    attrs = {
        k: (
            json.dumps(v)
            if isinstance(v, dict)
            else str(v).lower()
            if isinstance(v, bool)
            else str(v)
        )
        for k, v in p.items()
        if k not in ("QueueName", "Tags")
    }
    tags = {tag["Key"]: tag["Value"] for tag in p.get("Tags", ())}
    url = c.boto("sqs").create_queue(QueueName=name, Attributes=attrs, tags=tags)["QueueUrl"]
    return Made(url, url, {"Arn": c.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def queue_policy(c, logical, p):
    for q in p["Queues"]:
        c.boto("sqs").set_queue_attributes(
            QueueUrl=q, Attributes={"Policy": json.dumps(p["PolicyDocument"])}
        )
    return Made(logical, logical, properties={"Queues": p["Queues"]})


def rule(c, logical, p):
    name = p.get("Name") or c.name(logical)[:64]
    e = c.boto("events")
    args = {
        k: p[k] for k in ("EventBusName", "ScheduleExpression", "State", "Description") if k in p
    }
    if "EventPattern" in p:
        args["EventPattern"] = json.dumps(p["EventPattern"])
    arn = e.put_rule(Name=name, **args)["RuleArn"]
    if p.get("Targets"):
        e.put_targets(
            Rule=name,
            Targets=p["Targets"],
            **({"EventBusName": p["EventBusName"]} if "EventBusName" in p else {}),
        )
    return Made(name, name, {"Arn": arn}, {"EventBusName": p.get("EventBusName", "default")})


def role(c, logical, p):
    name = p.get("RoleName") or c.name(logical)[:64]
    iam = c.boto("iam")
    arn = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(p["AssumeRolePolicyDocument"]),
        **{key: p[key] for key in ("PermissionsBoundary",) if key in p},
    )["Role"]["Arn"]
    wanted = role_policies(p)
    for policy, document in wanted.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
    attach_policies(c, name, p)
    return Made(name, name, {"Arn": arn, "RoleId": name}, {"policies": list(wanted)})


def role_policies(p):
    """Documents by name: a role's own, and what AWS's managed ones allow."""
    own = {one["PolicyName"]: json.dumps(one["PolicyDocument"]) for one in p.get("Policies", ())}
    return own | dict(map(aws_policy, filter(is_of_aws, p.get("ManagedPolicyArns", ()))))


def attach_policies(c, role_name, p):
    """The managed policies that are the account's own."""
    for arn in p.get("ManagedPolicyArns", ()):
        if not is_of_aws(arn):
            c.boto("iam").attach_role_policy(RoleName=role_name, PolicyArn=arn)


def managed_policy(c, logical, p):
    iam = c.boto("iam")
    arn = iam.create_policy(
        PolicyName=p.get("ManagedPolicyName") or c.name(logical),
        PolicyDocument=json.dumps(p["PolicyDocument"]),
    )["Policy"]["Arn"]
    for name in p.get("Roles", ()):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return Made(arn, arn)


def role_policy(c, logical, p):
    document = json.dumps(p["PolicyDocument"])
    for name in p["Roles"]:
        c.boto("iam").put_role_policy(
            RoleName=name, PolicyName=p["PolicyName"], PolicyDocument=document
        )
    return Made(logical, logical, properties={k: p[k] for k in ("Roles", "PolicyName")})


def log_group(c, logical, p):
    name = p.get("LogGroupName") or c.name(logical)
    logs = c.boto("logs")
    logs.create_log_group(logGroupName=name)
    if "RetentionInDays" in p:
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(p["RetentionInDays"]))
    return Made(name, name, {"Arn": c.arn("logs", f"log-group:{name}:*")})


def layer(c, logical, p):
    n = p.get("LayerName") or c.name(logical)
    arn = c.arn("lambda", f"layer:{n}:1")
    return Made(arn, arn)


def permission(c, logical, p):
    return Made(logical, logical)


def url(c, logical, p):
    address = f"https://{uuid.uuid4().hex}.lambda-url.{c.region}.on.aws/"
    return Made(logical, c.arn("lambda", f"function:{logical}"), {"FunctionUrl": address})


def mapping(c, logical, p):
    u = c.boto("lambda").create_event_source_mapping(**{k: v for k, v in p.items() if k != "Tags"})[
        "UUID"
    ]
    return Made(u, u, {"Id": u})


def invoke_config(c, logical, p):
    c.boto("lambda").put_function_event_invoke_config(
        FunctionName=p["FunctionName"],
        MaximumRetryAttempts=int(p.get("MaximumRetryAttempts", 2)),
        DestinationConfig=p.get("DestinationConfig", {}),
    )
    return Made(p["FunctionName"], logical)


def schedule(c, logical, p):
    n = p.get("Name") or c.name(logical)[:64]
    c.boto("scheduler").create_schedule(**{**p, "Name": n})
    return Made(n, n, {"Arn": c.arn("scheduler", f"schedule/default/{n}")})


def topic(c, logical, p):
    arn = c.boto("sns").create_topic(Name=p.get("TopicName") or c.name(logical))["TopicArn"]
    return Made(arn, arn, {"TopicArn": arn, "TopicName": arn.split(":")[-1]})


def topic_policy(c, logical, p):
    for arn in p["Topics"]:
        c.boto("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(p["PolicyDocument"])
        )
    return Made(logical, logical)


def subscription(c, logical, p):
    arn = c.boto("sns").subscribe(
        TopicArn=p["TopicArn"], Protocol=p["Protocol"], Endpoint=p.get("Endpoint", "")
    )["SubscriptionArn"]
    return Made(arn, arn)


def alarm(c, logical, p):
    n = p.get("AlarmName") or c.name(logical)
    a = {**p, "AlarmName": n}
    a.pop("Tags", None)
    for k in ("Period", "EvaluationPeriods", "DatapointsToAlarm"):
        if k in a:
            a[k] = int(a[k])
    if "Threshold" in a:
        a["Threshold"] = float(a["Threshold"])
    c.boto("cloudwatch").put_metric_alarm(**a)
    return Made(n, n, {"Arn": c.arn("cloudwatch", f"alarm:{n}")})


def dashboard(c, logical, p):
    n = p.get("DashboardName") or c.name(logical)
    b = p["DashboardBody"]
    c.boto("cloudwatch").put_dashboard(
        DashboardName=n, DashboardBody=b if isinstance(b, str) else json.dumps(b)
    )
    return Made(n, n)


def machine(c, logical, p):
    n = p.get("StateMachineName") or c.name(logical)
    d = p["DefinitionString"]
    for k, v in p.get("DefinitionSubstitutions", {}).items():
        d = d.replace("${" + k + "}", str(v))
    arn = c.boto("stepfunctions").create_state_machine(name=n, definition=d, roleArn=p["RoleArn"])[
        "stateMachineArn"
    ]
    return Made(arn, arn, {"Arn": arn, "Name": n})


MAKERS = {
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": bucket_policy,
    "AWS::DynamoDB::Table": table,
    "AWS::SecretsManager::Secret": secret,
    "AWS::Events::EventBus": bus,
    "AWS::SQS::Queue": queue,
    "AWS::SQS::QueuePolicy": queue_policy,
    "AWS::Events::Rule": rule,
    "AWS::IAM::Role": role,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::IAM::Policy": role_policy,
    "AWS::Logs::LogGroup": log_group,
    "AWS::Lambda::LayerVersion": layer,
    "AWS::Lambda::Permission": permission,
    "AWS::Lambda::Url": url,
    "AWS::Lambda::EventSourceMapping": mapping,
    "AWS::Lambda::EventInvokeConfig": invoke_config,
    "AWS::Scheduler::Schedule": schedule,
    "AWS::SNS::Topic": topic,
    "AWS::SNS::TopicPolicy": topic_policy,
    "AWS::SNS::Subscription": subscription,
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::Dashboard": dashboard,
    "AWS::StepFunctions::StateMachine": machine,
}
