"""The deployed `stage_weights` machine over the real handlers, fault by fault."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from werkzeug.wrappers import Request

from tests.embedded.stack import Stack, deployed
from tests.embedded.stage_weights_lab import (
    execute,
    killing,
    large_from,
    published,
    stored,
    uploads,
)
from tools.hub import Fault, Repository, make_repository

SHARD = "model-00002-of-00003.safetensors"
PART = 5 * 1024 * 1024  # S3 takes none that is smaller, but the last one
Run = Callable[..., tuple[str, Any]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), token=None) as found:
        yield found


@pytest.fixture
def run(stack: Stack) -> Run:
    return partial(execute, stack)


def test_from_a_model_id_to_a_passport_and_then_nothing_moves(stack: Stack, run: Run) -> None:
    repository = published(stack, "llama")
    status, told = run(model_id="acme/llama", revision="main", trust_remote_code=False)
    assert status == "SUCCEEDED", told
    folder = f"acme--llama/{repository.commit}"
    bucket = stack.outputs["WeightsBucketName"]
    assert told["weights_s3_uri"] == f"s3://{bucket}/models/{folder}/"
    assert told["passport_key"] == f"passports/{folder}.json"
    assert told["commit"] == repository.commit
    assert told["already_staged"] is False
    assert told["moved_bytes"] == told["total_bytes"] > 800_000
    assert len(stored(stack, "llama")) == told["file_count"] + 1
    assert told["left_out"] == []
    assert uploads(stack) == []

    # as `deploy_endpoint` asks: the spec's own `model:` part
    status, again = run(id="acme/llama", revision="main", trust_remote_code=False)
    assert status == "SUCCEEDED"
    assert again["already_staged"] is True
    assert again["moved_bytes"] == 0
    assert again["digest"] == told["digest"]


def test_what_is_left_out_because_it_runs_code_is_named(stack: Stack, run: Run) -> None:
    contents = {p: b"".join(f.blocks()) for p, f in published(stack, "mixed").files.items()}
    contents |= {"pytorch_model.bin": b"x", "modeling.py": b"x", "logo.png": b"x"}
    stack.hub.add(Repository.of("acme/mixed", contents))
    status, told = run(model_id="acme/mixed", revision="main")
    assert status == "SUCCEEDED", told
    assert told["left_out"] == ["modeling.py", "pytorch_model.bin"]


def test_trouble_that_passes_is_retried_by_the_machine(stack: Stack, run: Run) -> None:
    published(stack, "shaky")
    stack.hub.inject(Fault.SERVER_ERROR, SHARD, times=6)  # one worker's attempts
    status, told = run(model_id="acme/shaky", revision="main")
    assert (status, stack.hub.fired[Fault.SERVER_ERROR]) == ("SUCCEEDED", 6), told


def test_wrong_bytes_fail_with_their_cause_and_leave_nothing(stack: Stack, run: Run) -> None:
    published(stack, "forged")
    stack.hub.inject(Fault.WRONG_BYTES, SHARD)
    status, told = run(model_id="acme/forged", revision="main")
    assert stack.hub.fired[Fault.WRONG_BYTES] == 1
    assert (status, told["error"]) == ("FAILED", "IntegrityError")
    assert f"{SHARD}: S3 refused the bytes: BadDigest" in told["cause"]
    assert stored(stack, "forged") == []
    assert uploads(stack) == []


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.MOVED, Fault.UNAUTHORIZED, Fault.WRONG_SIZE])
def test_one_odd_reply_costs_nothing(stack: Stack, run: Run, fault: Fault) -> None:
    name = f"odd-{fault.value.replace('_', '-')}"
    published(stack, name)
    before = stack.hub.fired[fault]
    stack.hub.inject(fault, SHARD)
    status, told = run(model_id=f"acme/{name}", revision="main")
    assert (status, stack.hub.fired[fault] - before) == ("SUCCEEDED", 1), told


def test_replies_that_stay_odd_fail_loudly_and_keep_what_is_proven(stack: Stack, run: Run) -> None:
    published(stack, "strange")
    stack.hub.inject(Fault.FOREIGN_REDIRECT, SHARD)  # refused at once: nobody follows it
    status, told = run(model_id="acme/strange", revision="main")
    assert stack.hub.fired[Fault.FOREIGN_REDIRECT] == 1
    assert (status, told["error"]) == ("FAILED", "HubReplyError")
    assert "not an allowed host" in told["cause"]
    kept = stored(stack, "strange")
    assert kept
    assert not [key for key in kept if key.startswith("passports/") or key.endswith(SHARD)]
    moved = stack.hub.fired.total()
    status, told = run(model_id="acme/strange", revision="main")
    assert (status, stack.hub.fired.total()) == ("SUCCEEDED", moved)
    assert told["moved_bytes"] < told["total_bytes"], "what lay there was not moved again"


@pytest.mark.parametrize("target", ["tree", SHARD])
def test_nobody_asks_again_sooner_than_told(stack: Stack, run: Run, target: str) -> None:
    """200 s are more than a worker waits by itself; the state machine does."""
    name = "told-tree" if target == "tree" else "told-file"
    published(stack, name)
    before = stack.hub.fired[Fault.RATE_LIMIT]
    stack.hub.inject(Fault.RATE_LIMIT, target, seconds=200)
    began = stack.account.clock.now()
    status, told = run(model_id=f"acme/{name}", revision="main")
    assert (status, stack.hub.fired[Fault.RATE_LIMIT] - before) == ("SUCCEEDED", 1), told
    assert (stack.account.clock.now() - began).total_seconds() >= 200


def test_a_wait_that_nobody_waits_for_is_told(stack: Stack, run: Run) -> None:
    published(stack, "told-day")
    before = stack.hub.fired[Fault.RATE_LIMIT]
    stack.hub.inject(Fault.RATE_LIMIT, "revision", seconds=86400)
    status, told = run(model_id="acme/told-day", revision="main")
    assert (status, told["error"]) == ("FAILED", "HubBusyError")
    assert stack.hub.fired[Fault.RATE_LIMIT] - before == 1, "and it was not asked again"


def test_a_worker_that_is_killed_is_followed_by_another(stack: Stack, run: Run) -> None:
    published(stack, "killed")
    asked = len(stack.hub.seen)
    stack.hub.bytes_per_second = 50_000
    try:
        threading.Timer(3, lambda: setattr(stack.hub, "bytes_per_second", None)).start()
        with killing(
            stack, lambda: any(seen.place == "cdn" for seen in stack.hub.seen[asked:])
        ) as killed:
            status, told = run(model_id="acme/killed", revision="main")
    finally:
        stack.hub.bytes_per_second = None
    assert killed, "no worker was there to be killed"
    assert status == "SUCCEEDED", told
    assert uploads(stack) == []


def test_who_follows_the_killed_one_sends_no_part_of_a_large_file_again(
    stack: Stack, run: Run
) -> None:
    repository = published(stack, "huge", shards=1, shard_bytes=3 * PART - 1_000_000)
    (shard,) = [path for path in repository.files if path.endswith(".safetensors")]
    sent: list[str] = []

    def look(_service: str, request: Request) -> None:
        if request.method == "PUT" and "partNumber" in request.args:  # by a presigned address
            sent.append(request.args["partNumber"])

    stack.account.front.on_request.append(look)
    stack.hub.bytes_per_second = 6_000_000
    try:
        with large_from(stack, 1_000_000, PART), killing(stack, lambda: "2" in sent) as killed:
            status, told = run(model_id="acme/huge", revision="main")
    finally:
        stack.hub.bytes_per_second = None
        stack.account.front.on_request.remove(look)
    assert killed, "no worker was there to be killed"
    assert status == "SUCCEEDED", told
    assert sent.count("1") == 1 and set(sent) == {"1", "2", "3"}
    key = f"models/acme--huge/{repository.commit}/{shard}"
    whole = stack.account.boto("s3").get_object(Bucket=stack.outputs["WeightsBucketName"], Key=key)
    assert hashlib.sha256(whole["Body"].read()).hexdigest() == repository.files[shard].sha256
    assert not [key for key in stored(stack, "huge") if key.startswith("checkpoints/")]
    assert uploads(stack) == []


def test_a_refusal_ends_the_uploads_of_all_that_was_under_way(stack: Stack, run: Run) -> None:
    """One large file breaks off and could be gone on with; the other one has wrong bytes."""
    published(stack, "halves", shards=2, shard_bytes=2_000_000)
    first, second = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
    begun: set[str] = set()

    def look(service: str, request: Request) -> None:
        if service == "s3" and request.method == "POST" and "uploads" in request.args:
            begun.add(request.path.rpartition("/")[2])

    stack.account.front.on_request.append(look)
    stack.hub.inject(Fault.FOREIGN_REDIRECT, first, times=50)
    stack.hub.inject(Fault.WRONG_BYTES, second)
    before = stack.hub.fired[Fault.FOREIGN_REDIRECT], stack.hub.fired[Fault.WRONG_BYTES]
    try:
        with large_from(stack, 1_000_000, PART):
            status, told = run(model_id="acme/halves", revision="main")
    finally:
        stack.account.front.on_request.remove(look)
    assert stack.hub.fired[Fault.FOREIGN_REDIRECT] > before[0]
    assert stack.hub.fired[Fault.WRONG_BYTES] == before[1] + 1
    assert (status, told["error"]) == ("FAILED", "IntegrityError")
    assert begun == {first, second}
    assert stored(stack, "halves") == []
    assert uploads(stack) == []


def test_the_accounts_s3_checks_what_it_is_told(stack: Stack) -> None:
    """Without this, every test of integrity here would prove nothing."""
    bucket, body = stack.outputs["WeightsBucketName"], b"weights"
    s3 = stack.account.boto("s3")
    declared = base64.b64encode(hashlib.sha256(b"other weights").digest()).decode()
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=bucket, Key="acme--digest", Body=body, ChecksumSHA256=declared)
    assert stored(stack, "digest") == []


def test_an_endpoint_refuses_weights_without_their_own_passport(stack: Stack, run: Run) -> None:
    published(stack, "proof")
    status, proof = run(model_id="acme/proof", revision="main")
    assert status == "SUCCEEDED", proof
    stack.hub.bytes_per_second = 1_000  # the endpoint stays in STAGING meanwhile
    try:
        applied = stack.apply("proofless")
        assert applied["ok"], applied
        asked = {"endpoint": "proofless", "generation": applied["result"]["generation"]}
        bucket = stack.outputs["WeightsBucketName"]
        lies = {"weights_s3_uri": f"s3://{bucket}/models/a--b/c/"}
        proven = {"weights_s3_uri": proof["weights_s3_uri"]}
        for told, error in (
            (lies, "PassportMissingError"),
            (proven, "PassportInvalidError"),  # of another model
        ):
            reply = stack.account.boto("lambda").invoke(
                FunctionName="autoscaler-plan-deployment", Payload=json.dumps({**asked, **told})
            )
            answer = json.loads(reply["Payload"].read())
            assert answer.get("errorType") == error, answer
    finally:
        stack.hub.bytes_per_second = None
    stack.command("delete", endpoint="proofless")


REFUSED = [
    ({"model_id": "nobody/nothing"}, "ModelNotFoundError", "nobody/nothing"),
    ({"model_id": "acme/safe", "revision": "v9"}, "RevisionNotFoundError", "v9"),
    ({"model_id": "acme/gated"}, "GatedModelError", "put a read token into"),
    ({"model_id": "acme/pickled"}, "UnsafeFormatError", "pickled"),
    ({"model_id": "acme/coded"}, "UnsafeFormatError", "trust_remote_code"),
    ({"model_id": "../etc"}, "ValidationError", "model_id"),
]


@pytest.mark.parametrize(("request_", "error", "word"), REFUSED, ids=lambda v: str(v)[:40])
def test_refusals_are_named(
    stack: Stack, run: Run, request_: dict[str, str], error: str, word: str
) -> None:
    safe = published(stack, "safe")
    stack.hub.add(make_repository("acme/gated", shards=1, shard_bytes=200_000, gated=True))
    stack.hub.add(
        Repository.of("acme/pickled", {"pytorch_model.bin": b"x" * 99, "config.json": b"{}"})
    )
    weights = {path: b"".join(file.blocks()) for path, file in safe.files.items()}
    stack.hub.add(Repository.of("acme/coded", {**weights, "config.json": b'{"auto_map": {}}'}))
    status, told = run(**request_)
    assert (status, told["error"]) == ("FAILED", error)
    assert word in told["cause"]
    for name in ("safe", "gated", "pickled", "coded"):
        assert stored(stack, name) == []
