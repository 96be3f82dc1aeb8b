"""Limits side by side: which one counts, and what the hardest of them forbids."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.policy import Bounds, Phase, ReasonCode, StackLimit, Stop, Transition
from autoscaler.policy.budget import halted
from autoscaler.spec import WhenSpent
from tests.unit.policy_cases import NOON, PEAK, a_hold, a_spec, codes, decided, seen

CAPPED = a_spec(budget={"monthly_usd": 100, "when_spent": "cap"}, windows=[PEAK])
SPENT: dict[str, Any] = {"spent_this_month_usd": Decimal(100)}


def limit(action: WhenSpent) -> StackLimit:
    return StackLimit(Decimal(10), Decimal(10), "month", 100, action)


def test_of_an_own_cap_and_a_stack_that_sleeps_the_sleep_counts() -> None:
    working = seen(backlog=9, stack_limit=limit(WhenSpent.SLEEP), **SPENT)
    decision = decided(CAPPED, working)
    assert (decision.transition, decision.bounds) == (Transition.SLEEP, Bounds(0, 0))
    assert codes(decision)[0] is ReasonCode.STACK_BUDGET_SPENT


def test_of_an_own_sleep_and_a_stack_that_caps_the_sleep_counts() -> None:
    spec = a_spec(budget={"daily_usd": 10, "when_spent": "sleep"})
    working = seen(backlog=9, spent_today_usd=Decimal(10), stack_limit=limit(WhenSpent.CAP))
    assert codes(decided(spec, working))[0] is ReasonCode.BUDGET_SPENT


def test_the_switch_comes_before_every_budget() -> None:
    stopped = seen(stopped=Stop(NOON, "ada", "x"), stack_limit=limit(WhenSpent.SLEEP), **SPENT)
    assert codes(decided(CAPPED, stopped))[0] is ReasonCode.STOPPED


@pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.SLEEPING, Phase.WAKING, Phase.CREATING])
def test_stopped_nothing_is_asked_for_in_any_phase(phase: Phase) -> None:
    wanted = seen(phase, backlog=500, hold=a_hold(2), stopped=Stop(NOON, "ada", "x"))
    decision = decided(CAPPED, wanted)
    assert (decision.copies, decision.bounds, decision.transition) == (0, Bounds(0, 0), None)


@pytest.mark.parametrize("phase", [Phase.UPDATING, Phase.RETIRING, Phase.FAILED, Phase.STAGING])
def test_what_is_no_matter_of_the_policy_stays_so(phase: Phase) -> None:
    stopped = seen(phase, stopped=Stop(NOON, "ada", "x"))
    assert codes(decided(CAPPED, stopped)) == [ReasonCode.IN_TRANSITION]


def test_what_waits_is_still_told() -> None:
    decision = decided(CAPPED, seen(backlog=9, stopped=Stop(NOON, "ada", "x")))
    assert codes(decision) == [ReasonCode.STOPPED, ReasonCode.BACKLOG_WAITING]


def test_a_stacks_alert_changes_nothing() -> None:
    told = seen(backlog=9, stack_limit=limit(WhenSpent.ALERT))
    assert decided(CAPPED, told) == decided(CAPPED, seen(backlog=9))


def test_of_an_own_day_and_a_stacks_month_that_both_sleep_the_month_says_until_when() -> None:
    spec = a_spec(budget={"daily_usd": 10, "when_spent": "sleep"})
    both = seen(spent_today_usd=Decimal(10), stack_limit=limit(WhenSpent.SLEEP))
    halt = halted(spec, both, NOON)
    assert halt is not None
    month = datetime(NOON.year + NOON.month // 12, NOON.month % 12 + 1, 1, tzinfo=UTC)
    assert halt.until == month
    assert f"until {month.day} {month:%b} 00:00 UTC" in halt.reason.text
