"""How each CloudFormation type is removed, through the service's own API."""

from __future__ import annotations

from collections.abc import Callable

from tools.embedded.kernel.resources import Context, Made


def _bucket(c: Context, made: Made) -> None:
    c.boto("s3").delete_bucket(Bucket=made.physical_id)  # refused while it holds anything


def _bucket_policy(c: Context, made: Made) -> None:
    c.boto("s3").delete_bucket_policy(Bucket=made.physical_id)


def _table(c: Context, made: Made) -> None:
    c.boto("dynamodb").delete_table(TableName=made.physical_id)


def _secret(c: Context, made: Made) -> None:
    c.boto("secretsmanager").delete_secret(
        SecretId=made.physical_id, ForceDeleteWithoutRecovery=True
    )


def _bus(c: Context, made: Made) -> None:
    c.boto("events").delete_event_bus(Name=made.physical_id)


def _queue(c: Context, made: Made) -> None:
    c.boto("sqs").delete_queue(QueueUrl=made.physical_id)


def _queue_policy(c: Context, made: Made) -> None:
    for url in made.properties["Queues"]:
        c.boto("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})


def _rule(c: Context, made: Made) -> None:
    events, bus = c.boto("events"), made.properties["EventBusName"]
    named = {"Rule": made.physical_id, "EventBusName": bus}
    targets = [target["Id"] for target in events.list_targets_by_rule(**named)["Targets"]]
    if targets:
        events.remove_targets(**named, Ids=targets)
    events.delete_rule(Name=made.physical_id, EventBusName=bus)


def _role(c: Context, made: Made) -> None:
    iam, name = c.boto("iam"), made.physical_id
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for one in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=one["PolicyArn"])
    iam.delete_role(RoleName=name)


def _managed_policy(c: Context, made: Made) -> None:
    iam, arn = c.boto("iam"), made.physical_id
    for one in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]:
        iam.detach_role_policy(RoleName=one["RoleName"], PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)


def _role_policy(c: Context, made: Made) -> None:
    for name in made.properties["Roles"]:
        c.boto("iam").delete_role_policy(RoleName=name, PolicyName=made.properties["PolicyName"])


def _log_group(c: Context, made: Made) -> None:
    c.boto("logs").delete_log_group(logGroupName=made.physical_id)


def _mapping(c: Context, made: Made) -> None:
    c.boto("lambda").delete_event_source_mapping(UUID=made.physical_id)


def _schedule(c: Context, made: Made) -> None:
    c.boto("scheduler").delete_schedule(Name=made.physical_id)


def _topic(c: Context, made: Made) -> None:
    c.boto("sns").delete_topic(TopicArn=made.physical_id)


def _subscription(c: Context, made: Made) -> None:
    c.boto("sns").unsubscribe(SubscriptionArn=made.physical_id)


def _alarm(c: Context, made: Made) -> None:
    c.boto("cloudwatch").delete_alarms(AlarmNames=[made.physical_id])


def _dashboard(c: Context, made: Made) -> None:
    c.boto("cloudwatch").delete_dashboards(DashboardNames=[made.physical_id])


def _machine(c: Context, made: Made) -> None:
    c.boto("stepfunctions").delete_state_machine(stateMachineArn=made.physical_id)


def _invoke_config(c: Context, made: Made) -> None:
    c.boto("lambda").delete_function_event_invoke_config(FunctionName=made.physical_id)


def _nothing(_c: Context, _made: Made) -> None:
    """No service knows it: the engine alone has noted it, and forgets it."""


REMOVERS: dict[str, Callable[[Context, Made], None]] = {
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::DynamoDB::Table": _table,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::Events::EventBus": _bus,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::Role": _role,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::Policy": _role_policy,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::Lambda::LayerVersion": _nothing,
    "AWS::Lambda::Permission": _nothing,
    "AWS::Lambda::Url": _nothing,
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::EventInvokeConfig": _invoke_config,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::TopicPolicy": _nothing,  # it goes with its topic
    "AWS::SNS::Subscription": _subscription,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::StepFunctions::StateMachine": _machine,
}
