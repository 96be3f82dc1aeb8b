"""An account whose stack's functions are stubs, for the command line to talk to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaBackend
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner, Result

from tests.cli_account import talks_to
from tools.cli.app import app

TEMPLATE = {
    "Resources": {"Reports": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "reports"}}},
    "Outputs": {
        "CommandFunctionName": {"Value": "accept-command"},
        "ReportFunctionName": {"Value": "report-costs"},
    },
}
GOOD = "name: llama\nmodel: {id: acme/llama}\ninstances: {types: [ml.g6e.xlarge]}\n"
ENDPOINT = {
    "name": "llama", "team": "research", "phase": "ASLEEP", "generation": 4,
    "phase_since": "2026-11-24T06:00:00Z", "desired_copies": 0, "observed_copies": 0,
    "observed_instances": 0, "instance_type": "ml.g6e.xlarge", "window": None, "backlog": None,
    "bounds": {"min_copies": 0, "max_copies": 2}, "hold": None, "failure": None,
    "retry_at": None, "lead_time_seconds": 404.4, "wakes_today": 2,
    "next_edge": "2026-11-24T07:00:00+00:00",
}  # fmt: skip


@dataclass
class Stub:
    """The stack's functions: keeps what is sent, answers what is set."""

    answer: Any = field(default_factory=lambda: {"ok": True, "result": {}})
    fails: bool = False
    one_by_one: list[Any] = field(default_factory=list)  # answers that come before `answer`
    vanishes: Callable[[], Any] | None = None  # what happens before its functions are gone
    sent: list[dict[str, Any]] = field(default_factory=list)

    def run(self, *args: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, list(args), input=stdin)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}".replace("0.0.0.0", "127.0.0.1")
    server.stop()


@pytest.fixture
def bare(server: str, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """An account without a stack."""
    talks_to(server, monkeypatch)
    stub = Stub()

    def invoke(_self: Any, name: str, _q: Any, body: bytes, _h: Any, headers: Any) -> bytes:
        stub.sent.append({"function": name, **json.loads(body)})
        if stub.vanishes:
            stub.vanishes()
            raise UnknownFunctionException(name)
        if stub.fails:
            headers["x-amz-function-error"] = "Unhandled"
            return json.dumps({"errorType": "KeyError", "errorMessage": "'pk'"}).encode()
        answer = stub.one_by_one.pop(0) if stub.one_by_one else stub.answer
        return json.dumps(answer).encode()

    monkeypatch.setattr(LambdaBackend, "invoke", invoke)
    return stub


@pytest.fixture
def stack(bare: Stub) -> Iterator[Stub]:
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="autoscaler", TemplateBody=json.dumps(TEMPLATE))
    yield bare
    for bucket in boto3.resource("s3").buckets.all():  # none, if the stack has gone
        bucket.objects.all().delete()
    cloudformation.delete_stack(StackName="autoscaler")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "llama.yaml"
    path.write_text(GOOD)
    return path
