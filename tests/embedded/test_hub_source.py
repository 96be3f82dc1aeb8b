"""An endpoint that loads from the Hub itself, and where the Hub's token does not get to.

The tests of this file are one story on one stack, told in order. The token is a canary: the last
test searches for it in whatever the account keeps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.embedded.overheard import Heard, executions
from tests.embedded.stack import GATED, Stack, deployed, wait_for
from tools.embedded.types import Fault
from tools.hub.faults import Fault as HubFault

CANARY = "hf_canary7Yq2mN4xW9"
NAME, SECOND = "gated", "second"
WANTED = {
    "model": {"id": GATED, "source": "hub"},
    "serving": {"engine": "sglang", "parameters": {"mem-fraction-static": 0.8}},
    "tags": {"cost-centre": "42"},
    "scaling": {"max_copies": 3, "keep_alive": "10m"},  # with each alarm that there may be
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        found.hub.tokens = {CANARY: frozenset([GATED])}
        found.net.watch(CANARY)
        found.account.boto("secretsmanager").put_secret_value(
            SecretId=found.outputs["HubTokenSecretName"], SecretString=CANARY
        )
        yield found


@pytest.fixture(scope="module")
def heard(stack: Stack) -> Heard:
    return Heard(stack)


def environment(stack: Stack, name: str) -> dict[str, str]:
    model = stack.account.boto("sagemaker").describe_model(ModelName=f"autoscaler-{name}")
    return model["PrimaryContainer"]["Environment"]


def test_it_is_pinned_created_and_proved_without_staging(stack: Stack, heard: Heard) -> None:
    """Although the Hub, asked for a file that only pinning reads, wants 200 s first."""
    stack.hub.inject(HubFault.RATE_LIMIT, "tokenizer.json", seconds=200)
    began = stack.account.clock.now()
    answer = stack.apply(NAME, **WANTED)
    assert answer["ok"], answer
    assert any(told.startswith("model.source: ") for told in answer["result"]["warnings"])
    one = stack.until(NAME, "AWAKE")
    assert stack.account.sagemaker.invocations == 1, "the probe"
    assert stack.hub.fired[HubFault.RATE_LIMIT] == 1
    assert (stack.account.clock.now() - began).total_seconds() >= 200
    text = "\n".join(line["text"] for line in one["history"])
    assert re.search(r"Weights of commit [0-9a-f]{12} are pinned on the Hub", text)
    listed = stack.account.boto("s3").list_objects_v2(Bucket=stack.outputs["WeightsBucketName"])
    assert listed["KeyCount"] == 0, "nothing was staged"


def test_the_container_has_repository_commit_and_token(stack: Stack) -> None:
    told = environment(stack, NAME)
    assert told["SM_SGLANG_MODEL_PATH"] == GATED
    assert re.fullmatch(r"[0-9a-f]{40}", told["SM_SGLANG_REVISION"])
    assert told["SM_SGLANG_MEM_FRACTION_STATIC"] == "0.8"
    assert told["HF_TOKEN"] == CANARY, "who may describe the model sees it (docs/security.md)"
    model = stack.account.boto("sagemaker").describe_model(ModelName=f"autoscaler-{NAME}")
    assert "ModelDataSource" not in model["PrimaryContainer"]


def test_a_model_that_is_there_already_is_passed_over(stack: Stack) -> None:
    """As after a reply that was lost: the step is done again."""
    request = {
        "ModelName": f"autoscaler-{NAME}",
        "PrimaryContainer": {"Image": "another"},
        "Tags": [{"Key": "autoscaler:stack", "Value": "autoscaler"}],
    }
    event = {"endpoint": NAME, "generation": 1, "request": request}
    reply = stack.account.boto("lambda").invoke(
        FunctionName="autoscaler-create-model", Payload=json.dumps(event).encode()
    )
    assert json.loads(reply["Payload"].read()) == {"made": False}
    assert environment(stack, NAME)["SM_SGLANG_MODEL_PATH"] == GATED


def test_whatever_it_is_made_of_carries_the_specs_tags(stack: Stack) -> None:
    boto = stack.account.boto
    wanted = {
        "cost-centre": "42",
        "autoscaler:stack": "autoscaler",
        "autoscaler:endpoint": NAME,
        "autoscaler:deletable": "true",
        "team": "unassigned",
    }
    for queue in (f"autoscaler-{NAME}", f"autoscaler-{NAME}-dlq"):
        url = boto("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
        assert boto("sqs").list_queue_tags(QueueUrl=url)["Tags"] == wanted
    alarms = boto("cloudwatch").describe_alarms(AlarmNamePrefix=f"autoscaler-{NAME}-")
    assert len(alarms["MetricAlarms"]) == 3
    for alarm in alarms["MetricAlarms"]:
        tags = boto("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == wanted
    sagemaker = boto("sagemaker")
    arns = [
        sagemaker.describe_model(ModelName=f"autoscaler-{NAME}")["ModelArn"],
        sagemaker.describe_endpoint(EndpointName=f"autoscaler-{NAME}")["EndpointArn"],
        sagemaker.describe_endpoint_config(EndpointConfigName=f"autoscaler-{NAME}")[
            "EndpointConfigArn"
        ],
        sagemaker.describe_inference_component(InferenceComponentName=f"autoscaler-{NAME}")[
            "InferenceComponentArn"
        ],
    ]
    for arn in arns:
        tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == wanted


def test_a_question_is_answered(stack: Stack) -> None:
    stack.ask(NAME, {"id": "one", "prompt": "x", "max_tokens": 5})
    assert stack.result(NAME, "one")["answer"]["usage"]["completion_tokens"] == 5


def test_an_error_of_sagemakers_that_repeats_the_token_is_told_without_it(
    stack: Stack, heard: Heard
) -> None:
    where = "primaryContainer.environment.HF_TOKEN.value"
    echo = f"Value '{CANARY}' at '{where}' failed to satisfy constraint"
    stack.account.front.inject(
        Fault(
            "sagemaker:CreateModel",
            "ValidationException",
            message=echo,
            matching={"ModelName": f"autoscaler-{SECOND}"},
        )
    )
    assert stack.apply(SECOND, **WANTED)["ok"]
    one = stack.until(SECOND, "FAILED")
    fired = [fault for _, fault in stack.account.front.fired if fault.message == echo]
    assert len(fired) == 1, "a refusal is not tried again"
    assert f"Value '***' at '{where}' failed" in json.dumps(one)
    heard.look_at_table()


def test_a_retired_one_leaves_nothing_behind(stack: Stack) -> None:
    for name in (NAME, SECOND):
        assert stack.command("delete", endpoint=name)["ok"]
        stack.until(name, None)
    sagemaker = stack.account.boto("sagemaker")
    assert sagemaker.list_models()["Models"] == []
    assert sagemaker.list_endpoints()["Endpoints"] == []


def test_the_token_is_in_no_history_no_input_no_item_no_event_and_no_log(
    stack: Stack, heard: Heard
) -> None:
    heard.look_at_table()
    messages = wait_for(stack.slack.titles, lambda told: len(told) >= 3, "messages")
    kept = {
        "executions": list(executions(stack)),
        "items": heard.items,
        "events": heard.events(),
        "logs": heard.lines,
        "messages": messages,
    }
    # Each of them holds what it should hold, or the search would find nothing for nothing.
    for what, word in (
        ("executions", "CreateModelWithToken"),
        ("executions", "WaitForHub"),
        ("executions", "SM_SGLANG_REVISION"),
        ("items", GATED),
        ("events", "EndpointCreated"),
        ("logs", SECOND),
        ("messages", NAME),
    ):
        assert any(word in text for text in kept[what]), (what, word)
    for what, texts in kept.items():
        assert [text for text in texts if CANARY in text] == [], what
