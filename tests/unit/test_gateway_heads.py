"""Hostile heads, with a gateway that serves: too large, too slow, odd, or written to be echoed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from autoscaler.gateway.bodies import MOST_BYTES
from autoscaler.gateway.wire import MOST_HEAD_BYTES, MOST_HEADERS, MOST_URL_BYTES
from tests.gateway_alone import (
    CHAT,
    CHUNKED,
    KEY,
    SOON,
    Alone,
    hostile,
    memory_below,
    others_are_answered,
    refused,
    sent,
    without_a_trace,
)  # fmt: skip
from tests.raw_http import Line, head

PIECE = b"x" * 65536


@pytest.fixture(scope="module")
def alone() -> Iterator[Alone]:
    with hostile() as one:
        yield one


@pytest.fixture(autouse=True)
def traceless(alone: Alone) -> Iterator[None]:
    with without_a_trace(alone):
        yield


def test_an_upgrade_is_none(alone: Alone) -> None:
    upgrade = (b"Connection: Upgrade", b"Upgrade: h2c")
    reply = sent(alone, head("/v1/models", KEY, *upgrade, method="GET"))
    assert reply.status == 200
    refused(sent(alone, head("x:1", KEY, method="CONNECT")), (400, "invalid_http"))


@pytest.mark.parametrize("last", [b"", b"\r\n"])
def test_heads_that_are_too_large_are_refused(alone: Alone, last: bytes) -> None:
    large = b"X-A: " + b"a" * (MOST_HEAD_BYTES + 10)
    refused(sent(alone, head(CHAT, large)[:-2] + last), (431, "head_too_large"))
    many = [b"X-%d: a" % number for number in range(MOST_HEADERS + 1)]
    refused(sent(alone, head(CHAT, *many)), (431, "head_too_large"))
    name = head(CHAT)[:-2] + b"a" * (MOST_HEAD_BYTES + 10)
    refused(sent(alone, name), (431, "head_too_large"))
    url = f"/v1/models/{'a' * MOST_URL_BYTES}"
    refused(sent(alone, head(url, method="GET")), (414, "url_too_long"))


@pytest.mark.parametrize("what", ["head", "url", "trailer", "trailers", "extension"])
def test_heads_and_trailers_without_end_are_cut_in_bounded_memory(alone: Alone, what: str) -> None:
    begun = {
        "head": head(CHAT, KEY)[:-2] + b"X-A: ",
        "url": b"GET /",
        "trailer": head(CHAT, KEY, CHUNKED) + b"0\r\nX-A: ",
        "trailers": head(CHAT, KEY, CHUNKED) + b"0\r\n",
        "extension": head(CHAT, KEY, CHUNKED) + b"2;",
    }[what]
    more = b"X-A: a\r\n" * 8192 if what == "trailers" else PIECE
    with memory_below(2 * MOST_BYTES), Line(alone.address) as line:
        line.socket.sendall(begun)
        line.send(itertools.repeat(more))
        others_are_answered(alone)
        reply = line.answer()
        assert reply.status in (400, 414, 431)
        assert reply.sent < 64 * MOST_HEAD_BYTES + 16 * 1024 * 1024
        assert reply.seconds < SOON


@pytest.mark.parametrize(
    "first",
    [
        "FOO /v1/models HTTP/1.1", "get /v1/models HTTP/1.1", "GET /v1/models HTTP/9.9",
        "GET /v1/models", "GET  HTTP/1.1", "GET v1/models HTTP/1.1", "\x16\x03\x01\x02",
        "GET /\xff HTTP/1.1", "GET /v1/mo dels HTTP/1.1", "PRI * HTTP/2.0",
    ],
)  # fmt: skip
def test_first_lines_that_are_none_are_refused(alone: Alone, first: str) -> None:
    reply = sent(alone, first.encode("latin-1") + b"\r\nHost: x\r\n" + KEY + b"\r\n\r\n")
    refused(reply, (400, "invalid_http"), (404, "not_found"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[(method, "/v1/models") for method in ("TRACE", "PUT", "DELETE", "OPTIONS", "PATCH")],
        ("PROPFIND", CHAT), ("GET", CHAT), ("DELETE", "/v1/requests/llama.0123"),
        ("GET", "/v1/models/"), ("GET", "//v1/models"), ("GET", "/v1/../v1/models"),
        ("GET", "/v1/models/..%2f..%2fhealthz"), ("GET", "/%2e%2e/%2e%2e/etc/passwd"),
        ("GET", "/v1/models/%00"), ("GET", "/v1/models/%ff%fe"), ("GET", "/v1/models/%0d%0aX:y"),
        ("GET", "/v1/models/%"), ("GET", "/v1/models/" + "a" * 5000),
        ("GET", "http://evil.example/v1/models/x"), ("GET", "/v1%5cmodels"),
        ("GET", "/v1/models/llama%23spec"), ("GET", "/v1/models/LLAMA"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("host", [b"gateway", b"[::1", b"evil.example/?"])
def test_odd_methods_and_paths_lead_nowhere(
    alone: Alone, method: str, path: str, host: bytes
) -> None:
    asked = head(path, KEY, method=method).replace(b"Host: gateway", b"Host: " + host)
    with Line(alone.address) as line:
        line.socket.sendall(asked)
        reply = line.answer()
    refused(reply, (404, "not_found"), (404, "model_not_found"))
    assert "location" not in reply.headers and "x" not in reply.headers


def test_a_head_that_trickles_has_its_time(alone: Alone) -> None:
    with Line(alone.address) as line:
        line.send((bytes([b]) for b in head(CHAT, KEY, b"X-A: " + b"a" * 4000)), pause=0.02)
        refused(line.answer(), (408, "head_too_slow"))
        assert line.closed()


def test_so_has_the_next_one_on_a_connection_that_is_kept_and_one_that_says_nothing(
    alone: Alone,
) -> None:
    with Line(alone.address) as silent, Line(alone.address) as line:
        line.socket.sendall(head("/healthz", method="GET"))
        assert line.answer().status == 200
        line.socket.sendall(b"\r\n\r\nGET /healthz HTTP/1.1\r\n")
        refused(line.answer(), (408, "head_too_slow"))
        assert silent.closed()
