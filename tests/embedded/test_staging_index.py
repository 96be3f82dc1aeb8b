"""What lies in the bucket already is copied there: proven, and only as what it was checked."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from autoscaler.aws.weights import S3WeightStore
from autoscaler.staging.errors import IntegrityError, UploadGoneError
from autoscaler.staging.job import Source
from autoscaler.staging.passport import seal
from autoscaler.staging.transfer import stage_file
from tests.embedded.staging_lab import (
    REPOSITORY,
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
from tools.hub import HubServer, Repository


def test_a_header_is_checked_whatever_the_same_bytes_were_before(
    server: HubServer, store: S3WeightStore
) -> None:
    """A large text of the same SHA-256 was sealed: as a text, nobody had looked at its header."""
    malformed = (2**40).to_bytes(8, "little") + b"x" * 11_000_000
    shard = b"".join(REPOSITORY.files[SHARD].blocks())
    server.add(Repository.of("acme/text", {"notes.txt": malformed, "m.safetensors": shard}))
    plan = planned(server, "acme/text")
    stage_all(plan, client(server), store)
    seal(plan, store)
    text = Repository.of("acme/text-again", {"other.txt": malformed, "m.safetensors": shard})
    server.add(text)
    again = stage_all(planned(server, "acme/text-again"), client(server), store)
    assert [file.copied for file in again] == [True, True], "as a text it may be copied"

    server.add(Repository.of("evil/model", {"model.safetensors": malformed}))
    plan = planned(server, "evil/model")
    with pytest.raises(IntegrityError, match="claims 1099511627776 bytes"):
        stage_file(plan.files[0], Source.of(plan), client(server), store)
    assert [key for key in keys(store) if "evil--model" in key] == []


def test_another_prefix_of_the_bucket_is_copied_from_and_small_files_too(
    s3: Any, server: HubServer, store: S3WeightStore
) -> None:
    plan, hub = planned(server), client(server)
    team_a, team_b = (S3WeightStore(s3, store._bucket, f"team/{name}/") for name in "ab")
    stage_all(plan, hub, team_a)
    seal(plan, team_a)
    asked = len(server.seen)
    staged = stage_all(plan, hub, team_b)
    assert {(file.copied, file.moved_bytes) for file in staged} == {(True, 0)}
    assert len(server.seen) == asked, "the Hub was not asked for a byte"
    passport = seal(plan, team_b)
    assert {f.path: f.sha256 for f in passport.files} == {
        f.path: REPOSITORY.files[f.path].sha256 for f in plan.files
    }


def test_a_copy_that_somebody_elses_seal_ends_is_moved_instead(
    server: HubServer, store: S3WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, hub = planned(server), client(server)
    stage_all(plan, hub, store)
    seal(plan, store)

    def ended(_store: S3WeightStore, _source: str, key: str, *_: Any) -> None:
        raise UploadGoneError(f"{key}: NoSuchUpload")

    monkeypatch.setattr(S3WeightStore, "copy", ended)
    elsewhere = dataclasses.replace(Source.of(plan), prefix="models/elsewhere/")
    staged = stage_file(one(plan), elsewhere, hub, store)
    assert (staged.copied, staged.moved_bytes) == (False, one(plan).size_bytes)


def test_a_changed_small_file_is_not_copied(server: HubServer, store: S3WeightStore) -> None:
    plan, hub = planned(server), client(server)
    stage_all(plan, hub, store)
    seal(plan, store)
    key = f"{plan.prefix}config.json"
    store.put_bytes(key, b"!" * one(plan, "config.json").size_bytes)
    elsewhere = dataclasses.replace(Source.of(plan), prefix="models/elsewhere/")
    staged = stage_file(one(plan, "config.json"), elsewhere, hub, store)
    assert (staged.copied, staged.sha256) == (False, REPOSITORY.files["config.json"].sha256)


def test_a_copy_inside_the_store_keeps_its_checksum(
    server: HubServer, store: S3WeightStore
) -> None:
    plan = planned(server)
    staged = stage_file(one(plan), Source.of(plan), client(server), store)
    elsewhere = "models/elsewhere/x.safetensors"
    store.copy(plan.prefix + SHARD, elsewhere, staged.size_bytes, staged.sha256)
    copied = store.head("models/elsewhere/x.safetensors")
    assert copied is not None
    assert (copied.size_bytes, copied.sha256) == (staged.size_bytes, staged.sha256)
