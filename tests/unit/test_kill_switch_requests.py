"""What senders are told while nothing wakes, and when they are refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.kill_switch import start, stop
from autoscaler.control.patience import LONGEST_WAIT, expected_ready
from autoscaler.gateway.errors import GatewayError
from autoscaler.gateway.waiting import because, refuse_if_barred, refuse_if_hopeless
from autoscaler.policy.economy import DEFAULT_LEAD_TIME
from autoscaler.policy.types import Phase
from tests.desk import NAME, TestDesk, dispatch, memory_desk, message
from tests.memory import NOON
from tests.samples import asleep, put, spec
from tools.cli.waiting import expectation

SPENT = {"monthly_usd": 5, "when_spent": "sleep"}
REST_OF_NOVEMBER = timedelta(days=6, hours=12)


@pytest.fixture
def desk() -> TestDesk:
    found = memory_desk()
    put(found.world, asleep(NAME))
    return found


def spent(desk: TestDesk) -> None:
    status = desk.world.store.records[NAME].status
    used = status.model_copy(update={"spent_in": "2026-11", "spent_usd": 6})
    desk.world.store.save(used, spec=spec(NAME, budget=SPENT))


def record_of(desk: TestDesk):
    return desk.world.store.load(NAME)


def question(number: int, **options) -> object:
    return message(number, {"id": f"r-{number}", "prompt": "why?", "autoscaler": options})


class TestInTheQueue:
    @pytest.mark.parametrize("stopped", [True, False])
    def test_a_request_wakes_nothing_and_stays(self, desk, stopped) -> None:
        if stopped:
            stop(desk.world, "ada", "a leaked key")
        else:
            spent(desk)
        assert dispatch(desk, NAME, [question(1)]) == ["m-1"]
        assert desk.world.flows.started == []
        assert desk.results.stored == {}

    def test_at_its_deadline_it_is_refused_with_why(self, desk) -> None:
        stop(desk.world, "ada", "a leaked key")
        assert dispatch(desk, NAME, [question(1, ttl="1m")]) == ["m-1"]
        desk.world.clock.forward(minutes=2)
        assert dispatch(desk, NAME, [question(1, ttl="1m")]) == []
        found = desk.results.stored[f"{NAME}/r-1"]
        assert found["code"] == "expired"
        assert "stopped since 24 Nov 12:00 UTC by ada: a leaked key" in found["error"]

    def test_before_its_queue_forgets_it_it_is_refused_with_why(self, desk) -> None:
        stop(desk.world, "ada", "a leaked key")
        desk.world.clock.forward(seconds=LONGEST_WAIT.total_seconds() + 3600)
        assert dispatch(desk, NAME, [question(1)]) == []
        found = desk.results.stored[f"{NAME}/r-1"]
        assert found["code"] == "waited_too_long"
        assert "by ada: a leaked key" in found["error"]

    def test_after_the_start_it_wakes_as_ever(self, desk) -> None:
        stop(desk.world, "ada", "a leaked key")
        start(desk.world, "ada")
        dispatch(desk, NAME, [question(1)])
        assert [flow.value for flow, *_ in desk.world.flows.started] == ["wake_endpoint"]


class TestAtTheGateway:
    def test_the_switch_is_503_and_nobody_can_say_for_how_long(self, desk) -> None:
        stop(desk.world, "ada", "a leaked key")
        with pytest.raises(GatewayError) as refused:
            refuse_if_barred(record_of(desk), NOON)
        error = refused.value
        assert (error.status, error.code, error.headers) == (503, "stopped", {"retry-after": "60"})
        assert "by ada: a leaked key" in error.message
        assert "respond-async" in error.message
        assert expected_ready(record_of(desk), NOON) is None

    def test_a_budget_is_429_until_its_month_is_over(self, desk) -> None:
        spent(desk)
        with pytest.raises(GatewayError) as refused:
            refuse_if_barred(record_of(desk), NOON)
        error = refused.value
        assert (error.status, error.code) == (429, "budget_spent")
        assert error.headers["retry-after"] == f"{REST_OF_NOVEMBER.total_seconds():.0f}"
        assert "sleeps until 1 Dec 00:00 UTC" in error.message
        assert expected_ready(record_of(desk), NOON) == REST_OF_NOVEMBER + DEFAULT_LEAD_TIME

    def test_a_ticket_says_why_it_waits(self, desk) -> None:
        assert because(record_of(desk), NOON) == {}
        refuse_if_barred(record_of(desk), NOON)
        stop(desk.world, "ada", "a leaked key")
        assert "by ada: a leaked key" in because(record_of(desk), NOON)["because"]


def test_a_creation_that_was_parked_is_no_failure_to_the_gateway(desk) -> None:
    failed = desk.world.store.records[NAME].status.model_copy(update={"phase": Phase.FAILED})
    record = record_of(desk)
    refuse_if_hopeless(record.having(failed.model_copy(update={"parked": True})))
    with pytest.raises(GatewayError, match="its owner has to apply it again"):
        refuse_if_hopeless(record.having(failed))


def test_who_waits_at_the_command_line_is_told_why() -> None:
    one = {
        "name": NAME, "phase": "ASLEEP", "lead_time_seconds": 300, "ladder": None,
        "barred": {"reason": "It is stopped.", "until": None},
    }  # fmt: skip
    assert expectation(one, NOON) == (
        f"{NAME} is ASLEEP: It is stopped. The request waits in its queue"
    )
