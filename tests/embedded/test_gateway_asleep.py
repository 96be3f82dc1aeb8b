"""The gateway in front of a model that sleeps: held, told, taken with a ticket.

The tests of this file are one story on one stack, told in order.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import openai
import pytest

from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.status import Cause, EndpointStatus
from autoscaler.policy.types import Phase
from autoscaler.spec.durations import parse_duration
from tests.embedded.gateway_lab import GATEWAY, STACK, gateway, said
from tests.embedded.stack import SPEED, Stack, at_once, deployed, wait_for

NAME = "llama"
QUESTION = [{"role": "user", "content": "why is the sky blue?"}]
BODY = {"model": NAME, "messages": QUESTION, "max_tokens": 7}
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), **GATEWAY) as found:
        found.account.boto("secretsmanager").put_secret_value(
            SecretId=found.outputs["SlackSecretName"], SecretString=at_once(found.slack)
        )
        assert found.apply(NAME, scaling={"max_copies": 1, "keep_alive": "8h"})["ok"]
        found.until(NAME, "AWAKE")
        yield found


@pytest.fixture(scope="module")
def address(stack: Stack) -> Iterator[str]:
    # As on Lambda it counts at once: nothing of this one comes between what another one counted.
    with gateway(stack, GATEWAY_MOST_HELD="2", AWS_LAMBDA_FUNCTION_NAME="gateway") as found:
        yield found


@pytest.fixture
def asleep(stack: Stack) -> None:
    """Not before the requests of the test before are answered: nobody may send it to sleep then."""
    wait_for(lambda: stack.command("sleep", endpoint=NAME), lambda told: told["ok"], "a sleep")
    stack.until(NAME, "ASLEEP")


def stored(stack: Stack, ticket: str) -> dict[str, Any]:
    found = stack.account.boto("s3").get_object(
        Bucket=stack.outputs["ResultsBucketName"], Key=f"requests/{NAME}/{ticket}.json"
    )
    return dict(json.loads(found["Body"].read()))


def test_a_stream_is_held_with_comments_and_progress_until_the_model_is_up(
    stack: Stack, address: str, asleep: None
) -> None:
    headers = {"prefer": "wait=60", "x-autoscaler-progress": "events"}
    body = {**BODY, "stream": True}
    with httpx.stream("POST", f"{address}{CHAT}", json=body, headers=headers, timeout=60) as reply:
        assert reply.status_code == 200
        lines = [line for line in reply.iter_lines() if line]
    # The first sign comes at once, on a busy machine before the wake that it asked for has begun.
    assert re.match(r": (asleep|waking), ready in about \d+ s$", lines[0])
    told = [
        json.loads(data.removeprefix("data: "))
        for line, data in pairwise(lines)
        if line == "event: progress"
    ]
    assert len(told) > 1
    assert {(one["status"], one["endpoint"]) for one in told} == {("waiting", NAME)}
    assert told[0]["expected_seconds"] > 0
    phases = [one["phase"] for one in told]
    assert "WAKING" in phases
    assert phases == sorted(phases) and set(phases) <= {"ASLEEP", "WAKING"}
    assert lines[-1] == "data: [DONE]"
    assert sum('"content"' in line for line in lines) > 0
    assert stack.get(NAME)["phase"] == "AWAKE"


def test_the_openai_client_waits_through_a_wake(address: str, asleep: None) -> None:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="x", max_retries=0, timeout=60) as client:
        answer = client.chat.completions.create(model=NAME, messages=QUESTION, max_tokens=7)
    assert answer.usage and answer.usage.completion_tokens == 7


def test_the_openai_client_streams_through_a_wake(address: str, asleep: None) -> None:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="x", max_retries=0, timeout=60) as client:
        stream = client.chat.completions.create(
            model=NAME, messages=QUESTION, max_tokens=7, stream=True
        )
        words = [chunk.choices[0].delta.content for chunk in stream]
    assert "".join(word or "" for word in words)


def test_who_does_not_wait_gets_a_ticket_that_was_stored_and_queued_before(
    stack: Stack, address: str, asleep: None
) -> None:
    (mapping,) = stack.mappings(NAME)
    stack.account.boto("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
    body = {**BODY, "autoscaler": {"priority": 7, "ttl": "2h", "tenant": "search"}}
    reply = said(address, CHAT, json=body, headers={"prefer": "respond-async"})
    assert reply.status_code == 202
    ticket = reply.json()["id"]
    assert ticket.startswith(f"{NAME}.")
    assert reply.json()["phase"] == "WAKING"
    assert reply.headers["location"] == f"/v1/requests/{ticket}"
    assert abs(int(reply.headers["retry-after"]) - reply.json()["expected_seconds"]) <= 1
    assert stored(stack, ticket) == {
        "model": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        "messages": QUESTION,
        "max_tokens": 7,
    }
    sqs = stack.account.boto("sqs")
    url = sqs.get_queue_url(QueueName=f"autoscaler-{NAME}")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    bucket = stack.outputs["ResultsBucketName"]
    told = json.loads(message["Body"])["autoscaler"]
    assert timedelta(minutes=110) < parse_duration(told.pop("ttl")) <= timedelta(hours=2)
    assert told == {
        "id": ticket,
        "body": f"s3://{bucket}/requests/{NAME}/{ticket}.json",
        "priority": 7,
        "tenant": "search",
    }
    waiting = said(address, f"/v1/requests/{ticket}")
    assert (waiting.status_code, waiting.json()["status"]) == (202, "waiting")
    stack.account.boto("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
    stack.until(NAME, "AWAKE")
    found = wait_for(
        lambda: said(address, f"/v1/requests/{ticket}"), lambda r: r.status_code == 200, "an answer"
    )
    assert found.json()["answer"]["usage"]["completion_tokens"] == 7
    told = ("It wakes for search. 1 copy", "It woke for search. It answered")
    wait_for(
        lambda: str(stack.slack.messages), lambda heard: all(one in heard for one in told), told
    )


def test_a_stream_whose_patience_is_over_ends_with_its_ticket(
    stack: Stack, address: str, asleep: None
) -> None:
    body = {**BODY, "stream": True}
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="x", max_retries=0, timeout=60)
    stack.account.clock.set_speed(2)  # a wake takes minutes, whatever else the machine does
    try:
        with client, pytest.raises(openai.APIError) as caught:
            stream = client.chat.completions.create(**body, extra_headers={"prefer": "wait=1"})  # type: ignore[call-overload]
            list(stream)
    finally:
        stack.account.clock.set_speed(SPEED)
    error: Any = caught.value.body
    assert error["code"] == "still_waiting"
    assert error["ticket"] in str(caught.value.message) or error["ticket"] in error["location"]
    assert stored(stack, error["ticket"])["messages"] == QUESTION
    stack.until(NAME, "AWAKE")


def test_more_than_may_be_held_are_sent_away_with_the_reason(
    stack: Stack, address: str, asleep: None
) -> None:
    held = [
        threading.Thread(target=said, args=(address, CHAT), kwargs={"json": BODY}, daemon=True)
        for _ in range(2)
    ]
    for one in held:
        one.start()
    stack.until(NAME, "WAKING")
    refused = wait_for(
        lambda: said(address, CHAT, json=BODY, headers={"prefer": "wait=1"}),
        lambda reply: reply.status_code == 429,
        "a refusal",
    )
    error = refused.json()["error"]
    assert (error["code"], error["type"]) == ("too_many_held", "rate_limit_error")
    assert "2 requests wait here" in error["message"]
    assert int(refused.headers["retry-after"]) > 0
    for one in held:
        one.join(120)
    assert stack.get(NAME)["phase"] == "AWAKE"


def test_a_request_turns_a_sleep_round_that_nobody_asked_for(stack: Stack, address: str) -> None:
    """Its keep_alive is over; what is asked while it goes to sleep does not wait for the sleep."""
    assert stack.apply(NAME, scaling={"max_copies": 1, "keep_alive": "5m"})["ok"]
    stack.account.clock.jump(400)
    stack.account.clock.set_speed(20)  # the sleep is not over before somebody asks
    answers: list[httpx.Response] = []
    try:
        stack.until(NAME, "SLEEPING")
        stack.account.clock.set_speed(2)
        falling = status(stack)
        assert (falling.phase, falling.cause) == (Phase.SLEEPING, Cause.IDLE)
        asking = threading.Thread(
            target=lambda: answers.append(said(address, CHAT, json=BODY)), daemon=True
        )
        asking.start()
        stack.until(NAME, "WAKING")
        assert stack.apply(NAME, scaling={"max_copies": 1, "keep_alive": "8h"})["ok"]
    finally:
        stack.account.clock.set_speed(SPEED)
    assert status(stack).generation == falling.generation + 1, "it never fell asleep"
    asking.join(120)
    assert [reply.status_code for reply in answers] == [200]
    assert answers[0].json()["usage"]["completion_tokens"] == 7
    assert stack.get(NAME)["phase"] == "AWAKE"
    # moto calls an execution FAILED that is stopped as a call of its returns.
    assert sleep_of(stack, falling.generation) in {"ABORTED", "FAILED"}, "nobody goes on with it"


def status(stack: Stack) -> EndpointStatus:
    record = stack.store().load(NAME)
    assert record is not None
    return record.status


def sleep_of(stack: Stack, generation: int) -> str:
    """What became of the execution that was to carry out this wish."""
    execution = ResourceNames(STACK, NAME).execution(generation)
    account = stack.account
    where = f"arn:aws:states:{account.region}:{account.account_id}:execution"
    arn = f"{where}:{STACK}-sleep-endpoint:{execution}"
    return str(account.boto("stepfunctions").describe_execution(executionArn=arn)["status"])


def test_a_request_that_nobody_made_is_not_found(address: str) -> None:
    reply = said(address, f"/v1/requests/{NAME}.0123")
    assert reply.status_code == 404
    assert reply.json()["error"]["code"] == "request_not_found"


def test_an_answer_and_a_refusal_are_fetched_by_their_tickets(stack: Stack, address: str) -> None:
    stack.ask(NAME, {"id": "by-queue", "prompt": "x", "max_tokens": 3})
    stack.result(NAME, "by-queue")
    found = said(address, "/v1/requests/by-queue", params={"endpoint": NAME})
    assert found.status_code == 200
    assert found.json()["status"] == "answered"
    assert found.json()["answer"]["usage"]["completion_tokens"] == 3
    stack.ask(NAME, {"id": "refused", "prompt": "x", "max_tokens": -1})
    stack.result(NAME, "refused")
    refused = said(address, "/v1/requests/refused", params={"endpoint": NAME})
    assert refused.status_code == 422
    assert "max_tokens" in refused.json()["error"]["message"]


def test_the_report_counts_what_the_gateway_answered(stack: Stack) -> None:
    before = sum(t.requests for t in stack.store().traffic(*days(stack)))
    with gateway(stack) as address:
        for _ in range(3):
            assert said(address, CHAT, json=BODY).status_code == 200
    after = stack.store().traffic(*days(stack))
    assert sum(t.requests for t in after) == before + 3
    assert sum(t.output_tokens for t in after) >= 21


def days(stack: Stack) -> tuple[Any, Any]:
    today = stack.account.clock.now().date()
    return today, today


def test_an_endpoint_that_is_being_removed_is_unanswerable(stack: Stack, address: str) -> None:
    assert stack.command("delete", endpoint=NAME, discard_requests=True)["ok"], (
        "a refused one lies there"
    )
    stack.until(NAME, "RETIRING")
    reply = wait_for(
        lambda: said(address, CHAT, json=BODY), lambda r: r.status_code == 503, "a refusal"
    )
    assert reply.json()["error"]["code"] == "endpoint_removed"
    assert "is being removed" in reply.json()["error"]["message"]
