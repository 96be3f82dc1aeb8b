"""`autoscaler stage` from a stand-in of the Hub into a bucket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner, Result

from autoscaler.staging.errors import StoreUnavailableError
from autoscaler.staging.retry import RetryPolicy
from tools.cli import output, staging
from tools.cli.app import app
from tools.hub import Fault, HubServer, Repository, make_repository
from tools.hub.handlers import HubHandler

MODEL = "acme/tiny-llama"
GATED = "acme/gated-llama"
BUCKET = "weights"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    repositories = [
        make_repository(MODEL, shards=2, shard_bytes=300_000),
        make_repository(GATED, shards=1, shard_bytes=100_000, gated=True),
    ]
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    s3 = ThreadedMotoServer(port=0, verbose=False)
    s3.start()
    _, port = s3.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(output.console, "_width", 200)
    with HubServer(repositories, tokens={"good": frozenset({GATED})}) as hub:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/reset", data=b"").close()
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield hub
    s3.stop()


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
    assert again == {**first, "moved_bytes": 0, "already_staged": True, "seconds": 0.0}
    assert "staged already" in _stage(MODEL, "--to", f"s3://{BUCKET}").stdout


def test_a_person_sees_what_was_moved(hub: HubServer) -> None:
    ran = _stage(MODEL, "--to", f"s3://{BUCKET}/")
    assert ran.exit_code == 0, ran.output
    assert " MB/s); sealed: " in ran.stdout
    assert MODEL in ran.stderr  # the progress bar


def test_weights_lie_under_the_prefix_that_was_asked_for(hub: HubServer) -> None:
    staged = json.loads(_stage(MODEL, "--to", f"s3://{BUCKET}/team/a", "--json").stdout)
    assert f"team/a/{staged['passport']}" in _keys()
    beside = [key for key in _keys() if not key.startswith("team/a/")]
    assert all(key.startswith("contents/") for key in beside), "one index for the whole bucket"
    place = next(key for key in _keys() if key.endswith("config.json")).removesuffix("config.json")
    ran = CliRunner().invoke(app, ["verify", f"s3://{BUCKET}/{place}", "--json"])
    assert json.loads(ran.stdout)["model_id"] == MODEL


def _staged_place() -> str:
    assert _stage(MODEL, "--to", f"s3://{BUCKET}").exit_code == 0
    key = next(key for key in _keys() if key.startswith("models/") and key.endswith("config.json"))
    return f"s3://{BUCKET}/{key.removesuffix('config.json')}"


def _verify(*args: str) -> Result:
    return CliRunner().invoke(app, ["verify", *args])


def test_what_was_staged_is_proven_again(hub: HubServer) -> None:
    place = _staged_place()
    for how, said in (((), "by the checksums that S3 keeps"), (("--deep",), "every byte")):
        ran = _verify(place, *how)
        assert ran.exit_code == 0, ran.output
        assert f"{MODEL} at " in ran.stdout
        assert said in ran.stdout


def test_a_changed_a_missing_and_a_strange_file_are_found(hub: HubServer) -> None:
    place = _staged_place()
    bucket = boto3.resource("s3").Bucket(BUCKET)
    key = next(key for key in _keys() if key.endswith(".safetensors") and "models/" in key)
    content = bytearray(bucket.Object(key).get()["Body"].read())
    content[-1] ^= 0xFF
    bucket.put_object(Key=key, Body=bytes(content))
    ran = _verify(place)
    assert (ran.exit_code, "but was sealed as" in ran.stderr) == (1, True), ran.output
    bucket.Object(key).delete()
    assert "is missing" in _verify(place).stderr
    stranger = key.rsplit("/", 1)[0] + "/stranger.bin"
    bucket.put_object(Key=key, Body=bytes(content))
    bucket.put_object(Key=stranger, Body=b"x")
    assert "stranger.bin is not part of the model" in _verify(place).stderr


def test_what_was_never_sealed_is_not_proven(hub: HubServer) -> None:
    ran = _verify(f"s3://{BUCKET}/models/acme--none/{'0' * 40}/")
    assert (ran.exit_code, "PassportMissingError" in ran.stderr) == (1, True)
    for wrong in ("s3://weights/elsewhere/", "foo", "s3:///models/a/b/", "s3://b/../models/a/b/"):
        ran = _verify(wrong)
        assert (ran.exit_code, ran.stderr) == (
            2, f"{wrong!r} is not s3://BUCKET/models/<model>/<commit>/\n",
        )  # fmt: skip


def test_wrong_content_leaves_nothing_of_the_model(hub: HubServer) -> None:
    hub.inject(Fault.WRONG_BYTES, "model-00002-of-00002.safetensors")
    ran = _stage(MODEL, "--to", f"s3://{BUCKET}", "--files", "1")
    assert hub.fired[Fault.WRONG_BYTES] == 1
    assert (ran.exit_code, _keys()) == (1, [])
    assert ran.stderr.splitlines()[-1].startswith("IntegrityError: ")


def test_ctrl_c_ends_it_at_once_and_the_next_run_goes_on(hub: HubServer) -> None:
    hub.bytes_per_second = 5_000
    running = subprocess.Popen(
        [sys.executable, "-m", "tools.cli", "stage", MODEL, "--to", f"s3://{BUCKET}"],
        env={**os.environ, "PYTHONPATH": "layers/autoscaler"},
        stderr=subprocess.PIPE,
        # Whoever runs the tests in the background has it ignored, and all that they start too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    end = time.monotonic() + 30
    while not any(seen.place == "cdn" for seen in hub.seen):
        assert time.monotonic() < end
        time.sleep(0.05)
    signalled = time.monotonic()
    running.send_signal(signal.SIGINT)
    running.wait(30)
    assert time.monotonic() - signalled < 15, "300 kB at 5 kB/s would take a minute"
    assert running.returncode == 130
    assert not [key for key in _keys() if key.startswith("passports/")]
    hub.bytes_per_second = None
    assert _stage(MODEL, "--to", f"s3://{BUCKET}").exit_code == 0


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
        ((MODEL, "--to", "weights"), 2, "--to: 'weights' is no place in S3"),
        ((MODEL, "--to", "s3://weights/../x"), 2, "write s3://BUCKET"),
        ((MODEL, "--to", "s3://weights", "--connections", "0"), 2, "--connections"),
        ((MODEL, "--to", "s3://"), 2, "write s3://BUCKET"),
        (("acme/none", "--to", "s3://weights"), 1, "ModelNotFoundError: "),
        ((MODEL, "--to", "s3://weights", "--revision", "none"), 1, "RevisionNotFoundError: "),
        ((MODEL, "--to", "s3://absent"), 1, "NoSuchBucket"),
        (("gpt2", "--to", "s3://weights"), 2, "'gpt2' is no model of the Hub: write OWNER/NAME"),
        (("acme/_x", "--to", "s3://weights"), 1, "ModelNotFoundError: "),
        ((MODEL, "--to", "s3://weights", "--revision", "a b"), 2, "is no branch, tag or commit"),
    ],
)
def test_what_cannot_be_staged_is_one_line(
    hub: HubServer, args: tuple[str, ...], code: int, said: str
) -> None:
    ran = _stage(*args)
    assert ran.exit_code == code
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1 or said == "--connections", "typer's own has a frame"
    assert _keys() == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HF_ENDPOINT", "http://hub.example.invalid", "plain http only on loopback"),
        ("HF_ENDPOINT", "nonsense", "not a usable address"),
        ("HF_TOKEN", "hf_a b", "what is in HF_TOKEN is no token"),
        ("HF_TOKEN", "hf_stale", "does not accept the token in HF_TOKEN"),
        ("STAGING_PART_BYTES", "1", "a part has 5 MiB at least"),
        ("STAGING_PART_BYTES", "many", "invalid literal"),
    ],
)
def test_an_environment_that_makes_no_sense_is_one_line(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    ran = _stage(MODEL, "--to", f"s3://{BUCKET}")
    assert ran.exit_code in {1, 2}
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert isinstance(ran.exception, SystemExit)


def test_an_empty_endpoint_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "")
    assert staging.hub_from_here().endpoint == "https://huggingface.co"


@pytest.mark.parametrize(
    "body", ["[" * 200_000, '["x"]', "[null]", '[{"path": 5}]', "{", "[1e400]"]
)
def test_a_hub_that_talks_nonsense_is_one_line(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr("tools.hub.handlers.HubHandler._tree", lambda self, *_: _say(self, body))
    ran = _stage(MODEL, "--to", f"s3://{BUCKET}")
    assert ran.exit_code == 1
    assert ran.stderr.startswith("HubReplyError: ")
    assert len(ran.stderr.splitlines()) == 1


def _say(handler: HubHandler, body: str) -> None:
    handler.answer(200, body.encode(), Content_Type="application/json")


def test_what_is_left_out_and_what_it_costs_is_told(hub: HubServer) -> None:
    contents = {p: b"".join(f.blocks()) for p, f in hub.by_id[MODEL].files.items()}
    contents |= {"pytorch_model.bin": b"x", "modeling.py": b"x"}
    hub.add(Repository.of("acme/mixed", contents))
    ran = _stage("acme/mixed", "--to", f"s3://{BUCKET}", "--files", "2", "--connections", "3")
    assert ran.exit_code == 0, ran.output
    for told in (
        "left out: pytorch_model.bin (pickled: loading it can run code)",
        "left out: modeling.py (code: staged only with trust_remote_code)",
        "with 2 files at a time over 3 connections each",
        "a month",
        "S3 needs no check for free space",
    ):
        assert told in " ".join(ran.stderr.split())


def test_trouble_that_passes_keeps_what_is_proven(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tools.cli.staging.RetryPolicy", lambda **_: RetryPolicy(attempts=2, base_seconds=0.01)
    )
    hub.inject(Fault.HTML, "model-00002-of-00002.safetensors", times=99)
    ran = _stage(MODEL, "--to", f"s3://{BUCKET}", "--files", "1")
    assert ran.exit_code == 1
    assert hub.fired[Fault.HTML] >= 2
    assert "a web page came instead of the file" in ran.stderr
    assert [key for key in _keys() if key.endswith("model-00001-of-00002.safetensors")]
    assert not [key for key in _keys() if key.startswith("passports/")]


def test_without_the_right_to_clear_away_the_refusal_is_still_told(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied: list[str] = []

    def deny(*_: object) -> int:
        denied.append("abort_all")
        raise StoreUnavailableError("AccessDenied")

    monkeypatch.setattr("autoscaler.aws.multipart.S3PartUploads.abort_all", deny)
    hub.inject(Fault.WRONG_BYTES, "model-00002-of-00002.safetensors")
    ran = _stage(MODEL, "--to", f"s3://{BUCKET}", "--files", "1")
    assert (ran.exit_code, denied) == (1, ["abort_all"])
    assert "IntegrityError: " in ran.stderr
    assert "could not be removed: AccessDenied" in " ".join(ran.stderr.split())
