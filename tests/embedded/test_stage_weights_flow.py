"""The real `stage_weights` definition in moto's interpreter, over the real handlers.

Handlers run in this process. The life of the whole stack is tested with the embedded account.
"""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import jsonata
import pytest
import yaml
from moto.awslambda.models import LambdaBackend
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata

from tools.hub import Fault, HubServer, Repository, make_repository

DEFINITION = Path("statemachines/stage_weights.asl.yaml")
REPOSITORY = make_repository("acme/tiny-llama", shards=3, shard_bytes=300_000)
SHARD = "model-00002-of-00003.safetensors"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
SUBSTITUTIONS = {
    "PlanStagingFunctionArn": f"{ARN}plan_staging",
    "StageFileFunctionArn": f"{ARN}stage_file",
    "SealStagingFunctionArn": f"{ARN}seal_staging",
    "StageConcurrency": "2",
}


def _evaluate(expression: str) -> Any:
    found = jsonata.Jsonata(expression).evaluate(None)
    return json.loads(json.dumps(found))


def _invoke(
    self: Any, function_name: str, qualifier: Any, body: Any, headers: Any, response_headers: Any
) -> bytes:
    from importlib import import_module

    name = function_name.rpartition(":")[2]
    handler = import_module(f"functions.{name}.app").handler
    context = SimpleNamespace(
        function_name=name,
        memory_limit_in_mb=128,
        invoked_function_arn=function_name,
        aws_request_id="1",
    )
    try:
        return json.dumps(handler(json.loads(body), context)).encode()
    except Exception as error:  # noqa: BLE001 - whatever a handler raises becomes an answer
        response_headers["x-amz-function-error"] = "Unhandled"
        failed = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
        return json.dumps(failed).encode()


def definition() -> str:
    text = DEFINITION.read_text()
    for name, value in SUBSTITUTIONS.items():
        text = text.replace(f"${{{name}}}", value)
    machine = yaml.safe_load(text)
    for retry in _retriers(machine):
        retry["IntervalSeconds"] = 1
    return json.dumps(machine)


def _retriers(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield from part.get("Retry", ())
        for value in part.values():
            yield from _retriers(value)


Run = Callable[..., tuple[str, Any]]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer([REPOSITORY]) as server:
        yield server


@pytest.fixture
def run(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    monkeypatch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
    monkeypatch.setattr(moto_jsonata, "_eval_jsonata", _evaluate)
    monkeypatch.setattr(LambdaBackend, "invoke", _invoke)
    for name, value in {
        "MOTO_PORT": str(port),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "WEIGHTS_BUCKET": "weights",
        "HF_ENDPOINT": hub.endpoint,
        "HUB_TOKEN_SECRET": "hub-token",
        "POWERTOOLS_TRACE_DISABLED": "1",
    }.items():
        monkeypatch.setenv(name, value)
    _forget_wiring()
    urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/reset", data=b"").close()
    s3, flows = boto3.client("s3"), boto3.client("stepfunctions")
    s3.create_bucket(Bucket="weights")
    boto3.client("secretsmanager").create_secret(Name="hub-token", SecretString="unset")
    machine = flows.create_state_machine(
        name="stage-weights",
        definition=definition(),
        roleArn="arn:aws:iam::123456789012:role/flow",
    )["stateMachineArn"]

    def execute(**request: Any) -> tuple[str, Any]:
        execution = flows.start_execution(
            stateMachineArn=machine, name=uuid.uuid4().hex, input=json.dumps(request)
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            seen = flows.describe_execution(executionArn=execution["executionArn"])
            if seen["status"] == "SUCCEEDED":
                return "SUCCEEDED", json.loads(seen["output"])
            if seen["status"] != "RUNNING":
                return seen["status"], {k: seen.get(k, "") for k in ("error", "cause")}
            time.sleep(0.05)
        raise TimeoutError("the execution does not end")

    yield execute
    server.stop()
    _forget_wiring()


def _forget_wiring() -> None:
    from autoscaler.aws import clients
    from autoscaler.runtime import staging

    for cached in (clients.client, staging.store, staging._hub):
        cached.cache_clear()


def stored() -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket="weights").get("Contents", [])
    return sorted(one["Key"] for one in found)


def test_from_a_model_id_to_a_passport_and_then_nothing_moves(run: Run, hub: HubServer) -> None:
    status, told = run(model_id="acme/tiny-llama", revision="main", trust_remote_code=False)
    assert (status, told) == ("SUCCEEDED", told)
    folder = f"acme--tiny-llama/{REPOSITORY.commit}"
    assert told["weights_s3_uri"] == f"s3://weights/models/{folder}/"
    assert told["passport_key"] == f"passports/{folder}.json"
    assert told["commit"] == REPOSITORY.commit
    assert told["already_staged"] is False
    assert told["moved_bytes"] == told["total_bytes"] > 800_000
    assert len(stored()) == told["file_count"] + 1

    # as `deploy_endpoint` asks: the spec's own `model:` part
    status, again = run(id="acme/tiny-llama", revision="main", trust_remote_code=False)
    assert status == "SUCCEEDED"
    assert again["already_staged"] is True
    assert again["moved_bytes"] == 0
    assert again["digest"] == told["digest"]


def test_trouble_that_passes_is_retried_by_the_machine(run: Run, hub: HubServer) -> None:
    hub.inject(Fault.SERVER_ERROR, SHARD, times=6)  # one worker's attempts
    status, told = run(model_id="acme/tiny-llama", revision="main")
    assert (status, hub.fired[Fault.SERVER_ERROR]) == ("SUCCEEDED", 6), told


def test_wrong_bytes_fail_with_their_cause_and_leave_nothing(run: Run, hub: HubServer) -> None:
    hub.inject(Fault.WRONG_BYTES, SHARD)
    status, told = run(model_id="acme/tiny-llama", revision="main")
    assert hub.fired[Fault.WRONG_BYTES] == 1
    assert (status, told["error"]) == ("FAILED", "IntegrityError")
    assert f"{SHARD}: its bytes have the SHA-256" in told["cause"]
    assert stored() == []


REFUSED = [
    ({"model_id": "nobody/nothing"}, "ModelNotFoundError", "nobody/nothing"),
    ({"model_id": "acme/tiny-llama", "revision": "v9"}, "RevisionNotFoundError", "v9"),
    ({"model_id": "acme/gated"}, "GatedModelError", "put a read token into"),
    ({"model_id": "acme/pickled"}, "UnsafeFormatError", "pickled"),
    ({"model_id": "acme/coded"}, "UnsafeFormatError", "trust_remote_code"),
    ({"model_id": "../etc"}, "ValidationError", "model_id"),
]


@pytest.mark.parametrize(("request_", "error", "word"), REFUSED, ids=lambda v: str(v)[:40])
def test_refusals_are_named(
    run: Run, hub: HubServer, request_: dict[str, str], error: str, word: str
) -> None:
    hub.add(make_repository("acme/gated", shards=1, shard_bytes=200_000, gated=True))
    hub.add(Repository.of("acme/pickled", {"pytorch_model.bin": b"x" * 99, "config.json": b"{}"}))
    weights = {p: b"".join(f.blocks()) for p, f in REPOSITORY.files.items()}
    hub.add(Repository.of("acme/coded", {**weights, "config.json": b'{"auto_map": {}}'}))
    status, told = run(**request_)
    assert (status, told["error"]) == ("FAILED", error)
    assert word in told["cause"]
    assert stored() == []
