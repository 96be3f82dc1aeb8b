"""Java's own HTTP client offers HTTP/2 with its first request to what is not TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.gateway_alone import (
    CHAT,
    CHUNKED,
    GOOD,
    KEY,
    LATER,
    Alone,
    gateway_alone,
    length,
    refused,
    sent,
)
from tests.raw_http import Line, chunk, head

OFFER = (
    b"Connection: Upgrade, HTTP2-Settings",
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    b"Upgrade: h2c",
)


@pytest.fixture(scope="module")
def alone() -> Iterator[Alone]:
    with gateway_alone() as one:
        yield one


@pytest.mark.parametrize("pause", [0.0, 0.2])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_comes_with_an_offer_is_read(alone: Alone, chunked: bool, pause: float) -> None:
    size = CHUNKED if chunked else length(len(GOOD))
    body = chunk(GOOD) + chunk(b"") if chunked else GOOD
    first = head(CHAT, KEY, LATER, *OFFER, size)
    pieces = [first, body[:20], body[20:]] if pause else [first + body]
    with Line(alone.address) as line:
        line.send(pieces, pause)
        ticket = line.answer()
        assert (ticket.status, json.loads(ticket.body)["status"]) == (202, "waiting")
        line.send([head("/healthz", method="GET")])  # by the same connection
        assert line.answer().status == 200


def test_what_follows_an_offer_is_no_request_but_its_body(alone: Alone) -> None:
    hidden = head("/v1/models", KEY, method="GET")
    with Line(alone.address) as line:
        line.send([head(CHAT, KEY, *OFFER, length(len(hidden))) + hidden])
        refused(line.answer(), (400, "invalid_json"))
        line.send([head("/healthz", method="GET")])
        assert json.loads(line.answer().body) == {"status": "ok"}


def test_many_offers_at_once_are_passed_over_one_by_one(alone: Alone) -> None:
    last = head("/healthz", b"Connection: close, Upgrade", b"Upgrade: h2c", method="GET")
    said = b""
    with Line(alone.address) as line:
        line.send([head("/healthz", *OFFER, method="GET") * 200 + last])
        while data := line.socket.recv(65536):
            said += data
    assert said.count(b"HTTP/1.1 200 OK") == 201


def test_an_offer_hides_no_other_header(alone: Alone) -> None:
    two = (length(len(GOOD)), length(len(GOOD) - 1))
    refused(sent(alone, head(CHAT, KEY, *OFFER, *two), GOOD), (400, "invalid_http"))
    both = (length(len(GOOD)), CHUNKED)
    refused(sent(alone, head(CHAT, KEY, *OFFER, *both), GOOD), (400, "invalid_http"))
    closing = (b"Connection: Upgrade, close", b"Upgrade: h2c")
    with Line(alone.address) as line:
        line.send([head("/healthz", *closing, method="GET")])
        assert line.answer().status == 200
        assert line.closed()
