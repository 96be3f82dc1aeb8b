"""Failures by rate, lost answers, and what the account makes of a call that comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.embedded.kernel_lab import START
from tests.embedded.stack import wait_for
from tests.embedded.test_kernel_machines import executed
from tools.embedded.kernel.account import Account
from tools.embedded.kernel.disorder import WORDS, Disorder, Trouble
from tools.embedded.kernel.state_errors import older_name

TABLE = {
    "TableName": "t",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account"), start=START, speed=600) as running:
        running.iam.enforced = False  # its roles are names: what they may do is shown elsewhere
        running.boto("dynamodb").create_table(**TABLE)
        yield running


@pytest.fixture
def traffic(account: Account) -> Iterator[Any]:
    yield account.front.traffic
    account.front.traffic.disorder = None
    account.front.traffic.latency_seconds = 0.0


def by_role(account: Account, service: str, attempts: int = 1) -> Any:
    """A client with other credentials than those of whoever owns the account."""
    return boto3.client(
        service,
        region_name=account.region,
        endpoint_url=account.endpoint_url,
        aws_access_key_id="ASIAROLE",
        aws_secret_access_key="x",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )


class Only(Disorder):
    """Every call meets the same trouble, so many times."""

    def __init__(self, trouble: Trouble, times: int = 1) -> None:
        super().__init__(1.0, 0)
        self._trouble, self._left = trouble, times

    def strike(self, service: str, operation: str) -> Trouble | None:
        if super().strike(service, operation) is None or not self._left:
            return None
        self._left -= 1
        return self._trouble


def test_the_share_that_fails_is_the_rate_and_the_seed_says_which() -> None:
    runs = [Disorder(0.2, seed) for seed in (1, 1, 2)]
    struck = [[run.strike("sqs", "sqs:CreateQueue") for _ in range(2000)] for run in runs]
    assert struck[0] == struck[1] != struck[2]
    assert all(0.17 < run.share < 0.23 for run in runs)
    assert {trouble for trouble in struck[0] if trouble} == set(Trouble)
    assert runs[0].strike("lambda", "lambda:Invoke") is None, "functions at work are spared"
    with pytest.raises(ValueError, match="rate: 2 is not a share"):
        Disorder(2, 1)


def test_whoever_owns_the_account_is_never_disturbed(account: Account, traffic: Any) -> None:
    traffic.disorder = Disorder(1.0, 1)
    assert account.boto("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises((ClientError, ConnectionClosedError)):
        by_role(account, "sqs").list_queues()
    assert traffic.disorder.failures_of("sqs:ListQueues") == 1


@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.BROKEN])
@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("sagemaker", "list_endpoints"),
        ("sqs", "list_queues"),
        ("lambda", "list_event_source_mappings"),
        ("dynamodb", "list_tables"),
        ("cloudwatch", "describe_alarms"),
        ("stepfunctions", "list_state_machines"),
        ("events", "list_rules"),
    ],
)
def test_trouble_is_told_in_the_service_s_own_words_and_the_client_tries_again(
    account: Account, traffic: Any, trouble: Trouble, service: str, operation: str
) -> None:
    traffic.disorder = Only(trouble)
    with pytest.raises(ClientError) as told:
        getattr(by_role(account, service), operation)()
    codes = {(w.throttled if trouble is Trouble.THROTTLED else w.broken)[0] for w in WORDS.values()}
    assert told.value.response["Error"]["Code"] in codes
    assert told.value.response["ResponseMetadata"]["RequestId"]
    traffic.disorder = Only(trouble)
    getattr(by_role(account, service, attempts=3), operation)()
    assert traffic.disorder.failed.total() >= 1


def test_a_lost_answer_was_carried_out_and_an_unanswered_call_was_not(
    account: Account, traffic: Any
) -> None:
    for trouble, there in ((Trouble.UNANSWERED, 0), (Trouble.LOST, 1)):
        traffic.disorder = Only(trouble)
        with pytest.raises(ConnectionClosedError):
            by_role(account, "sqs").create_queue(QueueName=f"q-{there}")
        found = account.boto("sqs").list_queues(QueueNamePrefix=f"q-{there}").get("QueueUrls", [])
        assert len(found) == there


def test_a_transaction_whose_answer_was_lost_is_not_a_conflict_with_itself(
    account: Account, traffic: Any
) -> None:
    put = {"TableName": "t", "Item": {"k": {"S": "once"}}}
    absent = {"ConditionExpression": "attribute_not_exists(k)"}
    traffic.disorder = Only(Trouble.LOST)
    by_role(account, "dynamodb", attempts=3).transact_write_items(
        TransactItems=[{"Put": {**put, **absent}}]
    )
    assert traffic.disorder.failed.total() >= 1
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        account.boto("dynamodb").transact_write_items(TransactItems=[{"Put": {**put, **absent}}])


def test_a_transaction_that_fails_leaves_nothing(account: Account) -> None:
    db = account.boto("dynamodb")
    first = {"Put": {"TableName": "t", "Item": {"k": {"S": "half"}}}}
    never = {
        "ConditionCheck": {
            "TableName": "t",
            "Key": {"k": {"S": "nobody"}},
            "ConditionExpression": "attribute_exists(k)",
        }
    }
    with pytest.raises(ClientError, match="None, ConditionalCheckFailed"):
        db.transact_write_items(TransactItems=[first, never])
    assert "Item" not in db.get_item(TableName="t", Key={"k": {"S": "half"}})


def task(resource: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True}


SDK = "arn:aws:states:::aws-sdk:"


@pytest.mark.parametrize(
    ("trouble", "resource", "arguments", "name"),
    [
        (
            Trouble.THROTTLED,
            f"{SDK}sagemaker:describeEndpoint",
            {"EndpointName": "e"},
            "SageMaker.SageMakerException",
        ),
        (
            None,
            f"{SDK}sagemaker:describeEndpoint",
            {"EndpointName": "e"},
            "SageMaker.SageMakerException",
        ),
        (
            Trouble.LOST,
            f"{SDK}sagemaker:describeEndpoint",
            {"EndpointName": "e"},
            "SageMaker.SdkClientException",
        ),
        (
            Trouble.THROTTLED,
            f"{SDK}sqs:getQueueUrl",
            {"QueueName": "x"},
            "Sqs.RequestThrottledException",
        ),
        (None, f"{SDK}sqs:getQueueUrl", {"QueueName": "x"}, "Sqs.QueueDoesNotExistException"),
        (
            Trouble.THROTTLED,
            "arn:aws:states:::dynamodb:getItem",
            {"TableName": "t", "Key": {"k": {"S": "x"}}},
            "DynamoDB.ThrottlingException",
        ),
        (
            Trouble.UNANSWERED,
            "arn:aws:states:::dynamodb:getItem",
            {"TableName": "t", "Key": {"k": {"S": "x"}}},
            "DynamoDB.SdkClientException",
        ),
    ],
)
def test_a_state_machine_sees_errors_under_step_functions_own_names(
    account: Account, traffic: Any, trouble: Trouble | None, resource: str, arguments, name: str
) -> None:
    """A throttle and a refusal of SageMaker have one name: only the cause tells them apart."""
    traffic.disorder = Only(trouble, times=1) if trouble else None
    found = executed(account, {"Call": task(resource, arguments)}, {})
    assert (found["status"], found["error"]) == ("FAILED", name)
    if resource.endswith("describeEndpoint") and trouble is not Trouble.LOST:
        words = "Rate exceeded" if trouble else "ould not find"
        assert words in found["cause"]


def test_the_older_integrations_have_the_names_of_the_older_sdk() -> None:
    assert older_name("states", "ExecutionAlreadyExists") == (
        "StepFunctions.ExecutionAlreadyExistsException"
    )
    assert older_name("states", "ThrottlingException") == "StepFunctions.AWSStepFunctionsException"
    assert older_name("lambda", "TooManyRequestsException") == "Lambda.TooManyRequestsException"
    assert older_name("lambda", "AccessDeniedException") == "Lambda.AWSLambdaException"


def test_a_started_execution_of_the_same_name_is_not_started_twice(account: Account) -> None:
    """So that a nested execution whose start was answered by nobody may be started again."""
    client = account.boto("stepfunctions")
    rest = '{"StartAt": "R", "States": {"R": {"Type": "Wait", "Seconds": 100000, "End": true}}}'
    role = "arn:aws:iam::123456789012:role/machine"
    arn = client.create_state_machine(name="rest", definition=rest, roleArn=role)["stateMachineArn"]
    first, again = (
        client.start_execution(stateMachineArn=arn, name="e-1-1", input="{}") for _ in range(2)
    )
    assert first["executionArn"] == again["executionArn"]
    client.stop_execution(executionArn=first["executionArn"])

    def status() -> str:
        return str(client.describe_execution(executionArn=first["executionArn"])["status"])

    wait_for(status, lambda one: one != "RUNNING", "the end of the execution")
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        client.start_execution(stateMachineArn=arn, name="e-1-1", input="{}")
