"""How many connections there may be, and what becomes of a caller who takes nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from tests.gateway import environment, running
from tests.gateway_alone import Alone, gateway_alone, refused
from tests.raw_http import Line, head

SOON = 10.0  # on a busy machine
_PIECE = b"x" * 65_536


@dataclass
class Endless:
    """Answers until its caller is gone."""

    sent: int = 0  # bytes
    gone: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def left() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            self.gone.set()

        leaving = asyncio.create_task(left())
        while not self.gone.is_set():
            await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
            self.sent += len(_PIECE)
            await asyncio.sleep(0)
        await leaving


@contextmanager
def endless(take_seconds: float) -> Iterator[tuple[Endless, str]]:
    answering = Endless()
    app = Starlette()
    app.mount("/", answering)
    env = environment(GATEWAY_TAKE_SECONDS=str(take_seconds))
    with running(app, env) as address:
        yield answering, address


def caller(address: str) -> socket.socket:
    parts = urlsplit(address)
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    made.connect((parts.hostname, parts.port))
    made.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    return made


def test_an_answer_that_nobody_takes_is_ended() -> None:
    with endless(0.5) as (answering, address), caller(address):
        assert answering.gone.wait(SOON), f"still answering after {answering.sent} bytes"


def test_a_caller_who_takes_it_slowly_goes_on() -> None:
    """Kernels hold megabytes between the two: he has to take some of them in the time."""
    with endless(2.0) as (answering, address), caller(address) as slow:
        end, taken = time.monotonic() + 5.0, 0
        while time.monotonic() < end:
            taken += len(slow.recv(65_536))
            time.sleep(0.002)
        assert taken < answering.sent  # he is behind all the while
        assert not answering.gone.is_set(), f"cut off after {taken} bytes"


@pytest.fixture
def few() -> Iterator[Alone]:
    with gateway_alone(GATEWAY_MOST_CONNECTIONS="3") as one:
        yield one


def test_one_connection_too_many_is_told_and_closed(few: Alone) -> None:
    lines = [Line(few.address) for _ in range(3)]
    try:
        with Line(few.address) as late:
            reply = late.answer()
            refused(reply, (503, "too_many_connections"))
            assert int(reply.headers["retry-after"]) > 0
            assert late.closed()
    finally:
        for line in lines:
            line.socket.close()
    end = time.monotonic() + SOON
    while True:  # the places of those who went are free again
        with Line(few.address) as again:
            again.send([head("/healthz", method="GET")])
            if (status := again.answer().status) == 200:
                return
        assert time.monotonic() < end, status
