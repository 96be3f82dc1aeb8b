"""An async endpoint: requests go by S3, its way to zero is its instances.

The tests of this file are one story on one stack, told in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from autoscaler.endpoints.late import late_prefix
from tests.embedded.stack import Stack, deployed, wait_for
from tests.embedded.whole_instances import (
    ENDPOINT,
    NAME,
    SCALING,
    context_tokens,
    created,
    ledger_agrees,
    looked_at_asleep,
    nothing_left,
    targets,
)

KIND = {"kind": "async"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


def wanted(stack: Stack) -> int:
    """Instances."""
    found = stack.account.boto("sagemaker").describe_endpoint(EndpointName=ENDPOINT)
    (variant,) = found["ProductionVariants"]
    count: int = variant["DesiredInstanceCount"]
    return count


def exchanged(stack: Stack) -> list[str]:
    """What lies in the exchange with SageMaker."""
    listed = stack.account.boto("s3").list_objects_v2(
        Bucket=stack.outputs["ResultsBucketName"], Prefix=late_prefix(NAME)
    )
    return [one["Key"] for one in listed.get("Contents", [])]


def answered(stack: Stack, request_id: str) -> int:
    """Tokens of its stored answer."""
    tokens: int = stack.result(NAME, request_id)["answer"]["usage"]["completion_tokens"]
    return tokens


def test_it_is_created_and_proves_itself_by_an_answer_that_comes_by_s3(stack) -> None:
    created(stack, **KIND)
    assert exchanged(stack) == [], "it is tidied up"


def test_a_long_request_is_handed_over_once_however_often_its_message_is_looked_at(stack) -> None:
    before, looks = stack.account.sagemaker.invocations, []
    stack.account.runtime.on_invocation.append(lambda name, *_: looks.append(name))
    stack.ask(NAME, {"id": "long", "prompt": "x", "max_tokens": 6000})
    assert answered(stack, "long") == 6000, "108 s: no synchronous call lasts so long"
    assert stack.account.sagemaker.invocations == before + 1
    assert looks.count("autoscaler-dispatch-requests") >= 3
    wait_for(lambda: exchanged(stack), lambda keys: keys == [], "nothing left of it")


def test_two_messages_of_one_id_are_one_request(stack) -> None:
    before = stack.account.sagemaker.invocations
    for _ in range(2):
        stack.ask(NAME, {"id": "twice", "prompt": "x", "max_tokens": 2000})
    assert answered(stack, "twice") == 2000
    wait_for(lambda: stack.get(NAME)["backlog"], lambda count: count == 0, "both are gone")
    assert stack.account.sagemaker.invocations == before + 1


def test_a_request_may_be_larger_than_an_inline_body(stack) -> None:
    stack.ask(NAME, {"id": "large", "prompt": "x", "user": "u" * 150_000, "max_tokens": 3})
    assert answered(stack, "large") == 3


def test_what_the_model_refuses_is_refused_with_its_reason_and_may_be_sent_anew(stack) -> None:
    stack.ask(NAME, {"id": "bad", "prompt": "x", "max_tokens": -3})
    assert "max_tokens" in stack.result(NAME, "bad")["error"]
    letters = wait_for(lambda: stack.dead_letters(NAME), bool, "a dead letter")
    assert "max_tokens" in letters[0]["MessageAttributes"]["reason"]["StringValue"]
    stack.ask(NAME, {"id": "bad", "prompt": "x", "max_tokens": 3})
    wait_for(
        lambda: stack.result(NAME, "bad"), lambda found: "answer" in found, "an answer this time"
    )


def test_asleep_it_is_there_without_instances(stack) -> None:
    stack.until(NAME, "ASLEEP")
    assert (stack.instances(), wanted(stack), targets(stack)) == (0, 0, [])
    looked_at_asleep(stack)


def test_asleep_a_request_past_its_queue_is_told(stack) -> None:
    account, name = stack.account, f"{ENDPOINT}-no-capacity"

    def state() -> str:
        (alarm,) = account.boto("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateValue"])

    assert state() != "ALARM"
    bucket, key = stack.outputs["ResultsBucketName"], f"{late_prefix(NAME)}by-hand"
    body = json.dumps({"prompt": "x", "max_tokens": 3}).encode()
    account.boto("s3").put_object(Bucket=bucket, Key=key, Body=body)
    account.boto("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=ENDPOINT, InputLocation=f"s3://{bucket}/{key}", InferenceId="by-hand"
    )
    wait_for(state, lambda seen: seen == "ALARM", "the alarm")
    assert stack.get(NAME)["phase"] == "ASLEEP", "nobody asked the stack"


def test_asleep_it_is_updated_without_an_instance(stack) -> None:
    before = len(stack.account.sagemaker.billed())
    assert stack.apply(NAME, **KIND, scaling=SCALING, serving={"context_tokens": 4096})["ok"]
    stack.until(NAME, "ASLEEP")
    sagemaker = stack.account.boto("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
    assert context_tokens(stack, config) == "4096"
    assert len(stack.account.sagemaker.billed()) == before


def test_a_message_wakes_it_and_is_answered(stack) -> None:
    stack.ask(NAME, {"id": "wakes", "prompt": "x", "max_tokens": 7})
    assert answered(stack, "wakes") == 7
    stack.until(NAME, "AWAKE")
    assert wanted(stack) == 1


def test_a_container_that_dies_is_found_by_its_endpoints_log(stack) -> None:
    stack.until(NAME, "ASLEEP")
    stack.account.sagemaker.break_container(f"{ENDPOINT}/AllTraffic", "CUDA out of memory. Tried")
    stack.ask(NAME, {"id": "crash", "prompt": "x", "max_tokens": 5})
    wait_for(
        lambda: "\n".join(str(message) for message in stack.slack.messages),
        lambda told: "CUDA out of memory" in told,
        "the reason in Slack",
    )
    stack.account.sagemaker.break_container(f"{ENDPOINT}/AllTraffic", None)
    assert answered(stack, "crash") == 5


def test_the_ledger_agrees_with_what_sagemaker_billed(stack) -> None:
    stack.until(NAME, "ASLEEP")
    ledger_agrees(stack)


def test_removed_nothing_of_it_is_left(stack) -> None:
    nothing_left(stack)
