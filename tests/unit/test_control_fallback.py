"""When one endpoint cannot be had, the one that its file names answers; the answers say so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.fallback import falls_back
from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.ladder import Try, TryOutcome
from autoscaler.policy.types import Phase
from autoscaler.ports import Flow, ModelError
from tests.desk import NAME, TestDesk, dispatch, memory_desk, message
from tests.memory import NOON
from tests.samples import asleep, awake, put, spec

OTHER = "small"
FAILED = (Try(NOON - timedelta(minutes=5), 0, TryOutcome.CAPACITY),)


@pytest.fixture
def desk() -> TestDesk:
    return memory_desk()


def backed_by(desk: TestDesk, status: EndpointStatus, other: EndpointStatus) -> None:
    put(desk.world, other)
    put(desk.world, status, spec(NAME, fallback=OTHER))


def ask(desk: TestDesk, body: dict[str, str]) -> None:
    dispatch(desk, NAME, [message(body=body)])


def without(**changes: object) -> EndpointStatus:
    """Every rung has failed, and the next try is a while away."""
    later = NOON + timedelta(minutes=10)
    return asleep(NAME, **{"tries": FAILED, "failed_wakes": 1, "retry_at": later, **changes})


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (without(), True),
        (without(phase=Phase.WAKING), True),
        (without(phase=Phase.STAGING), True),
        (asleep(NAME, phase=Phase.FAILED), True),
        (asleep(NAME), False),
        (asleep(NAME, phase=Phase.WAKING), False),
        (awake(NAME, tries=FAILED), False),
        (asleep(NAME, tries=(*FAILED, Try(NOON, 0, TryOutcome.SERVED))), False),
    ],
)
def test_it_answers_only_for_what_cannot_be_had(desk, status, wanted) -> None:
    backed_by(desk, status, awake(OTHER))
    assert falls_back(desk.world.store.records[NAME], NOON) is wanted


def test_one_that_was_applied_anew_as_async_answers_for_nobody(desk) -> None:
    """Its name stays in the other one's file, and the requests would be handed over in vain."""
    put(desk.world, awake(OTHER), spec(OTHER, kind="async"))
    put(desk.world, without(), spec(NAME, fallback=OTHER))
    ask(desk, {"id": "r1", "prompt": "why?"})
    assert (desk.models.asked, desk.results.stored, desk.requests.refused) == ([], {}, [])
    assert desk.requests.postponed, "it waits"


def test_its_answer_is_stored_for_the_one_that_was_asked_and_says_who_gave_it(desk) -> None:
    backed_by(desk, without(), awake(OTHER))
    ask(desk, {"id": "r1", "model": "deepseek-ai/DeepSeek-R1", "prompt": "why?"})
    result = desk.results.stored[f"{NAME}/r1"]
    assert (result["answered_by"], "answer" in result) == (OTHER, True)
    (asked,) = desk.models.asked
    assert asked["model"] == spec(OTHER).model.id, "its container serves another model"
    (counted,) = desk.world.store.counters.values()
    assert (counted.endpoint, counted.requests) == (OTHER, 1), "its instances were paid for"


def test_asleep_it_is_woken_and_the_request_waits_for_that(desk) -> None:
    backed_by(desk, without(), asleep(OTHER))
    ask(desk, {"id": "r1", "prompt": "why?"})
    assert desk.world.flows.started == [(Flow.WAKE, OTHER, 2)]
    assert desk.models.asked == []
    assert len(desk.requests.postponed) == 1


def test_one_that_cannot_be_had_either_leaves_the_request_in_its_queue(desk) -> None:
    backed_by(desk, without(), asleep(OTHER, phase=Phase.FAILED))
    ask(desk, {"id": "r1", "prompt": "why?"})
    assert (desk.models.asked, len(desk.requests.postponed)) == ([], 1)


def test_nobody_stands_in_for_an_endpoint_that_only_sleeps(desk) -> None:
    backed_by(desk, asleep(NAME), awake(OTHER))
    ask(desk, {"id": "r1", "prompt": "why?"})
    assert desk.world.flows.started == [(Flow.WAKE, NAME, 2)]
    assert desk.models.asked == []


@pytest.mark.parametrize("error", [ModelError("context too long"), ValueError("odd answer")])
def test_what_the_other_one_cannot_answer_waits_for_the_one_that_was_asked(desk, error) -> None:
    """Its context may be shorter; a refusal would be the end of the request."""
    backed_by(desk, without(), awake(OTHER))
    desk.models.errors = [error] * 10
    for _ in range(10):
        ask(desk, {"id": "r1", "prompt": "a long one"})
    assert desk.models.errors == []
    assert desk.requests.refused == []
    assert len(desk.requests.postponed) == 10
    assert "r1" not in str(desk.results.stored)
