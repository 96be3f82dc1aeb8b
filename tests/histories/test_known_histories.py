"""Lives that wake in vain, which few of the short random ones do; the first as the long ones found
it, in short."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.histories.forks import in_copy
from tests.histories.history import History
from tests.histories.scenarios import awake
from tests.histories.world import NAME, World

Step = tuple[str, dict[str, Any]]


def order(command: str) -> Step:
    return "command", {"command": command, "endpoint": NAME}


STOP: Step = ("command", {"command": "stop", "reason": "a test"})
START: Step = ("command", {"command": "start"})


def run(minutes: int) -> Step:
    return "run", {"minutes": minutes}


def leap(minutes: int) -> Step:
    return "leap", {"minutes": minutes}


def capacity(there: bool) -> Step:
    return "capacity", {"there": there}


def container(works: bool) -> Step:
    return "container", {"works": works}


HISTORIES: dict[str, list[Step]] = {
    # 71 minutes of a machine that was there were not booked: no look had seen it since the wish
    "a sleep turned round, and stopped before anybody looked": [
        ("hold", {"copies": 2}),
        STOP,
        capacity(False),
        START,
        order("wake"),
        leap(71),
        STOP,
    ],
    # what it asked for, at both sizes, is taken back
    "a wake that is sized up, and finds no machine": [
        STOP,
        run(10),
        capacity(False),
        ("send", {"count": 4}),
        START,
        run(2),
        ("send", {"count": 5}),
        ("hold", {"copies": 2}),
        run(60),
    ],
    "a container that never comes up, looked at late": [
        STOP,
        run(10),
        container(False),
        ("send", {"count": 1}),
        START,
        leap(20),
        run(90),
    ],
    "a machine that comes and goes while its wake waits": [
        STOP,
        run(10),
        container(False),
        ("send", {"count": 1}),
        START,
        run(4),
        capacity(False),
        ("lose_instance", {}),
        run(60),
    ],
}


# 37 minutes of a machine that nobody had seen for 80 were said to be booked too much: who stops a
# creation does not look, so what it had asked for is open until the next look, and marked.
CREATED_ANEW: list[Step] = [
    order("delete"),
    run(5),
    ("apply", {"tokens": 4096}),
    run(2),
    capacity(False),
    ("lose_instance", {}),
    run(5),
]
STOPPED_UNSEEN: list[Step] = [*CREATED_ANEW, leap(32), STOP, leap(37)]
# The same with ticks, of which one has looked in the very second of the command.
ENDED_BY_A_COMMAND: dict[str, list[Step]] = {
    "a creation that is stopped": [*CREATED_ANEW, STOP, run(10)],
    "a creation that is removed": [*CREATED_ANEW, order("delete"), run(10)],
    "a wake that is removed": [
        order("sleep"),
        run(10),
        order("wake"),
        run(2),
        capacity(False),
        ("lose_instance", {}),
        run(1),
        order("delete"),
        run(30),
    ],
}

# Three copies were wanted for a queue that had waited all the while: at the first look after an
# update all of it seemed to have come in the seconds since.
WAITED_THROUGH: list[Step] = [
    capacity(False),
    STOP,
    ("apply", {"tokens": 4096}),
    ("send", {"count": 17}),
    run(8),
    START,
    ("tick_twice", {}),
    run(10),
]


def _lived(world: World, steps: Sequence[Step]) -> tuple[list[str], dict[str, Any]]:
    history = History(world)
    wrong = [one for step in steps for one in history.do(step)]
    return [*wrong, *history.end()], history.facts()


@pytest.mark.parametrize("name", HISTORIES)
def test_a_life_with_wakes_in_vain_ends_well(empty: World, name: str) -> None:
    def work() -> tuple[list[str], dict[str, Any]]:
        awake(empty)
        return _lived(empty, HISTORIES[name])

    wrong, facts = in_copy(work)
    assert wrong == []
    assert facts["in_vain"], "each is about a wake that brought nothing"


def test_a_queue_that_waited_through_an_update_is_not_taken_for_a_rush(empty: World) -> None:
    def work() -> tuple[list[str], int]:
        awake(empty)
        wrong, _ = _lived(empty, WAITED_THROUGH)
        told = [one.phase for one in empty.store().history(NAME, 40)]
        return wrong, told.count("UPDATING")

    wrong, updates = in_copy(work)
    assert wrong == []
    assert updates


@pytest.mark.parametrize("name", ENDED_BY_A_COMMAND)
def test_what_a_command_ends_is_booked_until_the_next_look(empty: World, name: str) -> None:
    def work() -> list[str]:
        awake(empty)
        return _lived(empty, ENDED_BY_A_COMMAND[name])[0]

    assert in_copy(work) == []


def test_a_creation_that_is_stopped_while_nobody_looks_is_marked_in_the_ledger(
    empty: World,
) -> None:
    def work() -> tuple[list[str], list[float]]:
        awake(empty)
        wrong, _ = _lived(empty, STOPPED_UNSEEN)
        now = empty.clock.now()
        used = empty.store().usage(now - timedelta(days=2), now)
        return wrong, [one.instance_seconds for one in used if one.over_gap]

    wrong, marked = in_copy(work)
    assert wrong == []
    assert marked == [37 * 60]
