"""The user's own scanner has the last word before staged weights are released."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.kernel_lab import MACHINE_ROLE
from tests.embedded.stack import Stack, deployed, wait_for
from tools.cli.staging import Order, stage_from_here
from tools.hub import make_repository

SCANNER = "arn:aws:lambda:us-east-1:123456789012:function:my-scanner"
CODE = """
import os

def scan(event, context):
    assert event["files"] and event["prefix"].startswith("models/"), event
    if "bad" in event["model_id"]:
        return {"verdict": "refused", "reason": "found a signature in " + event["files"][0]}
    if "silent" in event["model_id"]:
        return None
    if "broken" in event["model_id"]:
        raise KeyError("no rules")
    return {"verdict": "clean"}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("scanner")
    (folder / "scanner.py").write_text(CODE)
    with deployed(tmp_path_factory.mktemp("account"), ScannerFunctionArn=SCANNER) as found:
        found.account.runtime.define(
            "my-scanner", folder, {"Handler": "scanner.scan", "Timeout": 30, "Role": MACHINE_ROLE}
        )
        yield found


def stage(stack: Stack, name: str) -> tuple[str, dict[str, Any], list[str]]:
    """How it ended, what was told, and the keys of the model."""
    stack.hub.add(make_repository(f"acme/{name}", shards=1, shard_bytes=200_000))
    flows = stack.account.boto("stepfunctions")
    machines = flows.list_state_machines()["stateMachines"]
    arn = next(m["stateMachineArn"] for m in machines if m["name"].endswith("stage-weights"))
    execution = flows.start_execution(
        stateMachineArn=arn,
        name=uuid.uuid4().hex,
        input=json.dumps({"model_id": f"acme/{name}"}),
    )["executionArn"]
    seen = wait_for(
        lambda: flows.describe_execution(executionArn=execution),
        lambda one: one["status"] != "RUNNING",
        "the execution's end",
    )
    told = json.loads(seen["output"]) if "output" in seen else seen
    bucket = stack.outputs["WeightsBucketName"]
    found = stack.account.boto("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
    return seen["status"], told, [o["Key"] for o in found if f"/acme--{name}/" in o["Key"]]


def test_what_it_finds_clean_is_released_and_the_passport_names_it(stack: Stack) -> None:
    status, told, _ = stage(stack, "good")
    assert status == "SUCCEEDED", told
    body = stack.account.boto("s3").get_object(
        Bucket=stack.outputs["WeightsBucketName"], Key=told["passport_key"]
    )["Body"]
    assert json.loads(body.read())["scanned_by"] == SCANNER


def test_what_it_refuses_is_removed_with_its_reason(stack: Stack) -> None:
    status, told, keys = stage(stack, "bad")
    assert (status, told["error"]) == ("FAILED", "ScannerRefusedError")
    assert "found a signature in " in told["cause"]
    assert keys == []


def test_what_somebody_sealed_beside_it_is_shown_to_it_first(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line seals without asking; the stack does not take that for a release."""
    monkeypatch.setenv("HF_ENDPOINT", stack.hub.endpoint)
    for name, status in (("bad-beside", "FAILED"), ("good-beside", "SUCCEEDED")):
        stack.hub.add(make_repository(f"acme/{name}", shards=1, shard_bytes=200_000))
        place = f"s3://{stack.outputs['WeightsBucketName']}"
        order = Order(f"acme/{name}", "main", place, False, None, 4)
        assert not stage_from_here(stack.account.boto("s3"), order, quiet=True)["already_staged"]
        ended, told, keys = stage(stack, name)
        assert ended == status, told
        if status == "FAILED":
            assert told["error"] == "ScannerRefusedError"
            assert keys == [], "nor may an endpoint find it"
        else:
            assert (told["already_staged"], told["moved_bytes"]) == (False, 0)
            assert stage(stack, name)[1]["already_staged"], "now it stands"


def test_what_it_says_nothing_of_is_not_released(stack: Stack) -> None:
    status, told, keys = stage(stack, "silent")
    assert (status, told["cause"]) == ("FAILED", "the scanner did not say clean")
    assert keys == []


def test_when_it_breaks_nothing_is_released(stack: Stack) -> None:
    status, told, keys = stage(stack, "broken")
    assert (status, told["error"]) == ("FAILED", "KeyError")
    assert not [key for key in keys if key.startswith("passports/")]
