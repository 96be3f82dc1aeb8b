"""A stand-in Hub, an S3 of moto's, and the short ways through staging that the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from autoscaler.aws.weights import S3WeightStore
from autoscaler.staging.hub import HubClient
from autoscaler.staging.job import Source, StagedFile
from autoscaler.staging.plan import PlannedFile, StagingPlan, plan_staging
from autoscaler.staging.retry import RetryPolicy
from autoscaler.staging.transfer import stage_file
from tools.hub import HubServer, make_repository

MODEL = "acme/tiny-llama"
FAST = RetryPolicy(attempts=4, base_seconds=0.001, cap_seconds=0.01, wait_budget_seconds=5)
REPOSITORY = make_repository(MODEL, shards=2, shard_bytes=2 * 1024 * 1024)
SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(signature_version="s3v4"),
    )
    server.stop()


@pytest.fixture
def store(s3: Any, request: pytest.FixtureRequest) -> S3WeightStore:
    bucket = f"weights-{abs(hash(request.node.name)) % 10**9}"
    s3.create_bucket(Bucket=bucket)
    return S3WeightStore(s3, bucket)


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer([REPOSITORY]) as running:
        yield running


def client(server: HubServer, **options: Any) -> HubClient:
    return HubClient(server.endpoint, policy=FAST, **{"deadline_seconds": 0.5, **options})


def planned(server: HubServer, model_id: str = MODEL, **options: Any) -> StagingPlan:
    hub = client(server)
    return plan_staging(hub, hub.resolve(model_id, "main"), "main", **options)


def keys(store: S3WeightStore) -> list[str]:
    return [stored.key for stored in store.list("")]


def stage_all(plan: StagingPlan, hub: HubClient, store: S3WeightStore) -> list[StagedFile]:
    return [stage_file(file, Source.of(plan), hub, store) for file in plan.files]


def one(plan: StagingPlan, path: str = SHARD) -> PlannedFile:
    return next(file for file in plan.files if file.path == path)
