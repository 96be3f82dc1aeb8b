"""To delete an endpoint and apply it again is no new budget: what its name spent is spent."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from autoscaler.catalog.prices import bundled
from autoscaler.control.budget_orders import set_budget
from autoscaler.control.budget_view import budgets_view
from autoscaler.control.budgets import books_of_all
from autoscaler.control.plan import Setting, plan
from autoscaler.control.purse import barred, spent_of
from autoscaler.control.reconcile import reconcile
from autoscaler.control.stack_watch import note_gone
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.ledger.budgets import StackMoney
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.periods import Period
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put, spec

NAME, HOUR = "llama", timedelta(hours=1)
FIRST, SECOND = Decimal("7.50"), Decimal("0.75")


def life(world: MemoryWorld, usd: Decimal, created_at: datetime) -> EndpointRecord:
    money = {"spent_in": "2026-11", "spent_usd": usd}
    status = asleep(NAME, created_at=created_at, **money)
    wanted = spec(NAME, budget={"monthly_usd": 8, "when_spent": "sleep"})
    return put(world, status, wanted)


@pytest.fixture
def world() -> MemoryWorld:
    """Its first life spent 7.50 of 8 dollars, and its second one 0.75 until now."""
    world = memory_world()
    first = life(world, FIRST, NOON - 9 * HOUR)
    note_gone(world, first, NOON - 5 * HOUR)
    world.store.forget(first.status)
    life(world, SECOND, NOON - HOUR)
    return world


def test_it_is_the_names(world: MemoryWorld) -> None:
    (record,) = world.store.load_all()
    assert spent_of(record, NOON)[0] == FIRST + SECOND
    halt = barred(record, NOON)
    assert halt is not None and "$8.25 of $8.00 are spent this month" in halt.reason.text
    reconcile(world)
    (told,) = [e for e in world.announcer.events if e.detail_type == "BudgetReached"]
    assert (told.step, told.spent_usd) == (100, FIRST + SECOND)


def test_who_applies_it_again_is_told_that_it_stays_at_zero() -> None:
    world = memory_world()
    first = life(world, FIRST + SECOND, NOON - 9 * HOUR)
    note_gone(world, first, NOON - 5 * HOUR)
    world.store.forget(first.status)
    file = document(NAME, budget={"monthly_usd": 8, "when_spent": "sleep"})
    setting = Setting("stack", "UTC", "us-east-1", lambda model, revision: "c" * 40)
    (told,) = [one for one in plan(world, setting, file).warnings if "stays at zero" in one]
    assert told.startswith("$8.25 of $8.00 are spent this month")
    dearer = document(NAME, budget={"monthly_usd": 9, "when_spent": "sleep"})
    assert not any("stays at zero" in one for one in plan(world, setting, dearer).warnings)


def test_the_next_month_it_is_over(world: MemoryWorld) -> None:
    (record,) = world.store.load_all()
    assert spent_of(record, NOON + timedelta(days=8)) == (0, 0)


def test_one_that_is_noted_as_gone_and_still_there_counts_once(world: MemoryWorld) -> None:
    (record,) = world.store.load_all()
    note_gone(world, record, NOON)
    (record,) = world.store.load_all()
    assert spent_of(record, NOON)[0] == FIRST + SECOND
    assert books_of_all(record.stack, [record], NOON).month_usd == FIRST + SECOND


def test_the_stacks_sum_counts_each_life_once(world: MemoryWorld) -> None:
    set_budget(world, "ada", {"monthly_usd": 100})
    put(world, awake("other"))
    fleet = world.store.load_all()
    view = budgets_view(world.store.stack(), fleet, NOON)
    assert Decimal(view["stack"]["spent_usd"]) == FIRST + SECOND + Decimal("2.61")
    shown = {one["endpoint"]: one["budget"]["spent_usd"] for one in view["endpoints"]}
    assert Decimal(shown[NAME]) == FIRST + SECOND


def test_a_report_of_the_running_month_says_what_the_tick_reckons_with(world: MemoryWorld) -> None:
    (record,) = fleet = world.store.load_all()
    stack = StackMoney(record.stack.budget, Decimal(0), None)
    month = Period.month(NOON.date())
    (line,) = summarize(Books(fleet, []), month, NOON, bundled(), None, stack).endpoints
    assert line.budget is not None and line.budget.spent_usd == FIRST + SECOND
