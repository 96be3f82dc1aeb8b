"""A gateway without a stack behind it: a table in memory, its bucket and queues in moto."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import boto3
import httpx
from moto import mock_aws

from autoscaler.aws.clients import Access
from autoscaler.aws.streaming import ModelStreams
from autoscaler.aws.tickets import Tickets
from autoscaler.gateway.access import ByKey, Key, digest
from autoscaler.gateway.serve import assembled
from tests.gateway import environment, overheard, running
from tests.memory import memory_world
from tests.raw_http import Line, Reply, as_json
from tests.samples import asleep, put

REGION, BUCKET = "us-east-1", "results"
KEYS = {"search": "ask-of-search-7Yq2mN4xW9", "ads": "ask-of-ads-7Yq2mN4xW9"}
NAMES = ("llama", "other")
CHAT = "/v1/chat/completions"
SECONDS = 0.6  # that heads and bodies have in front of `hostile`
SOON = 6.0  # on a busy machine
BYSTANDER_SECONDS = 3.0
KEY = f"Authorization: Bearer {KEYS['search']}".encode()
LATER = b"Prefer: respond-async"
CHUNKED = b"Transfer-Encoding: chunked"
GOOD = json.dumps({"model": "llama", "messages": [{"role": "user", "content": "why?"}]}).encode()


_WAITING = [f"ApproximateNumberOfMessages{which}" for which in ("", "Delayed", "NotVisible")]


@dataclass(frozen=True)
class Alone:
    address: str
    s3: Any
    sqs: Any
    tickets: Tickets
    lines: list[str]  # of its log, as they are written

    def left(self) -> tuple[int, int]:
        """How many requests are stored, and how many messages wait."""
        stored = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="requests/")["KeyCount"]
        waiting = 0
        for name in NAMES:
            url = self.sqs.get_queue_url(QueueName=f"autoscaler-{name}")["QueueUrl"]
            told = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_WAITING)
            waiting += sum(int(told["Attributes"][name]) for name in _WAITING)
        return stored, waiting


@contextmanager
def gateway_alone(**changes: str) -> Iterator[Alone]:
    """Two endpoints that sleep, and a key for each of two tenants."""
    lines: list[str] = []
    with mock_aws(), overheard(lines.append):
        s3, sqs = (boto3.client(name, region_name=REGION) for name in ("s3", "sqs"))
        s3.create_bucket(Bucket=BUCKET)
        world = memory_world()
        for name in NAMES:
            put(world, asleep(name))
            sqs.create_queue(QueueName=f"autoscaler-{name}")
        frozen = SimpleNamespace(access_key="AKID", secret_key="s", token=None)
        credentials: Any = SimpleNamespace(get_frozen_credentials=lambda: frozen)
        streams = ModelStreams("autoscaler", Access(credentials, REGION, "http://127.0.0.1:9"))
        tickets = Tickets("autoscaler", BUCKET, s3, sqs)
        gate = ByKey([Key(digest(key), tenant) for tenant, key in KEYS.items()])
        nobody: Any = None  # no endpoint here keeps answers
        env = environment(**changes)
        app = assembled(env, gate, world, streams, tickets, nobody)
        with running(app, env) as address:
            yield Alone(address, s3, sqs, tickets, lines)


@contextmanager
def memory_below(most_bytes: int) -> Iterator[None]:
    """Fails when Python held more than so much more at any time in between."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most_bytes, f"{peak} bytes were held"


@contextmanager
def hostile() -> Iterator[Alone]:
    """A gateway whose patience with bytes is short."""
    limits = {"HEAD_SECONDS": SECONDS, "BODY_SECONDS": SECONDS, "LAST_READ_SECONDS": SECONDS / 2}
    with gateway_alone(**{f"GATEWAY_{name}": str(value) for name, value in limits.items()}) as one:
        yield one


@contextmanager
def without_a_trace(alone: Alone) -> Iterator[None]:
    """Nothing of what is asked in between is stored or queued, and no key or trouble is logged."""
    before = alone.left()
    alone.lines.clear()
    yield
    after, end = alone.left(), time.monotonic() + BYSTANDER_SECONDS
    while after != before and time.monotonic() < end:  # moto's counts of a moment
        time.sleep(0.05)
        after = alone.left()
    assert after == before, f"{before} stored and queued before, {after} now"
    said = "\n".join(alone.lines)
    assert not [word for word in ("Traceback", "Exception", "internal_error") if word in said]
    assert not [key for key in KEYS.values() if key in said]


def length(number: int | str) -> bytes:
    return f"Content-Length: {number}".encode()


def others_are_answered(alone: Alone) -> None:
    answer = httpx.get(f"{alone.address}/healthz", timeout=BYSTANDER_SECONDS)
    assert answer.status_code == 200


def sent(alone: Alone, *pieces: bytes, end: bool = False) -> Reply:
    """The answer; somebody else is answered before."""
    with Line(alone.address) as line:
        line.send(pieces)
        others_are_answered(alone)
        if end:
            line.end()
        return line.answer()


def refused(reply: Reply, *expected: tuple[int, str]) -> dict[str, Any]:
    """Soon, by one of these statuses and codes, in OpenAI's shape; the error."""
    error = dict(as_json(reply)["error"])
    assert (reply.status, error["code"]) in expected, error
    assert error["message"] and "Traceback" not in error["message"]
    assert reply.headers["x-request-id"].startswith("req-")
    assert reply.seconds < SOON
    return error
