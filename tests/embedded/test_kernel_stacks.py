"""CloudFormation's API over deployed stacks, and what is not there after a deletion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.inventory import inventory, left
from tests.embedded.kernel_lab import FUNCTIONS, ROLE, START, template
from tests.embedded.stack import wait_for
from tools.embedded.kernel.account import Account
from tools.embedded.kernel.intrinsics import TemplateError
from tools.embedded.kernel.removers import REMOVERS
from tools.embedded.kernel.resources import MAKERS

QUEUE_ARN = {"Fn::GetAtt": ["Queue", "Arn"]}
STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
POLICY = {"Version": "2012-10-17", "Statement": [STATEMENT]}
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
}
MACHINE = json.dumps({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})


def of(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


# One of every type that the account can make.
EVERYTHING: dict[str, Any] = {
    "Role": {
        **ROLE,
        "Properties": {
            **ROLE["Properties"],
            "Policies": [{"PolicyName": "all", "PolicyDocument": POLICY}],
            "ManagedPolicyArns": [{"Ref": "Beside"}],
        },
    },
    "RolePolicy": of(
        "IAM::Policy", PolicyName="more", PolicyDocument=RIGHTS, Roles=[{"Ref": "Role"}]
    ),
    "Beside": of("IAM::ManagedPolicy", PolicyDocument=RIGHTS),
    "Rights": of("IAM::ManagedPolicy", PolicyDocument=RIGHTS, Roles=[{"Ref": "Role"}]),
    "One": FUNCTIONS["One"],
    "Url": of("Lambda::Url", TargetFunctionArn={"Ref": "One"}, AuthType="AWS_IAM"),
    "Layer": {
        "Type": "AWS::Serverless::LayerVersion",
        "Properties": {
            "LayerName": "shared",
            "ContentUri": "code",
            "RetentionPolicy": "Delete",  # SAM keeps layers otherwise
        },
    },
    "Bucket": of("S3::Bucket"),
    "BucketPolicy": of("S3::BucketPolicy", Bucket={"Ref": "Bucket"}, PolicyDocument=POLICY),
    "Table": of(
        "DynamoDB::Table",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    ),
    "Secret": of("SecretsManager::Secret", Name="token"),
    "Bus": of("Events::EventBus", Name="own"),
    "Queue": of("SQS::Queue", QueueName="jobs"),
    "QueuePolicy": of("SQS::QueuePolicy", Queues=[{"Ref": "Queue"}], PolicyDocument=POLICY),
    "Rule": of(
        "Events::Rule",
        EventBusName={"Ref": "Bus"},
        EventPattern={"source": ["own"]},
        Targets=[{"Id": "queue", "Arn": QUEUE_ARN}],
    ),
    "DefaultRule": of(
        "Events::Rule", ScheduleExpression="rate(1 day)", Targets=[{"Id": "q", "Arn": QUEUE_ARN}]
    ),
    "LogGroup": of("Logs::LogGroup", LogGroupName="/own"),
    "Permission": of(
        "Lambda::Permission",
        Action="lambda:InvokeFunction",
        FunctionName={"Ref": "One"},
        Principal="events.amazonaws.com",
    ),
    "Mapping": of(
        "Lambda::EventSourceMapping", EventSourceArn=QUEUE_ARN, FunctionName={"Ref": "One"}
    ),
    "Failures": of(
        "Lambda::EventInvokeConfig",
        FunctionName={"Ref": "One"},
        Qualifier="$LATEST",
        DestinationConfig={"OnFailure": {"Destination": QUEUE_ARN}},
    ),
    "Schedule": of(
        "Scheduler::Schedule",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": QUEUE_ARN, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}},
    ),
    "Topic": of("SNS::Topic"),
    "TopicPolicy": of("SNS::TopicPolicy", Topics=[{"Ref": "Topic"}], PolicyDocument=POLICY),
    "Subscription": of(
        "SNS::Subscription", TopicArn={"Ref": "Topic"}, Protocol="sqs", Endpoint=QUEUE_ARN
    ),
    "Alarm": of(
        "CloudWatch::Alarm",
        Namespace="Own",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    ),
    "Dashboard": of("CloudWatch::Dashboard", DashboardBody='{"widgets": []}'),
    "Machine": of(
        "StepFunctions::StateMachine",
        DefinitionString=MACHINE,
        RoleArn={"Fn::GetAtt": ["Role", "Arn"]},
    ),
}
PARAMETERS = {
    "Size": {"Type": "Number", "Default": 3},
    "Password": {"Type": "String", "Default": "secret", "NoEcho": True},
}
OUTPUTS = {"Url": {"Description": "Where jobs wait.", "Value": {"Ref": "Queue"}}}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account"), start=START, speed=60) as running:
        yield running


@pytest.fixture
def whole(account: Account, tmp_path: Path) -> Path:
    """A template of everything, deployed as `whole`."""
    path = template(
        tmp_path, EVERYTHING, Parameters=PARAMETERS, Outputs=OUTPUTS, Description="All of it."
    )
    account.deploy(path, "whole", {"Size": "5"})
    return path


def delete(account: Account) -> str:
    """Deletes `whole`; the stack's id."""
    formation, stack = account.boto("cloudformation"), account.engine.stacks["whole"]
    formation.delete_stack(StackName="whole")
    wait_for(lambda: stack.status, lambda status: status != "DELETE_IN_PROGRESS", "the deletion")
    assert stack.status == "DELETE_COMPLETE", stack.reason
    return stack.stack_id


def test_there_is_a_remover_of_every_type_that_is_made() -> None:
    assert set(REMOVERS) == set(MAKERS)


def test_after_a_deletion_nothing_of_the_stack_is_left(account: Account, tmp_path: Path) -> None:
    before = inventory(account)
    path = template(tmp_path, EVERYTHING, Parameters=PARAMETERS)
    account.deploy(path, "whole")
    stack = account.engine.stacks["whole"]
    assert set(stack.types.values()) >= set(MAKERS)
    made = left(before, inventory(account))
    for what in ("roles", "rules", "subscriptions", "buckets", "deployed", "layers deployed"):
        assert made[what], what
    delete(account)
    assert inventory(account) == before


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate"])
def test_what_is_retained_stays_when_its_stack_is_deleted(
    account: Account, tmp_path: Path, policy: str
) -> None:
    kept = {**of("S3::Bucket"), "DeletionPolicy": policy}
    account.deploy(template(tmp_path, {"Kept": kept, "Bucket": of("S3::Bucket")}), "whole")
    made = account.engine.stacks["whole"].made
    delete(account)
    listed = {one["Name"] for one in account.boto("s3").list_buckets()["Buckets"]}
    assert made["Kept"].physical_id in listed and made["Bucket"].physical_id not in listed
    account.boto("s3").delete_bucket(Bucket=made["Kept"].physical_id)


def test_a_deleted_stack_is_found_by_its_id_alone(account: Account, whole: Path) -> None:
    stack_id = delete(account)
    formation = account.boto("cloudformation")
    with pytest.raises(ClientError, match="Stack with id whole does not exist"):
        formation.describe_stacks(StackName="whole")
    assert [one["StackName"] for one in formation.describe_stacks()["Stacks"]] == []
    found = formation.describe_stacks(StackName=stack_id)["Stacks"]
    assert [one["StackStatus"] for one in found] == ["DELETE_COMPLETE"]
    listed = formation.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert stack_id in [one["StackId"] for one in listed]
    formation.delete_stack(StackName="whole")


def test_a_stack_is_described_with_its_parameters_and_outputs(
    account: Account, whole: Path
) -> None:
    (stack,) = account.boto("cloudformation").describe_stacks(StackName="whole")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Description"] == "All of it."
    given = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert given == {"Size": "5", "Password": "****"}
    (output,) = stack["Outputs"]
    assert (output["OutputKey"], output["Description"]) == ("Url", "Where jobs wait.")
    delete(account)


def test_its_resources_and_events_are_told(account: Account, whole: Path) -> None:
    formation = account.boto("cloudformation")
    summaries = formation.list_stack_resources(StackName="whole")["StackResourceSummaries"]
    resources = formation.describe_stack_resources(StackName="whole")["StackResources"]
    assert {one["LogicalResourceId"] for one in summaries} >= set(EVERYTHING) - {"Layer"}
    assert [one["PhysicalResourceId"] for one in resources] == [
        one["PhysicalResourceId"] for one in summaries
    ]
    detail = formation.describe_stack_resource(StackName="whole", LogicalResourceId="Queue")
    assert detail["StackResourceDetail"]["PhysicalResourceId"].endswith("/jobs")
    only = formation.describe_stack_resources(StackName="whole", LogicalResourceId="Queue")
    assert [one["ResourceType"] for one in only["StackResources"]] == ["AWS::SQS::Queue"]
    events = formation.describe_stack_events(StackName="whole")["StackEvents"]
    assert events[0]["ResourceStatus"] == "CREATE_COMPLETE"
    assert events[0]["ResourceType"] == "AWS::CloudFormation::Stack"
    assert events[-1]["ResourceStatus"] == "CREATE_IN_PROGRESS"
    moments = [one["Timestamp"] for one in events]
    assert moments == sorted(moments, reverse=True)
    stack_id = delete(account)
    events = formation.describe_stack_events(StackName=stack_id)["StackEvents"]
    assert (events[0]["ResourceStatus"], events[0]["LogicalResourceId"]) == (
        "DELETE_COMPLETE", "whole",
    )  # fmt: skip


def test_its_template_is_given_back(account: Account, whole: Path) -> None:
    formation = account.boto("cloudformation")
    given = formation.get_template(StackName="whole")
    assert given["TemplateBody"] == whole.read_text()
    processed = formation.get_template(StackName="whole", TemplateStage="Processed")
    assert processed["TemplateBody"]["Resources"]["One"]["Type"] == "AWS::Lambda::Function"
    delete(account)


def test_a_stack_that_could_not_be_made_says_which_resource(
    account: Account, tmp_path: Path
) -> None:
    """It stays, and is removed as any other."""
    wrong = of("SQS::Queue", QueueName={"Ref": "Nobody"})
    with pytest.raises(TemplateError):
        account.deploy(template(tmp_path, {"Good": of("SQS::Queue"), "Wrong": wrong}), "whole")
    formation = account.boto("cloudformation")
    events = formation.describe_stack_events(StackName="whole")["StackEvents"]
    failed = [one for one in events if one["ResourceStatus"] == "CREATE_FAILED"]
    assert [one["LogicalResourceId"] for one in failed] == ["whole", "Wrong"]
    assert "Nobody is neither" in failed[1]["ResourceStatusReason"]
    delete(account)
    assert account.boto("sqs").list_queues().get("QueueUrls", []) == []


@pytest.mark.parametrize(
    "operation", ["describe_stack_events", "list_stack_resources", "get_template"]
)
def test_a_stack_that_is_not_there_is_named(account: Account, operation: str) -> None:
    with pytest.raises(ClientError, match="Stack with id nobody does not exist") as refused:
        getattr(account.boto("cloudformation"), operation)(StackName="nobody")
    assert refused.value.response["Error"]["Code"] == "ValidationError"


# What the account does not have


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("pricing", "describe_services", {}),  # JSON
        ("geo-maps", "get_glyphs", {"FontStack": "x", "FontUnicodeRange": "0-255.pbf"}),  # REST
        ("importexport", "list_jobs", {}),  # Query
        ("codecommit", "list_repositories", {}),  # JSON, an action that is not there
        ("sns", "list_origination_numbers", {}),  # Query, the same
    ],
)
def test_what_is_not_simulated_is_said_as_aws_says_it(
    account: Account, service: str, operation: str, arguments: dict[str, str]
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(account.boto(service), operation)(**arguments)
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "html" not in refused.value.response["Error"]["Message"]
