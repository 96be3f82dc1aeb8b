"""What the benchmark of requests goes by: who an answer is for, and how fast the clock may run."""

from __future__ import annotations

import json

import pytest

from benchmarks.requests.pace import FASTEST, SERVING, SLOWEST, speed_for
from benchmarks.requests.sender import body_of, expected, named_in, request_id, said
from benchmarks.requests.storm import Plan
from tools.embedded.sagemaker import container

NUMBERS = range(2000)


def answer_to(number: int) -> dict:
    prompt = container.understand(json.dumps(body_of(number)).encode(), {})
    return dict(json.loads(container.whole(prompt, 0)))


def test_every_request_names_itself_and_has_an_answer_of_its_own() -> None:
    assert [named_in(json.dumps(body_of(n)).encode()) for n in NUMBERS] == [
        request_id(n) for n in NUMBERS
    ]
    assert named_in(b'{"prompt": "probe"}') is None
    assert len({expected(n) for n in NUMBERS}) == len(NUMBERS)


@pytest.mark.parametrize("number", [6, 7])
def test_an_answer_is_known_for_its_request_and_half_of_it_is_not(number: int) -> None:
    answer = answer_to(number)
    assert said(answer) == expected(number)
    assert said(answer) != expected(number + 2)
    half = json.loads(json.dumps(answer).replace(expected(number)[-12:], ""))
    assert said(half) != expected(number)


def test_the_waves_are_all_of_the_requests() -> None:
    plan = Plan(requests=10, sleeps=3)
    assert [n for wave in range(4) for n in plan.wave(wave)] == list(range(10))


def test_the_clock_runs_slower_the_more_wait_for_a_wake() -> None:
    speeds = [speed_for(waiting, serving=False) for waiting in (0, 16, 17, 60, 10_000)]
    assert speeds == [FASTEST, FASTEST, FASTEST / 2, FASTEST / 4, FASTEST / 8]
    assert min(speeds) > SLOWEST
    assert speed_for(60, serving=True) == SERVING
