"""A budget that its own file cannot keep is warned of, with the figures."""

from __future__ import annotations

import pytest

from autoscaler.control.budget_orders import set_budget
from autoscaler.control.kill_switch import stop
from autoscaler.control.plan import Setting, plan
from autoscaler.control.reconcile import reconcile
from tests.memory import MemoryWorld, memory_world
from tests.samples import awake, document, put, spec

PEAK = {"name": "peak", "days": ["mon", "tue"], "start": "08:00", "end": "18:00", "min_copies": 1}
SCHEDULE = {"windows": [PEAK]}


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def warned(world: MemoryWorld, **changes) -> tuple[str, ...]:
    setting = Setting("stack", "UTC", "us-east-1", lambda *_: "c" * 40)
    return plan(world, setting, document("llama", **changes)).warnings


def test_windows_that_cost_more_than_the_budget_are_told_with_both_figures(world) -> None:
    budget = {"monthly_usd": 100, "daily_usd": 20, "when_spent": "sleep"}
    # 20 h of 168 a week, 730 h a month, $2.61 an hour; 10 h on a Monday.
    assert warned(world, schedule=SCHEDULE, budget=budget) == (
        "budget.monthly_usd: $100.00 is less than the windows and min_copies alone cost, $226.82 "
        "a month; once it is spent it sleeps whatever waits; raise it, or shorten the windows",
        "budget.daily_usd: $20.00 is less than the windows and min_copies alone cost, $26.10 on "
        "its longest day; once it is spent it sleeps whatever waits; raise it, or shorten the "
        "windows",
    )


def test_a_copy_that_has_an_instance_for_itself_costs_all_of_it(world) -> None:
    """Four copies would fit on it, and one is asked for."""
    machines = {"types": ["ml.g6e.12xlarge"]}
    budget = {"monthly_usd": 500, "when_spent": "sleep"}
    told = warned(world, schedule=SCHEDULE, budget=budget, instances=machines)
    assert any("cost, $1,140.19 a month" in one for one in told), (
        told
    )  # 20 h of 168 a week, 730 h a month, $13.12 an hour


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": SCHEDULE, "budget": {"monthly_usd": 250, "daily_usd": 27}},
        {"schedule": SCHEDULE},
        {"budget": {"monthly_usd": 1}},
    ],
)
def test_what_can_be_paid_for_is_not_warned_of(world, changes) -> None:
    assert warned(world, **changes) == ()


def test_while_everything_is_stopped_a_plan_says_so(world) -> None:
    stop(world, "ada", "a leaked key")
    (warning,) = warned(world)
    assert "by ada: a leaked key" in warning
    assert warning.endswith("What is applied stays at zero until then.")


def test_a_spent_budget_of_the_stack_that_ends_in_sleep_is_warned_of(world) -> None:
    put(world, awake("other"), spec("other"))
    set_budget(world, "ada", {"monthly_usd": 1, "when_spent": "sleep"})
    reconcile(world)
    (warning,) = warned(world)
    assert "The stack has spent $2.61 of $1.00 this month" in warning
    assert "it sleeps until 1 Dec 00:00 UTC" in warning
