"""An S3 that is busy or breaks: asked again within the budget, and nothing half done is left."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import boto3
import pytest
from botocore.config import Config

from autoscaler.aws.weights import S3WeightStore
from autoscaler.staging.errors import StoreUnavailableError
from autoscaler.staging.hub import HubClient
from autoscaler.staging.job import Source, StagedFile
from autoscaler.staging.plan import plan_staging
from autoscaler.staging.retry import RetryPolicy
from autoscaler.staging.sizes import Sizes
from autoscaler.staging.transfer import stage_file
from benchmarks.staging.s3 import S3Handler
from tools.hub import HubServer, make_repository

MODEL = "acme/llama"
FAST = RetryPolicy(attempts=4, base_seconds=0.001, cap_seconds=0.01, wait_budget_seconds=5)
PART = 5 * 1024 * 1024
SIZES = {"whole": Sizes(), "in parts": Sizes(single_put_bytes=1, part_bytes=PART)}
REPOSITORY = make_repository(MODEL, shards=1, shard_bytes=12_000_000)


@dataclass
class Trouble:
    """What the next uploads of weights meet, and how often it was met."""

    kind: str = ""
    left: int = 0
    fired: int = 0
    objects: dict = field(default_factory=dict)


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def store(trouble: Trouble) -> Iterator[S3WeightStore]:
    class Handler(S3Handler):
        objects = trouble.objects
        uploads = {}

        def do_PUT(self) -> None:
            if trouble.left and ".safetensors" in self.path and "checkpoints" not in self.path:
                trouble.left -= 1
                trouble.fired += 1
                self._break()
            else:
                super().do_PUT()

        def _break(self) -> None:
            if trouble.kind == "reset":
                self.rfile.read(1_000_000)
                self.connection.close()
                self.close_connection = True
                return
            self._body()
            self._answer(503, b"<Error><Code>SlowDown</Code><Message>Reduce it.</Message></Error>")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Resets are ordered."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_address[1]}",
        region_name="us-east-1",
        aws_access_key_id="t",
        aws_secret_access_key="t",
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}),
    )
    yield S3WeightStore(client, "weights")
    server.shutdown()
    server.server_close()


def stage(store: S3WeightStore, sizes: Sizes) -> StagedFile:
    with HubServer([REPOSITORY]) as server:
        hub = HubClient(server.endpoint, policy=FAST)
        plan = plan_staging(hub, hub.resolve(MODEL, "main"), "main")
        return stage_file(plan.files[0], Source.of(plan), hub, store, sizes=sizes)


@pytest.mark.parametrize("how", SIZES)
@pytest.mark.parametrize("kind", ["slow down", "reset"])
def test_a_busy_s3_is_asked_again(store, trouble, kind: str, how: str) -> None:
    trouble.kind, trouble.left = kind, 2
    assert stage(store, SIZES[how]).done
    assert trouble.fired == 2


@pytest.mark.parametrize("how", SIZES)
def test_what_lasts_is_told_and_leaves_no_object(store, trouble, how: str) -> None:
    trouble.kind, trouble.left = "slow down", 100
    with pytest.raises(StoreUnavailableError, match=r"SlowDown Reduce it\."):
        stage(store, SIZES[how])
    assert trouble.fired == FAST.attempts
    assert [key for key in trouble.objects if key.startswith("models/")] == []
