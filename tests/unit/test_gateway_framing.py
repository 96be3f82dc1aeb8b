"""Hostile bodies and framing, with a gateway that serves: refused by name, soon, in little memory,
and nobody else waits for it."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.datastructures import Headers

from autoscaler.gateway.bodies import MOST_BYTES, MOST_UNFINISHED_BYTES, Bodies
from autoscaler.gateway.errors import GatewayError
from tests.gateway_alone import (
    CHAT,
    CHUNKED,
    GOOD,
    KEY,
    LATER,
    SECONDS,
    Alone,
    gateway_alone,
    hostile,
    length,
    memory_below,
    others_are_answered,
    refused,
    sent,
    without_a_trace,
)  # fmt: skip
from tests.raw_http import Line, chunk, head

PIECE = b"x" * 65536
SECOND = head("/v1/models", KEY, method="GET")


@pytest.fixture(scope="module")
def alone() -> Iterator[Alone]:
    with hostile() as one:
        yield one


@pytest.fixture(autouse=True)
def traceless(request: pytest.FixtureRequest, alone: Alone) -> Iterator[None]:
    if "takes" in request.node.name:
        yield
        return
    with without_a_trace(alone):
        yield


def listens_no_more(line: Line, piece: bytes) -> bool:
    """Whether a sender who goes on is cut."""
    while not line.old:
        try:
            line.socket.sendall(piece)
        except ConnectionError:
            return True
    return False


@pytest.mark.parametrize(
    "pieces",
    [
        (head(CHAT, KEY, LATER, length(len(GOOD))), GOOD),
        (head(CHAT, KEY, LATER, CHUNKED), chunk(GOOD[:9]), chunk(GOOD[9:]), chunk(b"")),
        (head(CHAT, KEY, LATER, CHUNKED), *(chunk(bytes([b])) for b in GOOD), chunk(b"")),
        (head(CHAT, KEY, LATER, length(len(GOOD)), b"Expect: 100-continue"), GOOD),
    ],
)
def test_it_takes_what_is_right(alone: Alone, pieces: tuple[bytes, ...]) -> None:
    """Or what follows would be refused for nothing."""
    before = alone.left()
    with Line(alone.address) as line:
        for piece in pieces:
            line.socket.sendall(piece)
        assert line.answer().status == 202
    assert alone.left() == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("framing", [length(len(GOOD)), CHUNKED])
def test_a_body_that_trickles_or_never_ends_has_its_time(alone: Alone, framing: bytes) -> None:
    one = (lambda: chunk(b" ")) if framing == CHUNKED else (lambda: b" ")
    with Line(alone.address) as line:
        line.socket.sendall(head(CHAT, KEY, framing))
        others_are_answered(alone)
        line.send((one() for _ in itertools.count()), pause=0.05)
        reply = line.answer()
        refused(reply, (408, "body_too_slow"))
        assert line.closed()
    assert reply.seconds > SECONDS * 0.8


def test_a_body_that_is_shorter_than_was_said_is_refused(alone: Alone) -> None:
    refused(sent(alone, head(CHAT, KEY, length(len(GOOD) + 1)), GOOD), (408, "body_too_slow"))
    refused(
        sent(alone, head(CHAT, KEY, length(len(GOOD) + 1)), GOOD, end=True), (400, "invalid_http")
    )


@pytest.mark.parametrize("number", [MOST_BYTES + 1, 10**15, "9" * 19])
def test_a_body_that_is_said_to_be_too_large_is_refused_before_it_comes(
    alone: Alone, number: int | str
) -> None:
    reply = sent(alone, head(CHAT, KEY, length(number)))
    refused(reply, (413, "too_large"))


def test_chunks_without_end_are_cut_at_the_limit_in_bounded_memory(alone: Alone) -> None:
    piece = chunk(PIECE)
    gc.collect()
    with memory_below(4 * MOST_BYTES), Line(alone.address) as line:
        line.socket.sendall(head(CHAT, KEY, CHUNKED))
        line.send(itertools.repeat(piece))
        others_are_answered(alone)
        reply = line.answer()
        refused(reply, (413, "too_large"))
        assert MOST_BYTES < reply.sent < 8 * MOST_BYTES
        assert listens_no_more(line, piece)


@pytest.mark.parametrize("path", [CHAT, "/healthz", "/v1/models", "/nowhere"])
def test_a_body_that_nobody_reads_is_not_listened_to_for_long(alone: Alone, path: str) -> None:
    """Nobody has said who calls."""
    method = "POST" if path == CHAT else "GET"
    with Line(alone.address) as line:
        line.socket.sendall(head(path, CHUNKED, method=method))
        reply = line.answer()
        assert reply.status in (200, 401, 404)
        assert listens_no_more(line, chunk(b"x"))


@pytest.mark.parametrize(
    "pieces",
    [
        (b"zz\r\nab\r\n0\r\n\r\n",),
        (b"-1\r\nab\r\n0\r\n\r\n",),
        (b"0x2\r\nab\r\n0\r\n\r\n",),
        (b"2\r\nabcd\r\n0\r\n\r\n",),
        (b"fffffffffffffffff\r\n",),
        (b" 2\r\nab\r\n0\r\n\r\n",),
        (b"2\nab\n0\n\n",),
        (b"\r\n",),
    ],
)
def test_chunks_that_are_none_are_refused(alone: Alone, pieces: tuple[bytes, ...]) -> None:
    refused(sent(alone, head(CHAT, KEY, LATER, CHUNKED), *pieces), (400, "invalid_http"))


@pytest.mark.parametrize(
    "headers",
    [
        (length(len(GOOD)), CHUNKED),
        (CHUNKED, length(len(GOOD))),
        (length(len(GOOD)), length(len(GOOD) + 1)),
        (length(len(GOOD)), length(len(GOOD))),
        (length(f"{len(GOOD)}, {len(GOOD)}"),),
        (length(f"+{len(GOOD)}"),),
        (length(f"0x{len(GOOD):x}"),),
        (length(f"-{len(GOOD)}"),),
        (length(""),),
        (b"Content-Length: \xb2",),
        (length("9" * 40),),
        (b"Content-Length : %d" % len(GOOD),),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding: chunked, identity",),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        (b"Transfer-Encoding : chunked",),
        (b"Transfer-Encoding:\x0bchunked",),
        (b"X-A: b\r\n Transfer-Encoding: chunked", b"X\x00: y"),
        (b"X-A: a\nTransfer-Encoding: chunked",),
        (b"X-A: a\rTransfer-Encoding: chunked",),
        (b"X-A: a\x00b",),
        (b"no colon",),
        (b": nameless",),
    ],
)
def test_what_two_servers_would_read_differently_is_refused(
    alone: Alone, headers: tuple[bytes, ...]
) -> None:
    """Nothing behind it on the connection is taken for a second request."""
    with Line(alone.address) as line:
        line.socket.sendall(head(CHAT, KEY, LATER, *headers) + GOOD + SECOND)
        refused(line.answer(), (400, "invalid_http"))
        assert line.closed()


def test_chunks_of_a_version_that_has_none_are_refused(alone: Alone) -> None:
    old = head(CHAT, KEY, LATER, CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0")
    refused(sent(alone, old, chunk(GOOD), chunk(b"")), (400, "invalid_http"))


def test_many_unfinished_bodies_are_bounded_together(alone: Alone) -> None:
    with gateway_alone(GATEWAY_BODY_SECONDS="10") as other, ExitStack() as lines:
        pressed = []
        for _ in range(12):
            line = lines.enter_context(Line(other.address))
            line.socket.sendall(head(CHAT, KEY, length(MOST_BYTES)))
            line.send(itertools.repeat(PIECE, 95))
            pressed.append(line)
        others_are_answered(other)
        reply = pressed[-1].answer()
        refused(reply, (429, "too_many_bodies"))
        assert int(reply.headers["retry-after"]) > 0
    assert other.lines


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([part(PIECE), part(PIECE, more=False)], None),
        ([part(PIECE), {"type": "http.disconnect"}], 400),
        ([part(PIECE)], 408),
        ([part(b"x" * MOST_BYTES), part(b"x")], 413),
        ([part(PIECE), part(PIECE), part(PIECE)], 429),
    ],
    ids=["whole", "broken off", "too slow", "too large", "too much of all"],
)
def test_however_a_body_ends_its_room_is_given_back(
    messages: list[dict[str, Any]], status: int | None
) -> None:
    """Else a gateway would refuse everybody some time after it was started."""
    most = 2 * len(PIECE) if status == 429 else MOST_UNFINISHED_BYTES
    bodies, left = Bodies(seconds=0.2, most_unfinished=most), iter(messages)

    async def receive() -> dict[str, Any]:
        for message in left:
            return message
        await asyncio.sleep(SECONDS)
        raise AssertionError("it was waited for too long")

    answered = None
    try:
        asyncio.run(bodies.read(receive, Headers()))
    except GatewayError as refused:
        answered = refused.status
    assert (answered, bodies.unfinished) == (status, 0)
