"""What callers hear of a gateway that is told to stop."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.gateway import tell_to_stop
from tests.gateway_alone import CHAT, GOOD, KEYS, gateway_alone
from tests.gateway_awake import Awake, SaidModel, gateway_of, said
from tests.samples import awake

SOON = 8.0  # on a busy machine; below the patience of a caller who is held


def asked(address: str, **changes: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {KEYS['search']}"}
    body = {**json.loads(GOOD), **changes}
    return httpx.post(address + CHAT, json=body, headers=headers, timeout=60)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("stream", [False, True])
def test_who_is_held_has_a_ticket_before_the_gateway_is_gone(stream: bool) -> None:
    with gateway_alone(GATEWAY_STOP_SECONDS="30") as alone, ThreadPoolExecutor() as pool:
        held = pool.submit(asked, alone.address, stream=stream)
        time.sleep(1.0)
        assert not held.done()
        tell_to_stop(alone.address)
        answer = held.result(SOON)
        if stream:
            told = json.loads(answer.text.split("data: ")[1])["error"]
            assert (answer.status_code, told["code"]) == (200, "still_waiting")
            assert answer.text.endswith("data: [DONE]\n\n")
            ticket = told["ticket"]
        else:
            assert answer.status_code == 202
            ticket = answer.json()["id"]
        assert alone.tickets.waiting("llama", ticket) is not None
        until(lambda: alone.left() == (1, 1))


class SlowModel(SaidModel):
    """Says its pieces, and nothing more until the test is over."""

    async def _said(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        await asyncio.sleep(60)


@contextmanager
def asked_of_a_slow_model(lines: list[str], **changes: Any) -> Iterator[Future[httpx.Response]]:
    model = SlowModel()
    model.pieces = [said("be")]

    def ask(gate: Awake) -> httpx.Response:
        return gate.chat(**changes)

    with (
        gateway_of(awake("llama"), model=model, lines=lines, GATEWAY_STOP_SECONDS="1") as gate,
        ThreadPoolExecutor() as pool,
    ):
        asking = pool.submit(ask, gate)
        until(lambda: bool(model.asked))
        time.sleep(0.2)
        tell_to_stop(str(gate.client.base_url))
        yield asking


def test_a_stream_that_is_cut_by_a_stop_says_so() -> None:
    lines: list[str] = []
    with asked_of_a_slow_model(lines, stream=True) as asking:
        text = asking.result(SOON).text
    first, told, end = (piece.removeprefix("data: ") for piece in text.split("\n\n")[:3])
    assert json.loads(first)["choices"][0]["delta"]["content"] == "be"
    assert json.loads(told)["error"]["code"] == "gateway_stopping"
    assert end == "[DONE]"
    assert not [line for line in lines if "Traceback" in line]


def test_an_answer_that_is_cut_by_a_stop_is_an_error_after_which_to_ask_again() -> None:
    lines: list[str] = []
    with asked_of_a_slow_model(lines) as asking:
        answer = asking.result(SOON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gateway_stopping")
    assert int(answer.headers["retry-after"]) == 1
    assert not [line for line in lines if "Traceback" in line]
