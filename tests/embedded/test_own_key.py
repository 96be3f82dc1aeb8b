"""A stack with a key of its owner's, and queues that were made before there was one.

The tests of this file are one story on one stack, told in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.embedded.stack import Stack, deployed
from tools.embedded.types import Fault

KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000001"
NAME = "older"
QUEUE = f"autoscaler-{NAME}"
MADE_BEFORE = "345600"  # seconds of retention: no release of ours made it so


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(
        tmp_path_factory.mktemp("account"), KmsKeyArn=KEY, Tracing="Active"
    ) as found:  # both take rights
        yield found


def attributes(stack: Stack, queue: str) -> dict[str, str]:
    sqs = stack.account.boto("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def test_an_endpoint_comes_up_on_a_queue_that_an_earlier_release_left(stack: Stack) -> None:
    """A creation failed and left it, with every request; SQS refuses to make it otherwise."""
    refusal = Fault(
        "sagemaker:CreateModel",
        "ValidationException",
        message="ordered by the test",
        matching={"ModelName": QUEUE},
    )
    stack.account.front.inject(refusal)
    assert stack.apply(NAME)["ok"]
    stack.until(NAME, "FAILED")
    assert refusal in [fault for _, fault in stack.account.front.fired]
    sqs = stack.account.boto("sqs")
    sqs.set_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"],
        Attributes={"MessageRetentionPeriod": MADE_BEFORE},
    )
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName=QUEUE, Attributes={"MessageRetentionPeriod": "1209600"})
    assert stack.apply(NAME)["ok"]
    stack.until(NAME, "AWAKE")
    assert attributes(stack, QUEUE)["MessageRetentionPeriod"] == MADE_BEFORE


def test_what_is_made_for_it_takes_the_key_and_refuses_the_clear(stack: Stack) -> None:
    for end in ("-later", "-dlq"):
        found = attributes(stack, QUEUE + end)
        assert found["KmsMasterKeyId"] == KEY
        (statement,) = json.loads(found["Policy"])["Statement"]
        assert (statement["Sid"], statement["Effect"]) == ("TlsOnly", "Deny")
    groups = stack.account.boto("logs").describe_log_groups(logGroupNamePrefix="/aws/sagemaker/")
    (group,) = groups["logGroups"]
    assert (group["kmsKeyId"], group["retentionInDays"]) == (KEY, 30)


def test_its_requests_are_answered(stack: Stack) -> None:
    stack.ask(NAME, {"id": "one", "prompt": "a prompt of some length", "max_tokens": 3})
    assert stack.result(NAME, "one")["answer"]["usage"]["completion_tokens"] == 3


def test_roles_may_use_the_key_until_the_stack_is_deleted(stack: Stack) -> None:
    iam = stack.account.boto("iam")
    held = {
        role["RoleName"]: iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        for role in iam.list_roles()["Roles"]
    }
    using = {name for name, policies in held.items() if "use-key" in policies}
    untouched = {name.split("-")[1] for name in held if name not in using}
    assert untouched == {"CheckNamesFunctionRole"}, "it touches nothing that is encrypted"
    assert stack.command("delete", endpoint=NAME)["ok"]
    stack.until(NAME, None)
    stack.account.engine.delete("autoscaler")
    assert iam.list_roles()["Roles"] == []
