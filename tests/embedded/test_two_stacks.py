"""Two stacks of one account, the name of one of which begins with that of the other and a dash.

What belongs to the endpoint `a` of `autoscaler-prod` is called as that of the endpoint `prod-a` of
`autoscaler` would be. Only its tag says whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.kernel_lab import START, client_of
from tests.embedded.stack import no_role_was_denied
from tools.embedded.iam.guard import Denial
from tools.embedded.kernel.account import Account

ROOT = Path(__file__).parents[2]
HERE = "us-east-1:123456789012"
OURS, THEIRS = "autoscaler", "autoscaler-prod"
NAME = f"{THEIRS}-a"
QUEUE = f"http://x/123456789012/{NAME}"
LOGS = f"/aws/sagemaker/Endpoints/{NAME}"
CONTAINER = {"Image": "image", "ModelDataUrl": "s3://weights/model.tar.gz"}
VARIANT = {
    "VariantName": "a",
    "ModelName": NAME,
    "InstanceType": "ml.g5.xlarge",
    "InitialInstanceCount": 1,
}
ALARM = {
    "AlarmName": f"{NAME}-no-capacity",
    "Namespace": "AWS/SageMaker",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """With our stack, and an endpoint of the other one with all that belongs to it."""
    with Account(tmp_path_factory.mktemp("account"), start=START) as running:
        running.deploy(ROOT / "template.yaml", parameters={"GatewayAccess": "iam"})
        make(running, {"autoscaler:stack": THEIRS})
        yield running
        no_role_was_denied(running)


def make(account: Account, tags: dict[str, str]) -> None:
    labels = [{"Key": key, "Value": value} for key, value in tags.items()]
    role = next(one for one in arns(account) if ":role/autoscaler-EndpointRole" in one)
    sagemaker = account.boto("sagemaker")
    account.boto("s3").create_bucket(Bucket="weights")
    account.boto("s3").put_object(Bucket="weights", Key="model.tar.gz", Body=b"1")
    sagemaker.create_model(
        ModelName=NAME, PrimaryContainer=CONTAINER, ExecutionRoleArn=role, Tags=labels
    )
    sagemaker.create_endpoint_config(
        EndpointConfigName=NAME, ProductionVariants=[VARIANT], Tags=labels
    )
    sagemaker.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME, Tags=labels)
    account.boto("sqs").create_queue(QueueName=NAME, tags=tags)
    account.boto("cloudwatch").put_metric_alarm(**ALARM, Tags=labels)
    account.boto("logs").create_log_group(logGroupName=LOGS, tags=tags)


def arns(account: Account) -> list[str]:
    pages = account.boto("iam").get_paginator("list_roles").paginate()
    return [role["Arn"] for page in pages for role in page["Roles"]]


def as_role(account: Account, role: str, service: str) -> Any:
    """A client with the credentials of a role of our stack, by its logical id."""
    (arn,) = (one for one in arns(account) if f":role/{OURS}-{role}-" in one)
    return client_of(account, arn, service)


def denied(account: Account) -> Denial:
    """The last denial, which its test wants: any other one the fixture finds in the end."""
    return account.iam.denials.pop()


FLOW, DISPATCH = "FlowRole", "DispatchRequestsFunctionRole"
OUR_LABELS = [{"Key": "autoscaler:stack", "Value": OURS}]
OUR_TAGS = {"autoscaler:stack": OURS}
RUN = f"arn:aws:states:{HERE}"
CALLS: list[tuple[str, str, str, dict[str, Any]]] = [
    (FLOW, "sqs", "delete_queue", {"QueueUrl": QUEUE}),
    (FLOW, "sqs", "set_queue_attributes", {"QueueUrl": QUEUE, "Attributes": {}}),
    (FLOW, "sqs", "tag_queue", {"QueueUrl": QUEUE, "Tags": OUR_TAGS}),
    (FLOW, "sqs", "create_queue", {"QueueName": NAME, "tags": OUR_TAGS}),
    (FLOW, "sqs", "get_queue_url", {"QueueName": NAME}),
    (FLOW, "cloudwatch", "put_metric_alarm", {**ALARM, "Tags": OUR_LABELS}),
    (FLOW, "cloudwatch", "delete_alarms", {"AlarmNames": [ALARM["AlarmName"]]}),
    (FLOW, "logs", "create_log_group", {"logGroupName": LOGS, "tags": OUR_TAGS}),
    (FLOW, "logs", "put_retention_policy", {"logGroupName": LOGS, "retentionInDays": 1}),
    (FLOW, "sagemaker", "delete_endpoint", {"EndpointName": NAME}),
    (FLOW, "sagemaker", "delete_endpoint_config", {"EndpointConfigName": NAME}),
    (FLOW, "sagemaker", "delete_model", {"ModelName": NAME}),
    (FLOW, "sagemaker", "describe_endpoint", {"EndpointName": NAME}),
    (FLOW, "sagemaker", "create_endpoint",
     {"EndpointName": f"{OURS}-b", "EndpointConfigName": NAME, "Tags": OUR_LABELS}),
    (FLOW, "lambda", "invoke", {"FunctionName": f"{THEIRS}-plan-wake"}),
    (FLOW, "stepfunctions", "start_execution",
     {"stateMachineArn": f"{RUN}:stateMachine:{THEIRS}-remove-capacity"}),
    (DISPATCH, "sqs", "receive_message", {"QueueUrl": QUEUE}),
    (DISPATCH, "sqs", "send_message", {"QueueUrl": f"{QUEUE}-dlq", "MessageBody": "x"}),
    (DISPATCH, "sagemaker-runtime", "invoke_endpoint", {"EndpointName": NAME, "Body": b"{}"}),
    (DISPATCH, "sagemaker-runtime", "invoke_endpoint_async",
     {"EndpointName": NAME, "InputLocation": "s3://weights/x"}),
    ("GatewayFunctionRole", "sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": "x"}),
    ("ReconcileFunctionRole", "sqs", "get_queue_attributes", {"QueueUrl": QUEUE}),
    ("ReconcileFunctionRole", "logs", "filter_log_events", {"logGroupName": LOGS}),
    ("ReconcileFunctionRole", "sagemaker", "describe_endpoint", {"EndpointName": NAME}),
    ("ReconcileFunctionRole", "sagemaker", "update_endpoint_weights_and_capacities",
     {"EndpointName": NAME,
      "DesiredWeightsAndCapacities": [{"VariantName": "a", "DesiredInstanceCount": 0}]}),
    ("ReconcileFunctionRole", "stepfunctions", "start_execution",
     {"stateMachineArn": f"{RUN}:stateMachine:{THEIRS}-retire-endpoint"}),
    ("ReconcileFunctionRole", "stepfunctions", "stop_execution",
     {"executionArn": f"{RUN}:execution:{THEIRS}-wake-endpoint:a-1"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("role", "service", "operation", "arguments"),
    CALLS,
    ids=[f"{role}-{service}-{operation}" for role, service, operation, _ in CALLS],
)
def test_what_the_other_stack_has_is_denied(
    account: Account, role: str, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    if "dlq" in json.dumps(arguments, default=str):
        tags = {"autoscaler:stack": THEIRS}
        account.boto("sqs").create_queue(QueueName=f"{NAME}-dlq", tags=tags)
    with pytest.raises(ClientError) as refused:
        getattr(as_role(account, role, service), operation)(**arguments)
    assert refused.value.response["Error"]["Code"].startswith("AccessDenied")
    found = denied(account)
    assert found.role == role
    assert "no identity-based policy allows" in found.why


def test_the_same_is_ours_with_our_tag(account: Account) -> None:
    """So it is the tag that denied, and not the name."""
    name = f"{OURS}-prod-b"
    sqs = as_role(account, FLOW, "sqs")
    url = sqs.create_queue(QueueName=name, tags=OUR_TAGS)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    as_role(account, "GatewayFunctionRole", "sqs").send_message(QueueUrl=url, MessageBody="x")
    as_role(account, DISPATCH, "sqs").receive_message(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    alarms = as_role(account, FLOW, "cloudwatch")
    alarms.put_metric_alarm(**{**ALARM, "AlarmName": f"{name}-no-capacity"}, Tags=OUR_LABELS)
    alarms.delete_alarms(AlarmNames=[f"{name}-no-capacity"])
    logs, group = as_role(account, FLOW, "logs"), f"/aws/sagemaker/Endpoints/{name}"
    logs.create_log_group(logGroupName=group, tags=OUR_TAGS)
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    as_role(account, "ReconcileFunctionRole", "logs").filter_log_events(logGroupName=group)


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("cloudwatch", "put_metric_alarm", {**ALARM, "AlarmName": f"{OURS}-c-no-capacity"}),
        ("logs", "create_log_group", {"logGroupName": f"/aws/sagemaker/Endpoints/{OURS}-c"}),
    ],
)
def test_nothing_is_made_without_our_tag(
    account: Account, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="not authorized"):
        getattr(as_role(account, FLOW, service), operation)(**arguments)
    assert denied(account).role == FLOW


def test_what_is_gone_is_not_found_rather_than_denied(account: Account) -> None:
    """The flows go on only when they are told that there is nothing."""
    gone = f"{OURS}-gone"
    with pytest.raises(ClientError, match="ould not find"):
        as_role(account, FLOW, "sagemaker").delete_model(ModelName=gone)
    with pytest.raises(ClientError) as none:
        as_role(account, FLOW, "sqs").get_queue_url(QueueName=gone)
    assert "NonExistentQueue" in none.value.response["Error"]["Code"]
