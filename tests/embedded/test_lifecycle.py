"""The whole life of an endpoint, by the template that `sam deploy` puts into an account.

The tests of this file are one story on one stack, told in order.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.wrappers import Request

from autoscaler.ledger.advice import NOTHING
from autoscaler.ledger.notes import ADVICE
from tests.embedded.inventory import inventory, left
from tests.embedded.stack import GATED, Stack, deployed, wait_for
from tests.samples import document
from tools.embedded.kernel.faults import operation_of

NAME = "llama"
OTHER_REGION = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"
OTHER_ACCOUNT = "arn:aws:kms:us-east-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scalling": {}}, "scalling: unknown key; did you mean `scaling`?"),
        ({"scaling": {"min_copies": 3, "max_copies": 2}}, "scaling: min_copies 3 is above"),
        ({"schedule": {"time_zone": "Mars/Olympus"}}, "is not a time zone"),
        ({"instances": {"types": ["ml.g4dn.xlarge"]}}, "instances.types: deepseek-ai/"),
        ({"instances": {"types": ["ml.g5.tiny"]}}, "is not an instance type we know"),
        ({"model": {"id": "nobody/nothing"}}, "model: "),
        ({"model": {"id": GATED}}, "model: "),
        ({"name": "x" * 60}, "name"),
        ({"serving": {"engine": "ollama"}}, "serving.engine: 'ollama' is not one of"),
        ({"serving": {"parameters": {"max_modle": 1}}}, "serving.parameters.max_modle: vllm"),
        ({"serving": {"image": OTHER_REGION}}, "lies in eu-west-1, and SageMaker pulls"),
        ({"encryption": {"kms_key": OTHER_ACCOUNT}}, "encryption.kms_key: the key belongs to"),
    ],
)
def test_a_wrong_file_is_refused_by_field_and_leaves_nothing(stack, changes, words) -> None:
    answer = stack.command("apply", document={**document(NAME), **changes})
    assert not answer["ok"]
    assert words in "\n".join(answer["problems"])
    assert stack.command("get")["result"]["endpoints"] == []
    assert (
        stack.account.boto("sqs")
        .list_queues(QueueNamePrefix="autoscaler-llama")
        .get("QueueUrls", [])
        == []
    )


def test_planning_shows_what_would_be_and_creates_nothing(stack) -> None:
    result = stack.command("plan", document=document(NAME))["result"]
    assert result["created"]
    assert stack.command("get")["result"]["endpoints"] == []


def test_an_applied_endpoint_is_staged_created_and_proved_by_an_answer(stack) -> None:
    assert stack.apply(NAME)["ok"]
    one = stack.until(NAME, "AWAKE")
    assert one["observed_copies"] == 1
    assert stack.account.sagemaker.invocations == 1, "the probe"
    listed = stack.account.boto("s3").list_objects_v2(Bucket=stack.outputs["WeightsBucketName"])
    keys = [item["Key"] for item in listed["Contents"]]
    assert any(key.endswith(".safetensors") for key in keys)
    assert any(key.startswith("passports/") for key in keys)


def test_applying_it_again_changes_nothing(stack) -> None:
    result = stack.apply(NAME)["result"]
    assert (result["created"], result["changes"]) == (False, [])
    assert len(stack.mappings(NAME)) == 1


def test_a_plan_says_which_way_a_change_takes_and_policy_takes_effect_at_once(stack) -> None:
    machines = document(NAME, instances={"types": ["ml.g6e.2xlarge"]})
    assert stack.command("plan", document=machines)["result"]["way"] == "replace"
    changed = stack.apply(NAME, scaling={"max_copies": 2, "keep_alive": "5m"})
    assert [c["field"] for c in changed["result"]["changes"]] == ["scaling.keep_alive"]
    assert len(stack.mappings(NAME)) == 1


def test_a_hold_keeps_it_awake_and_a_release_lets_it_sleep(stack) -> None:
    held = stack.command(
        "hold", endpoint=NAME, seconds=7200, min_copies=1, reason="test", author="ada"
    )
    assert held["ok"]
    stack.account.clock.jump(900)
    time.sleep(1.5)
    assert stack.get(NAME)["phase"] == "AWAKE"
    refused = stack.command("sleep", endpoint=NAME)
    assert "llama is held at 1 copy or more until" in refused["problems"][0]
    assert stack.command("release", endpoint=NAME)["ok"]
    stack.until(NAME, "ASLEEP")


def test_asleep_there_are_no_instances(stack) -> None:
    assert stack.instances() == 0
    assert stack.get(NAME)["observed_instances"] == 0


def test_a_message_wakes_it_and_is_answered(stack) -> None:
    stack.ask(
        NAME, {"id": "first", "messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
    )
    stack.until(NAME, "AWAKE")
    answer = stack.result(NAME, "first")["answer"]
    assert answer["usage"]["completion_tokens"] == 7


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("not json", "is not JSON"),
        ({"id": "no-question"}, "neither `messages` (chat) nor `prompt`"),
        ({"id": "none", "prompt": "x", "max_tokens": -3}, "max_tokens"),
    ],
)
def test_a_message_that_cannot_be_answered_is_kept_with_its_reason(stack, body, words) -> None:
    stack.ask(NAME, body)
    letters = wait_for(lambda: stack.dead_letters(NAME), bool, "a dead letter")
    assert words in letters[0]["MessageAttributes"]["reason"]["StringValue"]
    sqs = stack.account.boto("sqs")
    url = sqs.get_queue_url(QueueName=f"autoscaler-{NAME}-dlq")["QueueUrl"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=letters[0]["ReceiptHandle"])


def test_a_repeated_id_is_not_asked_again(stack) -> None:
    before = stack.account.sagemaker.invocations
    stack.ask(
        NAME, {"id": "first", "messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
    )
    stack.ask(NAME, {"id": "second", "prompt": "new", "max_tokens": 9})
    stack.result(NAME, "second")
    assert stack.account.sagemaker.invocations == before + 1
    assert stack.result(NAME, "first")["answer"]["usage"]["completion_tokens"] == 7


def test_the_ledger_agrees_with_what_sagemaker_billed(stack) -> None:
    """It counts from the wish, which comes before SageMaker hears of it by what the controller
    itself takes: real time, here stretched by the account's speed. At the other end it is a tick
    late at most."""
    written = stack.report()
    now = stack.account.clock.time()
    billed = sorted((asked, gone or now) for *_, asked, gone in stack.account.sagemaker.billed())
    wishes = sorted(
        datetime.fromisoformat(line["at"]).timestamp()
        for line in stack.get(NAME)["history"]
        if line["phase"] in ("CREATING", "WAKING")
    )
    counted = 0.0
    for wished, (asked, gone) in zip(wishes, billed, strict=True):
        assert wished <= asked, "no second is billed before it is counted"
        counted += gone - wished
    ledger = float(written["cost_usd"]) / 2.61 * 3600
    assert ledger == pytest.approx(counted, abs=len(billed) * stack.longest_tick)
    assert set(written["uris"]) == {"html", "csv", "json"}


def entered_states(stack: Stack) -> int:
    """States that were entered, and tries of tasks after the first: AWS counts both."""
    machines = stack.account.boto("stepfunctions")
    found = 0
    for machine in machines.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        pages = machines.get_paginator("list_executions").paginate(stateMachineArn=arn)
        for execution in (one for page in pages for one in page["executions"]):
            found += _entered(machines, execution["executionArn"])
    return found


def _entered(machines: Any, execution: str) -> int:
    pages = machines.get_paginator("get_execution_history").paginate(executionArn=execution)
    kinds = Counter(event["type"] for page in pages for event in page["events"])
    entered = sum(n for kind, n in kinds.items() if kind.endswith("StateEntered"))
    return entered + max(0, kinds["TaskScheduled"] - kinds["TaskStateEntered"])


def test_the_report_knows_what_the_controller_itself_used(stack) -> None:
    """Of the transitions it knows how often the machines called the stack's functions. Those of
    the Distributed Map's children are in no history here, and AWS bills them."""
    controller = document_of(stack, stack.report())["controller"]
    assert controller["unknown"] == ["S3 storage, GB"], "S3 tells no size before its first midnight"
    lines = {line["item"]: line for line in controller["lines"]}
    logs, transitions = lines["Logs, GB"], lines["Step Functions transitions"]
    assert logs["known"] == "counted" and float(logs["count"]) > 0
    assert transitions["known"] == "estimated"
    assert float(transitions["count"]) == pytest.approx(entered_states(stack), rel=0.35)


def document_of(stack: Stack, written: Mapping[str, Any]) -> dict[str, Any]:
    key = urlsplit(written["uris"]["json"]).path.lstrip("/")
    bucket = stack.outputs["ReportsBucketName"]
    body = stack.account.boto("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return dict(json.loads(body))


def test_a_weeks_report_replays_what_was_asked(stack) -> None:
    """As it is scheduled, but of the week that runs. Within an hour nothing is worth a change."""
    order = {"period": "week", "running": True, "advice": True}
    notes = document_of(stack, stack.report(**order))["notes"]
    assert NOTHING in notes, "its requests and their answers' times were found"
    assert not [note for note in notes if note.startswith("No advice for")]
    again = document_of(stack, stack.report(period="week", running=True))["notes"]
    assert NOTHING not in again and [note for note in again if note.startswith(ADVICE)]


def test_it_sleeps_again_and_slack_heard_of_everything(stack) -> None:
    stack.until(NAME, "ASLEEP")
    kinds = "\n".join(wait_for(stack.slack.titles, lambda t: len(t) >= 5, "messages"))
    for words in ("is ready", "is asleep", "is waking", "is awake"):
        assert words in kinds
    assert stack.slack.rejected == []


def test_a_deleted_endpoint_leaves_nothing_behind(stack) -> None:
    assert stack.command("delete", endpoint=NAME)["ok"]
    stack.until(NAME, None)
    sagemaker = stack.account.boto("sagemaker")
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_inference_components()["InferenceComponents"] == []
    queues = stack.account.boto("sqs").list_queues(QueueNamePrefix=f"autoscaler-{NAME}")
    assert queues.get("QueueUrls", []) == []
    assert stack.mappings(NAME) == []
    alarms = stack.account.boto("cloudwatch").describe_alarms(AlarmNamePrefix=f"autoscaler-{NAME}-")
    assert alarms["MetricAlarms"] == []
    answer = stack.command("wake", endpoint=NAME)
    assert "there is no endpoint 'llama'" in answer["problems"][0]


def given_to_executions_and_by_them(stack) -> dict[str, str]:
    """From now on: the inputs of executions by their machine, and what functions are given."""
    given: dict[str, str] = {}

    def started(service: str, request: Request) -> None:
        if service == "states" and operation_of(request) == "StartExecution":
            asked = json.loads(request.get_data())
            given[asked["stateMachineArn"].rpartition(":autoscaler-")[2]] = asked["input"]

    def called(function: str, payload: bytes) -> None:
        if function.endswith("answer-stack"):
            given["answer-stack"] = given.get("answer-stack", "") + payload.decode()

    stack.account.front.on_request.append(started)
    stack.account.runtime.on_payload.append(called)
    return given


def test_deleting_the_stack_removes_an_endpoint_that_is_awake_first(stack) -> None:
    assert stack.apply(NAME)["ok"]
    stack.until(NAME, "AWAKE")
    assert stack.instances() == 1
    assert len(stack.mappings(NAME)) == 1, "the first life's is not there any more"
    given = given_to_executions_and_by_them(stack)
    stack.account.boto("cloudformation").delete_stack(StackName="autoscaler")

    def status() -> str:
        return stack.account.engine.stacks["autoscaler"].status

    wait_for(status, lambda s: s != "DELETE_IN_PROGRESS", "the deletion")
    assert status() == "DELETE_COMPLETE", stack.account.engine.stacks["autoscaler"].reason
    assert {"retire-stack", "answer-stack"} <= given.keys()
    assert "http" not in given["retire-stack"] + given["answer-stack"], "the signed URL"
    assert stack.instances() == 0
    after = left(stack.before, inventory(stack.account))
    kept = [stack.outputs[f"{what}BucketName"] for what in ("Reports", "Results", "Weights")]
    assert after == {"buckets": sorted(kept)}, "they hold what is the user's"


def test_the_story_took_place_in_the_accounts_time(stack) -> None:
    assert stack.account.clock.now() > datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
