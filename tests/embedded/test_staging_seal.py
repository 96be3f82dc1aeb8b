"""The seal and what stands before it: gates, scanners, passports, and what an endpoint takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autoscaler.aws.weights import S3WeightStore
from autoscaler.runtime import staging as runtime
from autoscaler.runtime.making import require_release
from autoscaler.staging.errors import (
    GatedModelError,
    HubUnavailableError,
    IntegrityError,
    PassportInvalidError,
    PassportMissingError,
    StagingError,
    StoreUnavailableError,
    UnsafeFormatError,
    UnsafeNameError,
)
from autoscaler.staging.job import Source
from autoscaler.staging.leftovers import sweep_abandoned
from autoscaler.staging.passport import discard, read_passport, seal, standing_passport
from autoscaler.staging.plan import passport_key
from autoscaler.staging.transfer import stage_file
from tests.embedded.staging_lab import (
    FAST,
    MODEL,
    SHARD,
    client,
    keys,
    one,
    planned,
    stage_all,
)
from tests.embedded.staging_lab import s3 as s3
from tests.embedded.staging_lab import server as server
from tests.embedded.staging_lab import store as store
from tools.hub import Fault, HubServer, Repository


def test_the_seal_refuses_what_is_missing_changed_or_strange(
    server: HubServer, store: S3WeightStore
) -> None:
    plan, hub = planned(server), client(server)
    with pytest.raises(IntegrityError, match="is missing"):
        seal(plan, store)
    stage_all(plan, hub, store)

    store.put_bytes(f"{plan.prefix}extra.json", b"{}")
    with pytest.raises(IntegrityError, match=r"extra\.json is not part of the model"):
        seal(plan, store)
    store.delete(f"{plan.prefix}extra.json")

    for path in (SHARD, "config.json"):
        store.put_bytes(plan.prefix + path, b"!" * one(plan, path).size_bytes)
        with pytest.raises(IntegrityError, match="is not what the Hub lists"):
            seal(plan, store)
        stage_file(one(plan, path), Source.of(plan), hub, store)

    with pytest.raises(PassportMissingError, match="never staged completely"):
        read_passport(store, plan.passport_key)
    seal(plan, store)


def test_a_changed_passport_is_not_one(server: HubServer, store: S3WeightStore) -> None:
    plan = planned(server)
    stage_all(plan, client(server), store)
    passport = seal(plan, store)
    for change in ({"licence": "apache-2.0"}, {"digest": "0" * 64}):
        forged = passport.model_copy(update=change)
        store.put_bytes(passport.key, forged.model_dump_json().encode())
        with pytest.raises(PassportInvalidError, match="changed after it was sealed"):
            read_passport(store, passport.key)
    store.put_bytes(passport.key, b"[]")
    with pytest.raises(PassportInvalidError, match="is not a passport"):
        read_passport(store, passport.key)


@pytest.mark.parametrize(
    ("model_id", "commit"),
    [("acme/other", None), (MODEL, "a" * 40)],
    ids=["another model's", "another commit's"],
)
def test_a_passport_that_lies_where_anothers_should_is_not_believed(
    server: HubServer, store: S3WeightStore, model_id: str, commit: str | None
) -> None:
    """It is whole and says the truth, but of other weights."""
    plan = planned(server)
    stage_all(plan, client(server), store)
    passport = seal(plan, store)
    commit = commit or plan.commit
    key = passport_key(model_id, commit)
    store.put_bytes(key, store.get(passport.key))
    with pytest.raises(PassportInvalidError, match="changed after it was sealed"):
        read_passport(store, key)
    assert standing_passport(store, model_id, commit) is None


def test_discard_clears_a_refused_staging_but_no_sealed_one(
    server: HubServer, store: S3WeightStore
) -> None:
    plan = planned(server)
    stage_file(plan.files[0], Source.of(plan), client(server), store)
    assert discard(plan, store) == 1
    assert keys(store) == []

    stage_all(plan, client(server), store)
    seal(plan, store)
    assert discard(plan, store) == 0
    assert standing_passport(store, MODEL, plan.commit) is not None


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("../up.safetensors", UnsafeNameError),
        ("a%2F..%2F..%2Fb.json", UnsafeNameError),
        ("model.bin", UnsafeFormatError),
        ("modeling.py", UnsafeFormatError),
    ],
)
def test_the_gates_stand_before_every_step(
    server: HubServer, store: S3WeightStore, path: str, error: type[StagingError]
) -> None:
    plan = planned(server)
    file = one(plan).model_copy(update={"path": path})
    asked = len(server.seen)
    with pytest.raises(error):
        stage_file(file, Source.of(plan), client(server), store)
    assert (keys(store), len(server.seen)) == ([], asked)
    stage_all(plan, client(server), store)
    with pytest.raises(error):
        seal(plan.model_copy(update={"files": (*plan.files, file)}), store)
    assert not [key for key in keys(store) if key.startswith("passports/")]


def test_sealing_ends_what_a_killed_worker_left(
    s3: Any, server: HubServer, store: S3WeightStore
) -> None:
    plan = planned(server)
    store.uploads.begin(f"{plan.prefix}{SHARD}", "0" * 64)  # killed before its checkpoint
    stage_all(plan, client(server), store)
    assert len(s3.list_multipart_uploads(Bucket=store._bucket)["Uploads"]) == 1
    seal(plan, store)
    assert s3.list_multipart_uploads(Bucket=store._bucket).get("Uploads", []) == []


def test_what_nobody_took_up_again_is_swept_after_a_week(
    s3: Any, server: HubServer, store: S3WeightStore
) -> None:
    sealed = planned(server)
    stage_all(sealed, client(server), store)
    seal(sealed, store)
    abandoned = f"models/acme--tiny-llama/{'a' * 40}/"
    store.put_bytes(f"{abandoned}config.json", b"{}")
    store.put_bytes(f"checkpoints/{abandoned}{SHARD}.json", b"{}")
    store.put_bytes(f"models/acme--other/{'a' * 40}/config.json", b"{}")
    store.uploads.begin(f"{abandoned}{SHARD}", "0" * 64)
    before = keys(store)
    soon, later = (datetime.now(UTC) + timedelta(days=days) for days in (6, 8))
    assert sweep_abandoned(store, MODEL, soon) == 0
    assert keys(store) == before
    assert sweep_abandoned(store, MODEL, later) == 2
    assert sorted(set(before) - set(keys(store))) == [
        f"checkpoints/{abandoned}{SHARD}.json",
        f"{abandoned}config.json",
    ]
    assert s3.list_multipart_uploads(Bucket=store._bucket).get("Uploads", []) == []
    assert standing_passport(store, MODEL, sealed.commit) is not None


def test_with_a_scanner_only_what_it_has_seen_stands(
    server: HubServer, store: S3WeightStore
) -> None:
    plan, scanner = planned(server), "arn:aws:lambda:us-east-1:123456789012:function:scan"
    stage_all(plan, client(server), store)
    seal(plan, store)
    assert standing_passport(store, MODEL, plan.commit) is not None
    assert standing_passport(store, MODEL, plan.commit, scanner=scanner) is None
    seal(plan, store, scanned_by="another")
    assert standing_passport(store, MODEL, plan.commit, scanner=scanner) is None
    released = seal(plan, store, scanned_by=scanner)
    assert standing_passport(store, MODEL, plan.commit, scanner=scanner) == released
    assert discard(plan, store, scanner) == 0
    assert discard(plan, store, "a new scanner") == len(plan.files), "it said no"


def test_an_endpoint_gets_only_the_weights_that_its_passport_proves(
    server: HubServer, store: S3WeightStore
) -> None:
    plan = planned(server)
    stage_all(plan, client(server), store)
    passport = seal(plan, store)
    proven = f"s3://bucket/{passport.prefix}"
    require_release(passport, MODEL, proven, "bucket", "")
    for model_id, uri, scanner in (
        (MODEL, f"s3://bucket/models/acme--other/{plan.commit}/", ""),
        (MODEL, f"s3://other/{passport.prefix}", ""),
        ("acme/other", proven, ""),
        (MODEL, proven, "arn:scanner"),
    ):
        with pytest.raises(PassportInvalidError):
            require_release(passport, model_id, uri, "bucket", scanner)


def test_a_gated_model_without_a_configuration_is_resolved(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(Repository.of("acme/gguf", {"m.gguf": b"GGUF" + b"x" * 99}, gated=True))
    server.tokens = {"hf_good": frozenset({"acme/gguf"})}
    monkeypatch.setattr(runtime, "hub", lambda: client(server, token="hf_good"))
    server.inject(Fault.SERVER_ERROR, "m.gguf")
    commit = server.by_id["acme/gguf"].commit
    assert runtime.resolve_commit("acme/gguf", "main") == commit
    assert server.fired[Fault.SERVER_ERROR] == 1
    monkeypatch.setattr(runtime, "_WHILE_SOMEBODY_WAITS", FAST)
    server.inject(Fault.SERVER_ERROR, "m.gguf", times=99)
    with pytest.raises(HubUnavailableError, match="acme/gguf"):
        runtime.resolve_commit("acme/gguf", "main")
    monkeypatch.setattr(runtime, "hub", lambda: client(server))
    with pytest.raises(GatedModelError):
        runtime.resolve_commit("acme/gguf", "main")


def test_a_bucket_that_is_not_there(s3: Any, server: HubServer) -> None:
    missing = S3WeightStore(s3, "no-such-bucket-anywhere")
    plan = planned(server)
    with pytest.raises(StoreUnavailableError):
        stage_file(one(plan), Source.of(plan), client(server), missing)
