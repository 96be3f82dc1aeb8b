"""Who proves the bytes of a file: the store where it does, and staging itself where it does not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config

from autoscaler.aws.weights import S3WeightStore
from autoscaler.staging import transfer
from autoscaler.staging.errors import IntegrityError
from autoscaler.staging.job import Source
from autoscaler.staging.transfer import stage_file
from tests.embedded.staging_lab import (
    SHARD,
    client,
    keys,
    planned,
    s3,
    server,
    store,
)
from tools.embedded import s3_integrity
from tools.hub import Fault, HubServer

__all__ = ["s3", "server", "store"]


@pytest.fixture
def checking(store: S3WeightStore) -> Iterator[S3WeightStore]:
    """The same S3, as AWS's is."""
    s3_integrity.install()
    yield store
    s3_integrity.uninstall()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that staging hashed itself."""
    counts: list[int] = []

    class Counting:
        def __init__(self, data: bytes = b"") -> None:
            self._digest = hashlib.sha256(data)

        def update(self, data: memoryview) -> None:
            counts.append(len(data))
            self._digest.update(data)

        def hexdigest(self) -> str:
            return self._digest.hexdigest()

    monkeypatch.setattr(transfer, "hashlib", SimpleNamespace(sha256=Counting))
    return counts


def shard(plan: Any) -> Any:
    return next(file for file in plan.files if file.path == SHARD)


def test_a_store_that_checks_is_not_helped(
    server: HubServer, checking: S3WeightStore, hashed: list[int]
) -> None:
    plan = planned(server)
    staged = stage_file(shard(plan), Source.of(plan), client(server), checking)
    assert checking.checks_content
    assert hashed == []
    assert staged.moved_bytes == staged.size_bytes
    found = checking.head(keys(checking)[0])
    assert found is not None
    assert found.sha256 == shard(plan).sha256


def test_it_refuses_other_bytes_itself_and_nothing_is_left(
    server: HubServer, checking: S3WeightStore, hashed: list[int]
) -> None:
    plan = planned(server)
    server.inject(Fault.WRONG_BYTES, SHARD)
    with pytest.raises(IntegrityError, match="S3 refused the bytes: BadDigest"):
        stage_file(shard(plan), Source.of(plan), client(server), checking)
    assert server.fired[Fault.WRONG_BYTES] == 1
    assert (hashed, keys(checking)) == ([], [])


def test_one_that_takes_anything_is_found_out_once_and_proven_for(
    server: HubServer, store: S3WeightStore, hashed: list[int]
) -> None:
    plan = planned(server)
    server.inject(Fault.WRONG_BYTES, SHARD)
    with pytest.raises(IntegrityError, match="its bytes have the SHA-256"):
        stage_file(shard(plan), Source.of(plan), client(server), store)
    assert not store.checks_content
    assert sum(hashed) == shard(plan).size_bytes
    assert keys(store) == [], "neither the file nor the probe"


def test_aws_is_not_asked() -> None:
    for region in "eu-central-1", "cn-north-1":
        aws = boto3.client(
            "s3",
            region_name=region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(signature_version="s3v4"),
            endpoint_url=None,
        )
        assert S3WeightStore(aws, "weights").checks_content
    # A name that only looks like it is tried, and is not there.
    lookalike = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        endpoint_url="http://127.0.0.1:9/x.amazonaws.com",
        config=Config(signature_version="s3v4"),
    )
    with pytest.raises(Exception, match="S3 is not reached"):
        assert S3WeightStore(lookalike, "weights").checks_content
