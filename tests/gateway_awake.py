"""A gateway in front of a model that is awake, and says whatever a test has it say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import httpx
from moto import mock_aws

from autoscaler.aws.tickets import Tickets
from autoscaler.endpoints.status import EndpointStatus
from autoscaler.gateway.access import ByKey, Key, digest
from autoscaler.gateway.serve import assembled
from autoscaler.spec import EndpointSpec
from tests.gateway import environment, overheard, running
from tests.gateway_alone import BUCKET, REGION
from tests.memory import MemoryWorld, memory_world
from tests.samples import put

KEY = "ask-of-somebody-7Yq2mN4xW9"
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


class SaidModel:
    """Says its `pieces` to whoever asks."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.asked: list[bytes] = []

    async def open(self, _: Any, body: bytes) -> Any:
        self.asked.append(body)
        return self._stream()

    @asynccontextmanager
    async def _stream(self) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._said()

    async def _said(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class Awake:
    client: httpx.Client
    model: SaidModel
    world: MemoryWorld
    s3: Any
    sqs: Any

    def asked(self, body: Any, path: str = CHAT, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=content, headers=headers)

    def chat(self, **changes: Any) -> httpx.Response:
        return self.asked({"model": "llama", "messages": [{"role": "user"}], **changes})


@contextmanager
def gateway_of(
    status: EndpointStatus,
    tenant: str = "",
    wanted: EndpointSpec | None = None,
    kept: Any = None,  # no endpoint here keeps answers, unless `wanted` says so
    model: SaidModel | None = None,
    lines: list[str] | None = None,  # of its log, as they are written
    **changes: str,
) -> Iterator[Awake]:
    hear = (lines if lines is not None else []).append
    with mock_aws(), overheard(hear):
        s3, sqs = (boto3.client(name, region_name=REGION) for name in ("s3", "sqs"))
        s3.create_bucket(Bucket=BUCKET)
        sqs.create_queue(QueueName=f"autoscaler-{status.name}")
        world, model = memory_world(), model or SaidModel()
        put(world, status, wanted)
        tickets, gate = Tickets("autoscaler", BUCKET, s3, sqs), ByKey([Key(digest(KEY), tenant)])
        streams: Any = model
        env = environment(**changes)
        app = assembled(env, gate, world, streams, tickets, kept)
        with running(app, env) as address:
            headers = {"authorization": f"Bearer {KEY}"}
            with httpx.Client(base_url=address, headers=headers, timeout=20) as client:
                yield Awake(client, model, world, s3, sqs)


def event(document: Any) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def said(text: str, finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return event({"id": "c-1", "object": "chat.completion.chunk", "choices": [choice]})


def usage(raw: str) -> bytes:
    return b'data: {"id":"c-1","choices":[],"usage":' + raw.encode() + b"}\n\n"
