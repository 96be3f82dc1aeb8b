"""`autoscaler stage` from a stand-in of the Hub into a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from tools.cli import output
from tools.cli.app import app
from tools.hub import HubServer, make_repository

MODEL = "acme/tiny-llama"
GATED = "acme/gated-llama"
BUCKET = "weights"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    repositories = [
        make_repository(MODEL, shards=2, shard_bytes=300_000),
        make_repository(GATED, shards=1, shard_bytes=100_000, gated=True),
    ]
    for name in ("AWS_ENDPOINT_URL", "HF_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(output.console, "_width", 200)
    with mock_aws(), HubServer(repositories, tokens={"good": frozenset({GATED})}) as hub:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield hub


def _stage(*args: str) -> Result:
    return CliRunner().invoke(app, ["stage", *args])


def _keys() -> list[str]:
    return [item.key for item in boto3.resource("s3").Bucket(BUCKET).objects.all()]


def test_weights_are_staged_once_and_sealed(hub: HubServer) -> None:
    ran = _stage(MODEL, "--to", f"s3://{BUCKET}", "--json")
    assert ran.exit_code == 0, ran.output
    first = json.loads(ran.stdout)
    assert not first["already_staged"]
    assert first["moved_bytes"] > 600_000
    assert first["passport"] in _keys()
    assert sum(key.endswith(".safetensors") for key in _keys()) == 2
    again = json.loads(_stage(MODEL, "--to", f"s3://{BUCKET}", "--json").stdout)
    assert again == {**first, "moved_bytes": 0, "already_staged": True}
    assert "staged already" in _stage(MODEL, "--to", f"s3://{BUCKET}").stdout


def test_a_person_sees_what_was_moved(hub: HubServer) -> None:
    ran = _stage(MODEL, "--to", f"s3://{BUCKET}/")
    assert ran.exit_code == 0, ran.output
    assert "bytes moved; sealed: " in ran.stdout
    assert MODEL in ran.stderr  # the progress bar


def test_a_gated_model_wants_a_token(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = _stage(GATED, "--to", f"s3://{BUCKET}")
    assert ran.exit_code == 1
    assert ran.stderr.startswith("GatedModelError: ")
    assert _keys() == []
    monkeypatch.setenv("HF_TOKEN", "good")
    assert _stage(GATED, "--to", f"s3://{BUCKET}").exit_code == 0


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ((MODEL, "--to", "weights"), 2, "--to: 'weights' is not a bucket"),
        ((MODEL, "--to", "s3://weights/prefix"), 2, "write s3://BUCKET"),
        ((MODEL, "--to", "s3://"), 2, "write s3://BUCKET"),
        (("acme/none", "--to", "s3://weights"), 1, "ModelNotFoundError: "),
        ((MODEL, "--to", "s3://weights", "--revision", "none"), 1, "RevisionNotFoundError: "),
        ((MODEL, "--to", "s3://absent"), 1, "NoSuchBucket"),
    ],
)
def test_what_cannot_be_staged_is_one_line(
    hub: HubServer, args: tuple[str, ...], code: int, said: str
) -> None:
    ran = _stage(*args)
    assert ran.exit_code == code
    assert said in ran.stderr
    assert _keys() == []
