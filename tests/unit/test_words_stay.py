"""What a model, or a sender, says is in no log when something else fails beside it.

Python prints an error with the one that was being handled when it was raised; a model's error often
repeats what it was asked.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from autoscaler.ports import ExpiredError, ModelError
from tests.desk import NAME, TestDesk, dispatch_batch, memory_desk, message
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
