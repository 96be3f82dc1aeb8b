"""What becomes of requests: looked at when they wait, answered when their endpoint goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.cli_account import talks_to
from tests.embedded.stack import Stack, deployed, wait_for
from tools.cli.app import app

NAME = "llama"
QUEUE = f"autoscaler-{NAME}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        assert found.apply(NAME)["ok"]
        found.until(NAME, "AWAKE")
        yield found


def url(stack: Stack) -> str:
    return stack.account.boto("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"]


def out_of_sight(stack: Stack, request_id: str, seconds: int) -> None:
    """A request as a dispatcher leaves it that put it back: invisible for some time."""
    sqs = stack.account.boto("sqs")
    mappings = stack.account.boto("lambda").list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [m["UUID"] for m in mappings if m["EventSourceArn"].endswith(QUEUE)]
    stack.account.boto("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
    sqs.send_message(
        QueueUrl=url(stack), MessageBody=json.dumps({"id": request_id, "prompt": "late"})
    )
    (message,) = wait_for(lambda: received(stack), bool, "the message")
    sqs.change_message_visibility(
        QueueUrl=url(stack), ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
    )
    stack.account.boto("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)


def received(stack: Stack) -> list[dict[str, Any]]:
    found = stack.account.boto("sqs").receive_message(QueueUrl=url(stack), WaitTimeSeconds=0)
    return list(found.get("Messages", []))


def test_a_request_that_waits_though_it_is_awake_calls_the_tick(stack: Stack) -> None:
    """The rule on the stack's bus calls reconcile: it looks between two ticks."""
    logged: list[str] = []
    stack.account.runtime.on_invocation.append(lambda name, *_: logged.append(name))
    with stack.without_ticks():
        stack.account.clock.jump(60)  # the last look is old now
        logged.clear()
        out_of_sight(stack, "slow", 30)
        assert "answer" in stack.result(NAME, "slow")
        wait_for(lambda: logged, lambda names: "autoscaler-reconcile" in names, "the look")


def test_a_person_asks_and_has_the_answer_alone_on_stdout(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    talks_to(stack.account.endpoint_url, monkeypatch)
    ran = CliRunner().invoke(app, ["ask", NAME, "why?", "--max-tokens", "3"])
    assert ran.exit_code == 0, ran.stderr
    request_id = ran.stderr.splitlines()[0].removeprefix("request ")
    answer = stack.result(NAME, request_id)["answer"]
    assert ran.stdout == f"{answer['choices'][0]['message']['content']}\n"
    again = CliRunner().invoke(app, ["result", NAME, request_id])
    assert (again.exit_code, again.stdout) == (0, ran.stdout)
    refused = CliRunner().invoke(app, ["ask", NAME, "why?", "--max-tokens", "99999999"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "refused: This model's maximum context length" in refused.stderr
    unknown = CliRunner().invoke(app, ["ask", "lama", "why?"])
    assert unknown.stderr == f"there is no endpoint 'lama'; endpoints here: {NAME}\n"


def test_a_request_that_is_out_of_sight_is_answered_before_its_queue_goes(stack: Stack) -> None:
    out_of_sight(stack, "late", 1500)
    refused = stack.command("delete", endpoint=NAME)
    assert "1 waiting request in" in refused["problems"][0]
    assert stack.command("delete", endpoint=NAME, discard_requests=True)["ok"]
    assert stack.result(NAME, "late")["error"] == f"{NAME!r} is being removed"
    stack.until(NAME, None)
    queues = stack.account.boto("sqs").list_queues(QueueNamePrefix=QUEUE)
    assert queues.get("QueueUrls", []) == []
