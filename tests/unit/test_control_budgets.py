"""Budgets of endpoints and of the stack, tick by tick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.alerts.message import message_of
from autoscaler.control import orders, overrides
from autoscaler.control.budget_orders import set_budget
from autoscaler.control.budget_view import budgets_view
from autoscaler.control.overrides import Asked
from autoscaler.control.patience import expected_ready
from autoscaler.control.progress import record_asleep
from autoscaler.control.reconcile import reconcile
from autoscaler.control.spent import spent_this_month, spent_today
from autoscaler.control.stack_watch import note_gone
from autoscaler.control.waking import wake_for
from autoscaler.control.wishes import may_not_wake
from autoscaler.endpoints.stack_state import StackState
from autoscaler.endpoints.status import Cause, EndpointRecord, EndpointStatus, Meter
from autoscaler.policy.forecast import Spending
from autoscaler.policy.types import OverrideKind, Phase
from autoscaler.ports import Load
from autoscaler.spec import Limits, SpecError
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"
PRICE = Decimal("2.61")  # ml.g6e.xlarge, an hour
RELEASE_MINUTES = 1
BUSY = Load(backlog=3, concurrency_per_copy=2.0, invocations=3.0)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
YESTERDAY = NOON.date() - timedelta(days=1)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def told(world: MemoryWorld, kind: str) -> list[Any]:
    return [event for event in world.announcer.events if event.detail_type == kind]


def record_of(world: MemoryWorld, name: str = NAME) -> EndpointRecord:
    found = world.store.load(name)
    assert found is not None
    return found


def status_of(world: MemoryWorld, name: str = NAME) -> EndpointStatus:
    return record_of(world, name).status


def tick(world: MemoryWorld, minutes: int = 1) -> None:
    """A minute of the clock each; a sleep reaches zero when its release is over."""
    for _ in range(minutes):
        reconcile(world)
        world.clock.forward(minutes=1)
        for name, record in list(world.store.records.items()):
            status, now = record.status, world.clock.now()
            released = now - status.phase_since >= timedelta(minutes=RELEASE_MINUTES)
            if status.phase is Phase.SLEEPING and released:
                world.scaler.settle(name, 0)
                record_asleep(world, name, status.generation)


class TestOfAnEndpoint:
    def busy(self, world: MemoryWorld, **budget: Any) -> None:
        put(world, awake(NAME), spec(NAME, budget=budget))
        world.scaler.settle(NAME, 1)
        world.load.loads[NAME] = BUSY

    def test_one_that_sleeps_when_spent_sleeps_with_requests_waiting(self, world) -> None:
        self.busy(world, monthly_usd=5, when_spent="sleep")
        tick(world, 120)
        assert status_of(world).phase is Phase.ASLEEP
        assert status_of(world).cause is Cause.BUDGET
        assert "it sleeps until 1 Dec 00:00 UTC" in status_of(world).last_reason
        (last,) = [e for e in told(world, "BudgetReached") if e.step == 100]
        assert last.when_spent == "sleep"

    def test_it_overshoots_by_a_tick_and_the_release_at_most(self, world) -> None:
        self.busy(world, monthly_usd=5, when_spent="sleep")
        tick(world, 120)
        over = spent_this_month(record_of(world), world.clock.now()) - 5
        most = PRICE * (1 + RELEASE_MINUTES) / 60
        assert 0 < over <= most, f"${over:.4f} of at most ${most:.4f}"
        later = over
        tick(world, 60)
        assert spent_this_month(record_of(world), world.clock.now()) - 5 == later

    def test_it_wakes_with_the_next_day_if_only_the_day_was_spent(self, world) -> None:
        self.busy(world, daily_usd=5, when_spent="sleep")
        tick(world, 11 * 60)
        assert status_of(world).phase is Phase.ASLEEP
        tick(world, 62)
        assert status_of(world).phase is Phase.WAKING
        assert world.clock.now() > MIDNIGHT
        assert [event.per for event in told(world, "BudgetReached")] == ["day"] * 3

    def test_a_raised_budget_wakes_it_with_the_next_tick(self, world) -> None:
        self.busy(world, monthly_usd=5, when_spent="sleep")
        tick(world, 120)
        raised = spec(NAME, budget={"monthly_usd": 500, "when_spent": "sleep"})
        world.store.save(status_of(world), spec=raised)
        tick(world)
        assert status_of(world).phase is Phase.WAKING

    def test_a_request_does_not_wake_it_and_its_meter_stands(self, world) -> None:
        self.busy(world, monthly_usd=5, when_spent="sleep")
        tick(world, 120)
        assert wake_for(world, record_of(world)).status.phase is Phase.ASLEEP

    def test_a_wake_that_runs_when_it_is_spent_is_put_down(self, world) -> None:
        self.busy(world, monthly_usd=2, when_spent="sleep")
        waking = status_of(world).model_copy(update={"phase": Phase.WAKING, "came": {}})
        world.store.save(waking)
        reconcile(world)
        assert status_of(world).phase is Phase.SLEEPING

    def test_an_alert_alone_does_nothing(self, world) -> None:
        self.busy(world, monthly_usd=5, when_spent="alert", thresholds=[90])
        tick(world, 120)
        assert status_of(world).phase is Phase.AWAKE
        assert [event.step for event in told(world, "BudgetReached")] == [90, 100]

    def test_a_day_counts_from_midnight(self, world) -> None:
        self.busy(world)
        tick(world, 13 * 60)
        record, now = record_of(world), world.clock.now()
        assert spent_today(record, now) == PRICE * (now - MIDNIGHT).seconds / 3600
        assert spent_this_month(record, now) == PRICE * 14

    def test_the_day_of_the_first_instance_foretells_neither_its_month_nor_the_stacks(
        self, world
    ) -> None:
        """Awake since eleven: its thirteen hours were taken for what such a day costs."""
        self.busy(world, monthly_usd=150)
        set_budget(world, "ada", {"monthly_usd": 150})
        tick(world, 12 * 60 + 5)
        assert status_of(world).spending.usd == 13 * PRICE, "the first day is closed"
        found = budgets_view(world.store.stack(), world.store.load_all(), world.clock.now())
        assert found["stack"]["forecast_usd"] is None
        assert [one["budget"]["forecast_usd"] for one in found["endpoints"]] == [None]
        assert told(world, "ForecastExceeded") == []

    def test_the_forecast_is_told_when_it_passes_and_when_it_has_come_back(self, world) -> None:
        self.busy(world, monthly_usd=120)
        week = Spending(YESTERDAY).having(YESTERDAY, Decimal(40))
        world.store.save(status_of(world).model_copy(update={"spending": week}))
        tick(world, 3)
        (over,) = told(world, "ForecastExceeded")
        assert over.forecast_usd > 120 > over.spent_usd
        barely = (over.forecast_usd * Decimal("1.02")).quantize(Decimal("0.01"))
        world.store.save(status_of(world), spec=spec(NAME, budget={"monthly_usd": barely}))
        tick(world, 3)
        assert told(world, "ForecastRecovered") == [], "a little less is no news yet"
        raised = spec(NAME, budget={"monthly_usd": 1000})
        world.store.save(status_of(world), spec=raised)
        tick(world, 3)
        assert len(told(world, "ForecastRecovered")) == 1
        assert len(told(world, "ForecastExceeded")) == 1


class TestOfTheStack:
    def two(self, world: MemoryWorld) -> None:
        for name, priority in (("batch", 2), ("chat", 8)):
            put(world, awake(name), spec(name, budget={"priority": priority}))
            world.scaler.settle(name, 1)
            world.load.loads[name] = BUSY

    def test_who_has_the_lower_priority_yields_first(self, world) -> None:
        self.two(world)
        set_budget(world, "ada", {"monthly_usd": "10.44", "when_spent": "sleep"})
        tick(world, 60)  # $5.22 an hour, and an hour before the first tick
        phases = {}
        for _ in range(60):
            tick(world)
            for name in ("batch", "chat"):
                if status_of(world, name).phase is Phase.ASLEEP:
                    phases.setdefault(name, world.clock.now())
        assert sorted(phases) == ["batch", "chat"]
        assert phases["batch"] < phases["chat"]
        assert "it yields at 90 %" in status_of(world, "batch").last_reason
        assert [event.step for event in told(world, "BudgetReached")] == [50, 80, 100]
        assert {event.endpoint for event in told(world, "BudgetReached")} == {""}

    def test_it_is_shown_who_yields(self, world) -> None:
        self.two(world)
        set_budget(world, "ada", {"monthly_usd": 5, "when_spent": "cap"})
        tick(world, 2)
        state, records = world.store.stack(), world.store.load_all()
        found = budgets_view(state, records, world.clock.now())
        assert [one["endpoint"] for one in found["stack"]["yielding"]] == ["batch", "chat"]
        assert found["stack"]["set_by"] == "ada"
        assert {o["endpoint"]: o["yields_at"] for o in found["endpoints"]} == {
            "batch": 90,
            "chat": 100,
        }

    def test_by_forecast_all_are_capped_until_it_is_less(self, world) -> None:
        self.two(world)
        usual = Spending(YESTERDAY).having(YESTERDAY, Decimal(40))
        for name in ("batch", "chat"):
            world.store.save(status_of(world, name).model_copy(update={"spending": usual}))
        set_budget(world, "ada", {"monthly_usd": 300, "on_forecast": "cap", "when_spent": "sleep"})
        tick(world, 2)
        (event,) = told(world, "ForecastExceeded")
        assert (event.endpoint, event.on_forecast) == ("", "cap")
        for name in ("batch", "chat"):
            status = status_of(world, name)
            assert (status.phase, status.bounds.max_copies) == (Phase.AWAKE, 1)
            assert "The stack's month will probably cost" in status.last_reason
        set_budget(world, "ada", {"monthly_usd": 3000})
        tick(world, 2)
        assert status_of(world, "chat").bounds.max_copies == 2

    def test_raising_it_lets_everyone_go_on(self, world) -> None:
        self.two(world)
        set_budget(world, "ada", {"monthly_usd": 5, "when_spent": "sleep"})
        tick(world, 5)
        assert status_of(world, "chat").phase is Phase.ASLEEP
        set_budget(world, "ada", {"monthly_usd": 5000})
        tick(world)
        assert status_of(world, "chat").phase is Phase.WAKING
        assert world.store.stack().budget.when_spent == "sleep", "what is not given stays"

    def test_what_a_removed_endpoint_spent_is_spent(self, world) -> None:
        self.two(world)
        record = record_of(world, "batch")
        note_gone(world, record, world.clock.now())
        written = world.store.stack().version
        note_gone(world, record, world.clock.forward(minutes=1))
        assert world.store.stack().version == written, "once a life"
        view = budgets_view(world.store.stack(), world.store.load_all(), world.clock.now())
        minute = 2 * PRICE / 60  # of both
        assert Decimal(view["stack"]["spent_usd"]) == 2 * PRICE + minute, "it counts by itself yet"
        world.store.forget(record.status)
        view = budgets_view(world.store.stack(), world.store.load_all(), world.clock.now())
        assert Decimal(view["stack"]["spent_usd"]) == 2 * PRICE + minute / 2

    def test_the_days_metric_does_not_fall_when_endpoints_are_removed(self, world) -> None:
        self.two(world)
        now = world.clock.now()
        before = reconcile(world).spent_today_usd
        assert before > PRICE
        for name in ("batch", "chat"):
            record = record_of(world, name)
            note_gone(world, record, now)
            world.store.forget(record.status)
            assert reconcile(world).spent_today_usd == before
        assert world.store.load_all() == []

    def test_a_look_at_which_nothing_is_new_writes_nothing(self, world) -> None:
        self.two(world)
        set_budget(world, "ada", {"monthly_usd": 5})
        tick(world, 2)
        before = world.store.stack().version
        tick(world, 5)
        assert world.store.stack().version == before

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"monthly": 5}, "budget.monthly: unknown field; known: monthly_usd"),
            ({"monthly_usd": -1}, "budget.monthly_usd: -1 is not above 0"),
            ({"when_spent": "die"}, "budget.when_spent: 'die' is not one of 'cap', 'sleep' or"),
            ({"monthly_usd": 5, "daily_usd": 9}, "budget: daily_usd 9 is above monthly_usd 5"),
            ({"thresholds": [80, 50]}, "budget: thresholds 80, 50 do not rise"),
            ({"wakes_per_day": 0}, "budget.wakes_per_day: 0 is below 1"),
            ({"wakes_per_day": "many"}, "budget.wakes_per_day: 'many' is not a whole number"),
        ],
    )
    def test_a_wrong_budget_is_refused_by_field(self, world, changes, problem) -> None:
        with pytest.raises(SpecError) as refused:
            set_budget(world, "ada", changes)
        assert problem in refused.value.problems[0]
        assert world.store.stack().version == 0


class TestWakesOfTheStack:
    """The day's wakes of all endpoints together; 6 an endpoint would be allowed by its file."""

    WAITING = Load(backlog=3, concurrency_per_copy=None)

    def two(self, world: MemoryWorld, wakes: int, most: int | None) -> None:
        """Asleep with requests: `batch` woke so often today, `chat` twice, and ten times before."""
        for name, count, on in ("batch", wakes, NOON), ("chat", 2, NOON):
            woken = {"wakes_on": on.date(), "wakes_today": count}
            put(world, asleep(name, **woken), spec(name, budget={"wakes_per_day": 6}))
            world.scaler.settle(name, 0)
            world.load.loads[name] = self.WAITING
        yesterday = {"wakes_on": (NOON - timedelta(days=1)).date(), "wakes_today": 6}
        put(world, asleep("quiet", **yesterday), spec("quiet"))
        world.scaler.settle("quiet", 0)
        world.load.loads["quiet"] = Load(backlog=0, concurrency_per_copy=None)
        set_budget(world, "ada", {"wakes_per_day": most})

    def phases(self, world: MemoryWorld) -> list[Phase]:
        return [status_of(world, name).phase for name in ("batch", "chat")]

    @pytest.mark.parametrize(
        ("wakes", "most", "phase"),
        [(3, 5, Phase.ASLEEP), (4, 5, Phase.ASLEEP), (2, 5, Phase.WAKING), (3, None, Phase.WAKING)],
    )
    def test_when_they_are_spent_requests_wake_nobody(self, world, wakes, most, phase) -> None:
        self.two(world, wakes, most)
        reconcile(world)
        assert self.phases(world) == [phase, phase]
        record = record_of(world, "chat")
        woken = wake_for(world, record.having(record.status)).status.phase
        assert woken is phase, "a message as little as a tick"

    def test_nor_do_windows_and_warmth_but_a_hold_and_a_person_do(self, world) -> None:
        self.two(world, 3, 5)
        peak = {"name": "peak", "days": ["tue"], "start": "08:00", "end": "18:00", "min_copies": 1}
        put(world, asleep("peak"), spec("peak", schedule={"windows": [peak]}))
        world.load.loads["peak"] = Load(backlog=0, concurrency_per_copy=None)
        reconcile(world)
        asked = Asked(timedelta(hours=1), "a demo", "ada")
        overrides.override(world, "peak", OverrideKind.KEEP_WARM, asked)
        tick(world, 2)
        assert status_of(world, "peak").phase is Phase.ASLEEP
        assert expected_ready(record_of(world, "chat"), world.clock.now()) is None
        assert overrides.hold(world, "batch", 1, asked).phase is Phase.WAKING
        assert orders.wake(world, "chat", "bob").phase is Phase.WAKING

    def test_who_waits_is_told_of_once_with_whose_wakes_they_are(self, world) -> None:
        self.two(world, 3, 5)
        tick(world, 3)
        found = told(world, "WakeDelayed")
        assert sorted(event.endpoint for event in found) == ["batch", "chat"]
        assert {(event.stack_wakes, event.until) for event in found} == {(5, MIDNIGHT)}
        assert "The whole stack has spent its 5 wakes of the day." in message_of(found[0]).body

    def test_an_endpoints_own_limit_is_told_as_its_own(self, world) -> None:
        self.two(world, 6, 5)
        reconcile(world)
        (own,) = [event for event in told(world, "WakeDelayed") if event.endpoint == "batch"]
        assert (own.stack_wakes, own.wakes_today) == (None, 6)

    def test_after_midnight_they_wake(self, world) -> None:
        self.two(world, 3, 5)
        reconcile(world)
        world.clock.forward(hours=12)
        assert not may_not_wake(record_of(world, "chat"), world.clock.now())
        reconcile(world)
        assert self.phases(world) == [Phase.WAKING, Phase.WAKING]

    def test_a_higher_limit_or_none_lets_them_wake_with_the_next_tick(self, world) -> None:
        for most in (6, None):
            world.store.records.clear()
            self.two(world, 3, 5)
            reconcile(world)
            assert self.phases(world) == [Phase.ASLEEP, Phase.ASLEEP]
            set_budget(world, "ada", {"wakes_per_day": most})
            reconcile(world)
            assert self.phases(world) == [Phase.WAKING, Phase.WAKING]

    def test_the_state_is_written_once_a_day_for_it(self, world) -> None:
        self.two(world, 3, 5)
        reconcile(world)
        written = world.store.stack().version
        overrides.hold(world, "batch", 1, Asked(timedelta(hours=1), "a demo", "ada"))
        tick(world, 3)
        assert world.store.stack().version == written

    def test_what_a_removed_endpoint_woke_counts_on_that_day(self, world) -> None:
        self.two(world, 3, 5)
        record = record_of(world, "batch")
        note_gone(world, record, NOON)
        world.store.forget(record.status)
        reconcile(world)
        assert status_of(world, "chat").phase is Phase.ASLEEP
        view = budgets_view(world.store.stack(), world.store.load_all(), NOON)
        assert (view["stack"]["wakes_today"], view["stack"]["wakes_spent"]) == (5, True)

    def test_the_stored_budget_has_no_key_that_an_older_release_refuses(self, world) -> None:
        set_budget(world, "ada", {"monthly_usd": 5, "wakes_per_day": 9})
        state = world.store.stack()
        assert state.wakes_per_day == 9
        assert set(state.model_dump(mode="json")["budget"]) == set(Limits.model_fields)

    def test_a_state_of_an_older_release_has_no_such_limit(self) -> None:
        old = StackState().model_dump(mode="json")
        del old["wakes"], old["wakes_per_day"]
        read = StackState.model_validate(old)
        assert (read.wakes_per_day, read.wakes_spent(NOON)) == (None, None)


def test_a_status_that_was_stored_before_budgets_had_days_is_read() -> None:
    meter = Meter(instances=1, instance_type="ml.g6e.xlarge", since=NOON)
    old = asleep(NAME, meters=(meter,)).model_dump(mode="json")
    for field in ("spending", "day_told", "forecast_told", "parked"):
        del old[field]
    read = EndpointStatus.model_validate(old)
    record = EndpointRecord(spec=spec(NAME), status=read)
    assert spent_today(record, NOON + timedelta(hours=2)) == 2 * PRICE
