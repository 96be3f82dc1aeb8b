"""The asynchronous client of SageMaker's response stream, against a server of its protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from autoscaler.aws import streaming
from autoscaler.aws.clients import Access
from autoscaler.aws.streaming import (
    BrokenStreamError,
    ModelFailedError,
    ModelStreams,
    RefusedByModelError,
)
from autoscaler.gateway.troubles import told
from autoscaler.ports import BusyError, NoCapacityError, NotAllowedError
from tests.samples import spec
from tools.embedded.sagemaker.eventstream import exception, payload_part

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def keys(access_key: str = "AKID") -> SimpleNamespace:
    return SimpleNamespace(access_key=access_key, secret_key="s", token="session")


async def asked(
    answer: Answer, times: int = 1, frozen: Callable[[], SimpleNamespace] = keys
) -> list[bytes]:
    """What comes of a request to a SageMaker that answers so."""
    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    credentials: Any = SimpleNamespace(get_frozen_credentials=frozen)
    streams = ModelStreams("stack", Access(credentials, "eu-west-1", f"http://127.0.0.1:{port}"))
    try:
        for _ in range(times):
            async with await streams.open(spec("llama"), b'{"a": 1}') as stream:
                found = [data async for data in stream]
        return found
    finally:
        await streams.close()
        await runner.cleanup()


def frames(*pieces: bytes, size: int = 10_000) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        whole = b"".join(pieces)
        for at in range(0, len(whole), size):
            await reply.write(whole[at : at + size])
        return reply

    return answer


def refusal(status: int, code: str, **members: Any) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        headers = {"x-amzn-errortype": code}
        return web.json_response(members, status=status, headers=headers)

    return answer


@pytest.mark.parametrize("size", [1, 13, 10_000])
def test_the_payload_comes_out_however_it_is_cut(size: int) -> None:
    answer = frames(payload_part(b"one "), payload_part(b"two"), size=size)
    assert asyncio.run(asked(answer)) == [b"one ", b"two"]


def test_the_request_is_signed_for_its_endpoint_and_connections_are_used_again() -> None:
    seen: list[web.Request] = []
    peers: set[Any] = set()

    async def answer(request: web.Request) -> web.StreamResponse:
        assert await request.read() == b'{"a": 1}'
        seen.append(request)
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return await frames(payload_part(b"x"))(request)

    asyncio.run(asked(answer, times=3))
    assert len(seen) == 3
    assert len(peers) == 1
    request = seen[0]
    assert request.path == "/endpoints/stack-llama/invocations-response-stream"
    assert request.headers["X-Amzn-SageMaker-Inference-Component"] == "stack-llama"
    assert request.headers["X-Amz-Security-Token"] == "session"
    assert "/eu-west-1/sagemaker/aws4_request" in request.headers["Authorization"]


def test_credentials_that_were_renewed_sign_what_is_asked_a_minute_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A role's end after hours, and a gateway runs for weeks."""
    moments, looks = [0.0, 59.0, 61.0], [keys("FIRST"), keys("RENEWED")]
    signed: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        signed.append(request.headers["Authorization"].partition("Credential=")[2].split("/")[0])
        return await frames(payload_part(b"x"))(request)

    monkeypatch.setattr(streaming, "time", SimpleNamespace(monotonic=lambda: moments.pop(0)))
    asyncio.run(asked(answer, times=3, frozen=lambda: looks.pop(0)))
    assert signed == ["FIRST", "FIRST", "RENEWED"]


def test_an_error_in_the_middle_is_told_after_what_came_before() -> None:
    answer = frames(payload_part(b"x"), exception("ModelStreamError", {"Message": "it died"}))
    with pytest.raises(BrokenStreamError, match="ModelStreamError: it died"):
        asyncio.run(asked(answer))


def test_a_connection_that_is_lost_is_a_broken_answer() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        await reply.write(payload_part(b"x"))
        assert request.transport is not None
        request.transport.close()
        return reply

    with pytest.raises(BrokenStreamError, match="the connection to the model was lost"):
        asyncio.run(asked(answer))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal(400, "ValidationError", Message="has no capacity to process this request now"),
         NoCapacityError),
        (refusal(400, "ValidationError", Message="Endpoint x of account 123456789012 not found."),
         NoCapacityError),
        (refusal(400, "ThrottlingException", message="slower"), BusyError),
        (refusal(403, "AccessDeniedException", Message="may not"), NotAllowedError),
        (refusal(424, "ModelError", Message="m", OriginalStatusCode=503, OriginalMessage="full"),
         BusyError),
    ],
)  # fmt: skip
def test_a_refusal_is_the_error_that_the_flows_know(
    answer: Answer, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        asyncio.run(asked(answer))


def test_what_the_model_refuses_keeps_its_status() -> None:
    said = json.dumps({"object": "error", "message": "too long"})
    answer = refusal(424, "ModelError", Message="m", OriginalStatusCode=422, OriginalMessage=said)
    with pytest.raises(RefusedByModelError) as caught:
        asyncio.run(asked(answer))
    assert (caught.value.status, str(caught.value)) == (422, said)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal(424, "ModelError", Message="in account 1", OriginalStatusCode=500,
                 OriginalMessage="CUDA error"),
         "the model failed on it: its container answered 500: CUDA error"),
        (refusal(424, "ModelError", Message="in account 1", OriginalStatusCode=502),
         "the model failed on it: its container answered 502"),
        (refusal(500, "InternalFailure", Message="in account 1"),
         "the model failed on it: SageMaker answered InternalFailure"),
        (refusal(530, "InternalDependencyException", Message="in account 1"),
         "the model failed on it: SageMaker answered InternalDependencyException"),
    ],
)  # fmt: skip
def test_what_the_model_fails_on_is_said_to_whoever_asked(answer: Answer, said: str) -> None:
    with pytest.raises(ModelFailedError) as caught:
        asyncio.run(asked(answer))
    error = told(caught.value)
    assert (error.status, error.code, error.message) == (502, "model_failed", said)


def test_a_right_that_is_missing_is_told_as_one() -> None:
    answer = refusal(403, "AccessDeniedException", Message="arn:aws:... may not")
    with pytest.raises(NotAllowedError) as caught:
        asyncio.run(asked(answer))
    error = told(caught.value)
    assert (error.status, error.code) == (500, "not_allowed")
    assert "arn" not in error.message


def test_a_sagemaker_that_is_not_reached_is_busy() -> None:
    frozen = SimpleNamespace(access_key="AKID", secret_key="s", token=None)
    credentials: Any = SimpleNamespace(get_frozen_credentials=lambda: frozen)
    streams = ModelStreams("stack", Access(credentials, "eu-west-1", "http://127.0.0.1:9"))

    async def ask() -> None:
        try:
            await streams.open(spec("llama"), b"{}")
        finally:
            await streams.close()

    with pytest.raises(BusyError, match="was not reached"):
        asyncio.run(ask())
