"""State machines in the account's time, with their role's credentials and real expressions."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.embedded.kernel_lab import (
    FUNCTIONS,
    MACHINE_ROLE,
    START,
    make_machine_role,
    template,
)
from tests.embedded.stack import no_role_was_denied
from tools.embedded.kernel import states
from tools.embedded.kernel.account import Account


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("account")
    with Account(folder, start=START, speed=600) as running:
        running.deploy(template(folder, FUNCTIONS), "functions")
        make_machine_role(running)
        yield running
        no_role_was_denied(running)


def executed(account: Account, states: dict[str, Any], given: Any) -> dict[str, Any]:
    """An execution, when it is over."""
    client = account.boto("stepfunctions")
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    machine = client.create_state_machine(
        name=f"m-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=MACHINE_ROLE
    )
    execution = client.start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps(given)
    )
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = client.describe_execution(executionArn=execution["executionArn"])
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.05)
    raise AssertionError("the execution does not end")


def test_a_state_machine_waits_in_the_account_s_time_and_keeps_its_variables(
    account: Account,
) -> None:
    text = """it's "quoted", with a \\ and a {% brace %}"""
    states = {
        "Keep": {
            "Type": "Pass",
            "Assign": {"said": "{% $states.input.text %}", "id": "{% $uuid() %}"},
            "Next": "Rest",
        },
        "Rest": {"Type": "Wait", "Seconds": 600, "Next": "Tell"},
        "Tell": {"Type": "Pass", "Output": {"said": "{% $said %}", "id": "{% $id %}"}, "End": True},
    }
    simulated, wall = account.clock.time(), time.monotonic()
    found = executed(account, states, {"text": text})
    assert found["status"] == "SUCCEEDED", found
    assert account.clock.time() - simulated >= 600
    assert time.monotonic() - wall < 15
    output = json.loads(found["output"])
    assert output["said"] == text
    assert uuid.UUID(output["id"]).version == 4


def test_an_expression_that_yields_nothing_fails_the_execution(account: Account) -> None:
    states = {"Tell": {"Type": "Pass", "Output": "{% $states.input.absent %}", "End": True}}
    found = executed(account, states, {})
    assert found["status"] == "FAILED"
    assert found["error"] == "States.QueryEvaluationError"


def test_a_state_machine_calls_with_the_credentials_of_its_own_role(account: Account) -> None:
    states = {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sts:getCallerIdentity",
            "Arguments": {},
            "End": True,
        }
    }
    found = executed(account, states, {})
    assert found["status"] == "SUCCEEDED", found
    assert ":assumed-role/machine/states" in json.loads(found["output"])["Arn"]


def test_executions_begin_and_end_in_the_account_s_time(account: Account) -> None:
    account.clock.jump(86_400 * 40)
    before = account.clock.now().replace(microsecond=0)
    states = {
        "Rest": {"Type": "Wait", "Seconds": 60, "Next": "Tell"},
        "Tell": {
            "Type": "Pass",
            "Output": {"at": "{% $states.context.State.EnteredTime %}"},
            "End": True,
        },
    }
    found = executed(account, states, {})
    entered = datetime.fromisoformat(json.loads(found["output"])["at"])
    assert before <= found["startDate"].astimezone(UTC) < entered
    assert entered <= found["stopDate"].astimezone(UTC) <= account.clock.now()


@pytest.mark.parametrize("member", ["queueName", "Queue", "QUEUEName"])
def test_a_field_that_step_functions_does_not_know_is_refused(
    account: Account, member: str
) -> None:
    states = {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl",
            "Arguments": {member: "x"},
            "End": True,
        }
    }
    found = executed(account, states, {})
    assert found["status"] == "FAILED"
    assert f'The field "{member}" is not supported by Step Functions' in found["cause"]


def test_a_definition_is_read_once_and_what_runs_is_made_for_each_execution() -> None:
    # Imported only now: moto's modules must see the account's time.
    from moto.stepfunctions.parser.asl.parse.asl_parser import (
        AmazonStateLanguageParser,
        ASLParserException,
    )

    by_moto, read = AmazonStateLanguageParser.parse, list[str]()

    def parse(definition: str) -> tuple[Any, Any]:
        read.append(definition)
        return by_moto(definition)

    parsed = states._read_once(parse)
    text = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    (first, tree), (second, again) = parsed(text), parsed(text)
    assert first is not second
    assert tree is again
    assert read == [text]
    for _ in range(2):
        with pytest.raises(ASLParserException):
            parsed("no definition")
    assert read == [text, "no definition", "no definition"]
