"""Files that one PutObject does not take: parts, checkpoints, hand-overs, and S3 that checks.

The thresholds are lowered, nothing else: 5 MiB parts of a 23 MB file.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from autoscaler.aws.weights import S3WeightStore
from autoscaler.staging.content_index import pointer_key
from autoscaler.staging.digests import ResumableSha256, crc64nvme, crc64nvme_text
from autoscaler.staging.errors import (
    HubError,
    HubUnavailableError,
    IntegrityError,
    StoreUnavailableError,
)
from autoscaler.staging.hub import HubClient
from autoscaler.staging.job import Source, StagedFile
from autoscaler.staging.large import checkpoint_key
from autoscaler.staging.passport import discard, seal
from autoscaler.staging.plan import PlannedFile, StagingPlan, plan_staging
from autoscaler.staging.proof import prove
from autoscaler.staging.sizes import Sizes
from autoscaler.staging.transfer import stage_file
from autoscaler.staging.verify import verify
from tests.embedded.staging_lab import FAST, keys
from tests.embedded.staging_lab import store as store
from tools.embedded import s3_integrity
from tools.hub import Fault, HubServer, Repository, make_repository

MODEL = "acme/huge"
PART = 5 * 1024 * 1024
SIZES = Sizes(connections=3, single_put_bytes=PART, part_bytes=PART)
REPOSITORY = make_repository(MODEL, shards=1, shard_bytes=23_000_000)
SHARD = "model-00001-of-00001.safetensors"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    s3_integrity.install()
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}),
    )
    server.stop()
    s3_integrity.uninstall()


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer([REPOSITORY]) as running:
        yield running


@pytest.fixture
def hub(server: HubServer) -> HubClient:
    return HubClient(server.endpoint, policy=FAST, deadline_seconds=0.5)


@pytest.fixture
def plan(hub: HubClient) -> StagingPlan:
    return plan_staging(hub, hub.resolve(MODEL, "main"), "main")


def shard(plan: StagingPlan) -> PlannedFile:
    return next(file for file in plan.files if file.path == SHARD)


def stage(
    plan: StagingPlan,
    hub: HubClient,
    store: S3WeightStore,
    parts: int | None = None,
    sizes: Sizes = SIZES,
) -> StagedFile:
    """Stages the shard; with `parts`, the time is up after so many."""
    looks = iter(range(1, 1000))
    return stage_file(
        shard(plan),
        Source.of(plan),
        hub,
        store,
        sizes=sizes,
        time_is_up=lambda: parts is not None and next(looks) >= parts,
    )


def uploads(s3: Any, store: S3WeightStore) -> list[Any]:
    return s3.list_multipart_uploads(Bucket=store._bucket).get("Uploads", [])


def test_a_large_file_is_stored_in_parts_and_proven(s3, store, hub, plan) -> None:
    staged = stage(plan, hub, store)
    key = plan.prefix + SHARD
    content = s3.get_object(Bucket=store._bucket, Key=key)["Body"].read()
    assert hashlib.sha256(content).hexdigest() == staged.sha256 == shard(plan).sha256
    head = s3.head_object(Bucket=store._bucket, Key=key, ChecksumMode="ENABLED")
    whole = crc64nvme_text(crc64nvme(memoryview(content)))
    assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == (whole, "FULL_OBJECT")
    assert head["ETag"].endswith('-5"'), "five parts"
    assert prove(shard(plan), key, store) == staged.sha256
    assert keys(store) == [key], "no checkpoint is left"
    assert uploads(s3, store) == []


def test_a_second_look_moves_nothing(store, hub, plan) -> None:
    stage(plan, hub, store)
    assert stage(plan, hub, store).moved_bytes == 0


def test_when_the_time_is_up_the_next_one_goes_on_where_it_stopped(store, hub, plan) -> None:
    moved, stops = 0, 0
    while not (staged := stage(plan, hub, store, parts=2)).done:
        moved += staged.moved_bytes
        stops += 1
    assert stops == 2, "five parts, two at a time"
    assert prove(shard(plan), plan.prefix + SHARD, store) == shard(plan).sha256
    ahead = (SIZES.connections + 2) * PART
    assert moved + staged.moved_bytes <= shard(plan).size_bytes + stops * ahead


def test_what_is_too_slow_for_one_put_goes_on_in_parts(s3, store, hub, plan) -> None:
    """Of a file that one PutObject takes: without this it began anew with every worker."""
    sizes = Sizes(connections=3, window_bytes=2**20, part_bytes=PART)
    assert shard(plan).size_bytes < sizes.single_put_bytes
    runs: list[StagedFile] = []
    while not runs or not runs[-1].done:
        runs.append(stage(plan, hub, store, parts=3, sizes=sizes))
    assert len(runs) > 2, "no worker had the time for the whole"
    size_bytes = shard(plan).size_bytes
    assert sum(run.moved_bytes for run in runs) > size_bytes, "what was sent in vain is counted"
    assert runs[-1].sha256 == prove(shard(plan), plan.prefix + SHARD, store) == shard(plan).sha256
    assert keys(store) == [plan.prefix + SHARD], "no checkpoint is left"
    assert uploads(s3, store) == []


def test_a_process_that_is_killed_costs_one_part_again(s3, store, server, hub, plan) -> None:
    """The same code in a process of its own, slowed down and killed after its second part."""
    server.bytes_per_second = 6_000_000
    endpoint = s3.meta.endpoint_url
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, server.endpoint, endpoint, store._bucket]
    )
    mark = checkpoint_key(plan.prefix + SHARD)
    _until(lambda: _parts(store, mark) >= 2)
    child.kill()
    child.wait()
    before = _parts(store, mark)
    server.bytes_per_second = None
    sent: list[int] = []
    staged = stage_file(shard(plan), Source.of(plan), hub, store, sizes=SIZES, tell=sent.append)
    assert staged.done
    assert sent[0] == before * PART, "it goes on from the checkpoint"
    assert len(sent) - 1 == 5 - before, "and sends each missing part once"
    assert prove(shard(plan), plan.prefix + SHARD, store) == shard(plan).sha256


_CHILD = """
import sys
sys.path[:0] = ["layers/autoscaler", "."]
import boto3
from botocore.config import Config
from tests.embedded import test_staging_large as t
hub = t.HubClient(sys.argv[1], policy=t.FAST, deadline_seconds=5)
s3 = boto3.client("s3", endpoint_url=sys.argv[2], region_name="us-east-1",
                  aws_access_key_id="t", aws_secret_access_key="t",
                  config=Config(signature_version="s3v4"))
plan = t.plan_staging(hub, hub.resolve(t.MODEL, "main"), "main")
t.stage(plan, hub, t.S3WeightStore(s3, sys.argv[3]))
"""


def _parts(store: S3WeightStore, key: str) -> int:
    try:
        return int(json.loads(store.get(key))["parts"])
    except Exception:  # noqa: BLE001 - not there yet
        return 0


def _until(reached: Any) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)


PASSING = [
    (Fault.RESET, {"after_bytes": 2_000_000}),
    (Fault.TRUNCATE, {"after_bytes": 3_000_000, "times": 2}),
    (Fault.EXPIRED, {}),
    (Fault.STALL, {"after_bytes": 1_000_000, "seconds": 9}),
    (Fault.DRIP, {"after_bytes": 1_000_000, "seconds": 9}),
    (Fault.THROTTLE, {"seconds": 0.2}),
    (Fault.WRONG_RANGE, {}),
    (Fault.IGNORE_RANGE, {}),
    (Fault.HTML, {}),
    (Fault.WRONG_SIZE, {}),
    (Fault.MOVED, {}),
    (Fault.UNAUTHORIZED, {}),
]


@pytest.mark.parametrize(("fault", "order"), PASSING, ids=lambda v: str(v)[:40])
def test_passing_trouble_is_survived(server, store, hub, plan, fault, order) -> None:
    server.inject(fault, SHARD, **order)
    assert stage(plan, hub, store).done
    assert server.fired[fault] == order.get("times", 1)
    assert prove(shard(plan), plan.prefix + SHARD, store) == shard(plan).sha256


def test_wrong_content_leaves_no_object_no_upload_and_no_checkpoint(
    s3, server, store, hub, plan
) -> None:
    server.inject(Fault.WRONG_BYTES, SHARD)
    with pytest.raises(IntegrityError):
        stage(plan, hub, store)
    assert server.fired[Fault.WRONG_BYTES] == 1
    assert (keys(store), uploads(s3, store)) == ([], [])


def test_a_hostile_header_is_refused_with_the_first_part(s3, server, store, hub) -> None:
    hostile = (2**40).to_bytes(8, "little") + b"x" * 12_000_000
    server.add(Repository.of("evil/huge", {SHARD: hostile}))
    plan = plan_staging(hub, hub.resolve("evil/huge", "main"), "main")
    with pytest.raises(IntegrityError, match="claims 1099511627776 bytes"):
        stage(plan, hub, store)
    assert (keys(store), uploads(s3, store)) == ([], [])


@pytest.mark.parametrize("fault", [Fault.FOREIGN_REDIRECT, Fault.UNAUTHORIZED])
def test_odd_replies_cost_nothing_of_what_came(s3, server, store, hub, plan, fault) -> None:
    stage(plan, hub, store, parts=2)
    server.inject(fault, SHARD, times=50)
    with pytest.raises(HubError):
        stage(plan, hub, store)
    assert server.fired[fault] >= 1
    assert _parts(store, checkpoint_key(plan.prefix + SHARD)) == 2


BROKEN_CHECKPOINTS = {
    "no state": {"sha256_state": "AAAA"},
    "a state of other bytes": {"sha256_state": ResumableSha256().state},
    "another content": {"sha256": "0" * 64},
    "parts of another size": {"part_bytes": PART * 2},
    "an upload of nobody": {"parts": 9},
}


@pytest.mark.parametrize("change", BROKEN_CHECKPOINTS.values(), ids=BROKEN_CHECKPOINTS)
def test_a_checkpoint_that_cannot_be_gone_on_from_is_begun_anew(
    s3, store, hub, plan, change
) -> None:
    stage(plan, hub, store, parts=2)
    mark = checkpoint_key(plan.prefix + SHARD)
    store.put_bytes(mark, json.dumps({**json.loads(store.get(mark)), **change}).encode())
    staged = stage(plan, hub, store)
    assert staged.done
    assert staged.moved_bytes == shard(plan).size_bytes
    assert uploads(s3, store) == [], "the upload of the old one is ended"


def test_lasting_trouble_keeps_what_came(s3, server, store, hub, plan) -> None:
    stage(plan, hub, store, parts=2)
    server.inject(Fault.SERVER_ERROR, SHARD, times=50)
    with pytest.raises(HubUnavailableError):
        stage(plan, hub, store)
    assert server.fired[Fault.SERVER_ERROR] >= FAST.attempts
    assert _parts(store, checkpoint_key(plan.prefix + SHARD)) == 2
    assert len(uploads(s3, store)) == 1


def test_an_upload_that_somebody_ended_begins_anew_the_next_time(s3, store, hub, plan) -> None:
    stage(plan, hub, store, parts=2)
    (upload,) = uploads(s3, store)
    s3.abort_multipart_upload(Bucket=store._bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    with pytest.raises(StoreUnavailableError, match="NoSuchUpload"):
        stage(plan, hub, store)
    assert stage(plan, hub, store).done


@pytest.mark.parametrize("times", [1, 2])
def test_a_part_that_another_worker_sent_again_is_no_refusal(s3, store, hub, plan, times) -> None:
    """Two stagings of one file go on from one checkpoint. What S3 says then is InvalidPart."""
    asked: list[int] = []

    def replaced(**_: Any) -> tuple[Any, dict[str, Any]] | None:
        asked.append(1)
        error = {"Error": {"Code": "InvalidPart", "Message": "its tag is another one"}}
        return (SimpleNamespace(status_code=400), error) if len(asked) <= times else None

    s3.meta.events.register("before-call.s3.CompleteMultipartUpload", replaced)
    try:
        if times > 1:  # whoever it is goes on replacing: from the start, the next time
            with pytest.raises(StoreUnavailableError, match="InvalidPart"):
                stage(plan, hub, store)
        assert stage(plan, hub, store).done
    finally:
        s3.meta.events.unregister("before-call.s3.CompleteMultipartUpload", replaced)
    assert uploads(s3, store) == []


def test_discarding_ends_the_upload_and_its_checkpoint(s3, store, hub, plan) -> None:
    stage(plan, hub, store, parts=1)
    discard(plan, store)
    assert (keys(store), uploads(s3, store)) == ([], [])


def test_s3_refuses_a_part_that_is_not_what_was_declared(store, plan) -> None:
    upload = store.uploads.begin("x", "0" * 64)
    part, other = bytearray(b"a" * PART), bytearray(b"b" * PART)
    wrong = crc64nvme_text(crc64nvme(memoryview(other)))
    with pytest.raises(IntegrityError, match="BadDigest"):
        store.uploads.put("x", upload, 1, memoryview(part), wrong)


def test_s3_refuses_a_whole_that_is_not_what_was_declared(store) -> None:
    upload = store.uploads.begin("x", "0" * 64)
    part = memoryview(bytearray(b"a" * PART))
    store.uploads.put("x", upload, 1, part, crc64nvme_text(crc64nvme(part)))
    with pytest.raises(IntegrityError, match="BadDigest"):
        store.uploads.complete("x", upload, 1, crc64nvme_text(7))


def test_a_revision_with_the_same_bytes_is_copied_inside_s3(server, store, hub, plan) -> None:
    for file in plan.files:
        stage_file(file, Source.of(plan), hub, store, sizes=SIZES)
    seal(plan, store)
    changed = {p: b"".join(f.blocks()) for p, f in REPOSITORY.files.items()}
    changed["README.md"] = b"# another revision\n"
    server.add(type(REPOSITORY).of("acme/huge-again", changed))
    again = plan_staging(hub, hub.resolve("acme/huge-again", "main"), "main")
    asked = len(server.seen)
    staged = stage_file(shard(again), Source.of(again), hub, store, sizes=SIZES)
    assert (staged.copied, staged.moved_bytes) == (True, 0)
    assert len(server.seen) == asked, "the Hub was not asked for a byte"
    assert prove(shard(again), again.prefix + SHARD, store) == shard(again).sha256


def test_bytes_exchanged_behind_the_same_declaration_are_found(store, hub, plan) -> None:
    """The SHA-256 of a large object is what somebody declared; S3's own CRC64NVME is not."""
    for file in plan.files:
        stage_file(file, Source.of(plan), hub, store, sizes=SIZES)
    passport = seal(plan, store)
    whole = next(file for file in passport.files if file.path == SHARD)
    stored = store.head(plan.prefix + SHARD)
    assert whole.crc64nvme
    assert whole.crc64nvme == stored.crc64nvme
    assert verify(store, passport.prefix) == passport
    assert [f.path for f in passport.files if f.crc64nvme] == [SHARD], "S3 has the others' SHA-256"

    upload = store.uploads.begin(plan.prefix + SHARD, whole.sha256)
    crc, other = 0, memoryview(bytearray(b"E" * whole.size_bytes))
    numbers = range(1, -(-whole.size_bytes // PART) + 1)
    for number in numbers:
        part = other[(number - 1) * PART : number * PART]
        store.uploads.put(
            plan.prefix + SHARD, upload, number, part, crc64nvme_text(crc64nvme(part))
        )
        crc = crc64nvme(part, crc)
    store.uploads.complete(plan.prefix + SHARD, upload, len(numbers), crc64nvme_text(crc))
    assert store.head(plan.prefix + SHARD).sha256 == whole.sha256, "it still says so"
    with pytest.raises(IntegrityError, match="S3 has another checksum"):
        verify(store, passport.prefix)
    with pytest.raises(IntegrityError, match="S3 has another checksum"):
        seal(plan, store)


def test_a_pointer_that_lies_is_not_believed(store, hub, plan) -> None:
    file = shard(plan)
    store.put_bytes("models/other", b"something else")
    store.put_bytes(pointer_key(file), b"models/other")
    assert not stage(plan, hub, store).copied
    assert prove(file, plan.prefix + SHARD, store) == file.sha256
