"""What a model, or a sender, says is in no log when something else fails beside it.

Python prints an error with the one that was being handled when it was raised; a model's error often
repeats what it was asked.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from autoscaler.aws.streaming import RefusedByModelError
from autoscaler.gateway.out import Out
from autoscaler.ports import ExpiredError, ModelError
from tests.desk import NAME, TestDesk, dispatch_batch, memory_desk, message
from tests.gateway import overheard
from tests.gateway_awake import Awake, gateway_of
from tests.memory import MemoryStore
from tests.samples import awake, put, spec

CANARY = "canary4Kd8vP1sT6"


def no_failure_is_counted(*_: Any) -> int:
    raise ConnectionError("the table does not answer, as the test ordered")


def refused(desk: TestDesk) -> Any:
    put(desk.world, awake(NAME))
    desk.models.errors = [ModelError(f"'{CANARY}' is too long")]
    return message()


def failing(desk: TestDesk) -> Any:
    put(desk.world, awake(NAME))
    desk.models.errors = [RuntimeError(f"500 from primary: '{CANARY}'")]
    return message()


def refused_late(desk: TestDesk) -> Any:
    return _late(desk, ModelError(f"'{CANARY}' is too long"))


def lost_late(desk: TestDesk) -> Any:
    return _late(desk, ExpiredError(f"expired: '{CANARY}'"))


def _late(desk: TestDesk, error: Exception) -> Any:
    put(desk.world, awake(NAME), spec(NAME, kind="async"))
    desk.late.look = raising(error)  # type: ignore[method-assign]
    return message()


def raising(error: Exception) -> Callable[..., Any]:
    def step(*_: Any) -> Any:
        raise error

    return step


def of_another_endpoint(desk: TestDesk) -> Any:
    put(desk.world, awake(NAME))
    return message(body={"endpoint": CANARY, "messages": []})


@pytest.mark.parametrize("asked", [refused, failing, refused_late, lost_late, of_another_endpoint])
def test_what_fails_while_an_error_is_told_does_not_carry_its_words_into_the_log(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[[TestDesk], Any]
) -> None:
    desk = memory_desk()
    monkeypatch.setattr(MemoryStore, "count_failure", no_failure_is_counted)
    desk.results.broken_for = {"r-1", "m-1"}
    done = dispatch_batch(desk, NAME, [asked(desk)])
    (trouble,) = done.troubles
    assert isinstance(trouble, ConnectionError), "it is the other thing that is told"
    assert CANARY not in "".join(traceback.format_exception(trouble))


# --- the gateway


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[Awake, list[str]]]:
    lines: list[str] = []
    with overheard(lines.append), gateway_of(awake(NAME)) as gateway:
        yield gateway, lines


DEEP = "[" * 5000 + "]" * 5000


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        f"'{CANARY}' is too long",
        f"half of a character: {CANARY} \ud83d",
        f'{{"message": "{CANARY} \\ud83d"}}',
        f'{{"message": "{CANARY}", "detail": {DEEP}}}',
    ],
)
def test_whatever_a_model_refuses_with_its_caller_is_told_and_the_log_is_not(
    told: tuple[Awake, list[str]], words: str, stream: bool
) -> None:
    gateway, lines = told
    gateway.model.open = refusing(words)  # type: ignore[method-assign]
    reply = gateway.chat(stream=stream)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "model_refused")
    assert CANARY in reply.json()["error"]["message"]
    assert CANARY not in "".join(lines)


def test_what_fails_while_a_caller_is_told_is_logged_without_what_it_was_told_of(
    told: tuple[Awake, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, lines = told
    gateway.model.open = refusing(CANARY)  # type: ignore[method-assign]
    monkeypatch.setattr(Out, "fail", raising(ConnectionError("as the test ordered")))
    assert gateway.chat().status_code == 500
    end = time.monotonic() + 10
    while not any("as the test ordered" in line for line in lines):  # after its caller is told
        assert time.monotonic() < end, "the server's own log is heard"
        time.sleep(0.02)
    assert CANARY not in "".join(lines)


def refusing(words: str) -> Callable[..., Any]:
    async def opened(*_: Any) -> Any:
        raise RefusedByModelError(words, 400)

    return opened
