"""Every sample in events/ is what its function really gets: each is replayed on a running stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.embedded.stack import ROOT, Stack, deployed, wait_for

EVENTS = ROOT / "events"
NAME = "deepseek-r1-distill-llama-8b"  # the samples' endpoint
ENDPOINT_FILE = ROOT / "endpoints" / f"{NAME}.yaml"
REPLAYED = {
    "tick": "reconcile",
    "alarm": "reconcile",
    "endpoint_changed": "reconcile",
    "request_waited": "reconcile",
    "request": "dispatch-requests",
    "command": "accept-command",
    "notify": "notify",
    "report": "report-costs",
    "refresh_prices": "refresh-prices",
    "sweep": "sweep-account",
    "held_alerts": "notify",
    "round_failed": "notify",
    "command_apply": "accept-command",
    **{
        name: name.replace("_", "-")
        for name in ("check_names", "create_model", "guard_sleep", "look_at_start", "plan_wake")
    },
    **{name: name.replace("_", "-") for name in ("plan_deployment", "plan_staging")},
    **{name: name.replace("_", "-") for name in ("probe_endpoint", "remove_weights")},
    "record_phase": "record-phase",
    "record_failure": "record-phase",
}
# Addresses that belong to CloudFormation (test_lifecycle deletes a stack with a live one), and what
# only a staging knows (test_stage_weights_flow); test_handlers_survive replays these too.
NOT_REPLAYED = {"stack_deleted", "stack_answered", "stage_file", "seal_staging"}
# Of a wish that is not the newest: nothing is done, and that is said.
OVERTAKEN = ("guard_sleep", "plan_deployment", "plan_wake", "record_failure", "record_phase")


def sample(name: str) -> dict[str, Any]:
    return json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        document = yaml.safe_load(ENDPOINT_FILE.read_text())
        assert found.command("apply", document=document)["ok"]
        found.until(NAME, "AWAKE")
        yield found


def replay(stack: Stack, name: str) -> dict[str, Any]:
    event = sample(name)
    if name == "create_model":  # that of the sample is nobody's, and may not be passed
        roles = stack.account.boto("iam").list_roles()["Roles"]
        (role,) = [one["Arn"] for one in roles if "-EndpointRole-" in one["Arn"]]
        event["request"]["ExecutionRoleArn"] = role
    reply = stack.account.boto("lambda").invoke(
        FunctionName=f"autoscaler-{REPLAYED[name]}", Payload=json.dumps(event).encode()
    )
    answer = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, answer
    return answer


def test_no_sample_is_left_out() -> None:
    there = {path.stem for path in Path(EVENTS).glob("*.json")}
    assert there == set(REPLAYED) | NOT_REPLAYED


@pytest.mark.parametrize("name", ["tick", "alarm", "endpoint_changed", "request_waited"])
def test_whatever_calls_it_reconcile_looks_at_every_endpoint(stack: Stack, name: str) -> None:
    assert replay(stack, name)["endpoints"] == 1


def test_the_sample_request_is_answered(stack: Stack) -> None:
    assert replay(stack, "request") == {"batchItemFailures": []}
    assert stack.result(NAME, "hello-1")["answer"]["usage"]["completion_tokens"] == 64


def test_the_sample_command_is_carried_out(stack: Stack) -> None:
    answer = replay(stack, "command")
    assert (answer["ok"], answer["result"]["endpoint"]) == (True, NAME)
    assert stack.get(NAME)["hold"]["author"] == "ada"


def test_the_sample_alert_reaches_slack(stack: Stack) -> None:
    assert replay(stack, "notify") == {"batchItemFailures": []}
    titles = wait_for(stack.slack.titles, lambda t: any("is awake" in one for one in t), "alert")
    assert f"{NAME} is awake" in "\n".join(titles)


def test_the_sample_order_writes_a_report(stack: Stack) -> None:
    assert set(replay(stack, "report")["uris"]) == {"html", "csv", "json"}


def test_the_sample_sweep_finds_nothing_that_is_nobodys(stack: Stack) -> None:
    swept = replay(stack, "sweep")
    assert (swept["orphans"], swept["gaps"], swept["problems"]) == ([], [], [])


@pytest.mark.parametrize("name", OVERTAKEN)
def test_the_sample_of_a_step_is_told_that_it_was_overtaken(stack: Stack, name: str) -> None:
    assert replay(stack, name)["current"] is False


def test_the_samples_of_other_steps_are_answered(stack: Stack) -> None:
    assert replay(stack, "check_names")["foreign"] == []
    assert replay(stack, "create_model") == {"made": False}, "it is there"
    assert replay(stack, "look_at_start")["verdict"] == "overtaken"
    assert replay(stack, "plan_staging")["already_staged"] is True
    assert replay(stack, "probe_endpoint") == {"output_tokens": 1}
    assert replay(stack, "remove_weights") == {"removed": 0, "kept_for": []}
    assert replay(stack, "held_alerts") == {"messages": 0, "waiting": 0}


def test_the_sample_of_an_endpoint_file_is_applied(stack: Stack) -> None:
    answer = replay(stack, "command_apply")
    assert (answer["ok"], answer["result"]["created"]) == (True, False)


def test_the_sample_of_a_deletion_has_what_cloudformation_sends() -> None:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
    assert set(sample("stack_deleted")) == {
        "RequestType", "ServiceToken", "ResponseURL", "StackId", "RequestId",
        "LogicalResourceId", "PhysicalResourceId", "ResourceType", "ResourceProperties",
    }  # fmt: skip
