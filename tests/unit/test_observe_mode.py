"""Observe mode: everything is decided, told and priced; nothing is changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.alerts.events.observing import ChangeWithheld
from autoscaler.control import orders, overrides
from autoscaler.control.apply import apply
from autoscaler.control.fallback import stand_in
from autoscaler.control.observing import moded
from autoscaler.control.overrides import Asked
from autoscaler.control.patience import expected_ready, held_up
from autoscaler.control.plan import Setting
from autoscaler.control.progress import record_asleep, record_failed, record_retired
from autoscaler.control.reconcile import reconcile
from autoscaler.control.size import may_sleep, plan_wake
from autoscaler.control.waking import wake_for
from autoscaler.control.withheld import (
    counted_on,
    withheld_sentences,
    withheld_view,
    would_have_saved,
)
from autoscaler.control.world import ObserveError
from autoscaler.endpoints.mode import Mode
from autoscaler.endpoints.phases import IN_TRANSITION
from autoscaler.endpoints.stack_state import StackState
from autoscaler.endpoints.status import Cause, EndpointRecord, EndpointStatus, Update, UpdateWay
from autoscaler.endpoints.withheld import DAYS_KEPT, Withheld, Would, added
from autoscaler.policy.ladder import Try, TryOutcome
from autoscaler.policy.types import Phase, Stop
from autoscaler.ports import Capacity, Flow, FlowState, Load
from autoscaler.runtime.observing import refuse_while_observing
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put, spec

NAME = "llama"
IDLE = Load(backlog=0, concurrency_per_copy=0.0, invocations=0.0)
BUSY = Load(backlog=3, concurrency_per_copy=2.0, invocations=5.0)
CROWDED = Load(backlog=400, concurrency_per_copy=16.0)
PRICE = Decimal("2.61")  # of ml.g6e.xlarge, an hour, in the bundled table
SETTING = Setting("stack", "UTC", "us-east-1", lambda model, revision: "c" * 40)
NO_CHANGE = {"scaler": [], "started": [], "stopped": []}


@pytest.fixture
def world() -> MemoryWorld:
    return in_mode(memory_world(), Mode.OBSERVE)


def in_mode(world: MemoryWorld, mode: Mode) -> MemoryWorld:
    return replace(world, mode=mode)


def status_of(world: MemoryWorld, name: str = NAME) -> EndpointStatus:
    return world.store.records[name].status


def changes(world: MemoryWorld) -> dict[str, list[Any]]:
    """Every call that would change something."""
    flows = world.flows
    return {"scaler": world.scaler.calls, "started": flows.started, "stopped": flows.stopped}


def withheld(world: MemoryWorld) -> list[ChangeWithheld]:
    return [one for one in world.announcer.events if isinstance(one, ChangeWithheld)]


def ticks(world: MemoryWorld, minutes: int, load: Load) -> None:
    world.load.loads[NAME] = load
    for _ in range(minutes):
        world.clock.forward(minutes=1)
        reconcile(world)


class TestAwake:
    def test_an_idle_one_stays_awake_and_the_sleep_is_told_once_with_its_price(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        ticks(world, 30, IDLE)
        assert status_of(world).phase is Phase.AWAKE
        assert changes(world) == NO_CHANGE
        (told,) = withheld(world)
        assert (told.would, told.before, told.after) == (Would.SLEEP, 1, 0)
        assert told.saves_usd_per_hour == PRICE
        lines = [one.text for one in world.store.history(NAME) if "Mode=observe" in one.text]
        assert len(lines) == 1
        assert lines[0].startswith(
            "Mode=observe: it would be put to sleep, $2.61 an hour less. No request for"
        )

    def test_what_a_withheld_sleep_would_have_saved_is_counted_to_the_second(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        ticks(world, 61, IDLE)
        one = status_of(world).withheld
        assert one is not None
        assert one.saved_usd == pytest.approx(PRICE)
        assert status_of(world).would_save == {NOON.date(): pytest.approx(PRICE)}

    def test_a_request_ends_it_and_the_start_that_would_follow_is_taken_off(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        ticks(world, 61, IDLE)
        ticks(world, 2, BUSY)
        _, woken = withheld(world)
        start = PRICE * Decimal(300) / 3600  # nothing is measured: a start counts as five minutes
        assert (woken.would, woken.before, woken.after) == (Would.WAKE, 0, 1)
        assert woken.saved_usd is not None
        assert woken.saved_usd == pytest.approx(PRICE * 61 / 60 - start)
        assert status_of(world).withheld is None
        assert sum(status_of(world).would_save.values()) == pytest.approx(woken.saved_usd)
        assert changes(world) == NO_CHANGE

    def test_more_copies_are_advised_once_and_not_asked_for(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        ticks(world, 5, CROWDED)
        (told,) = withheld(world)
        assert (told.would, told.before, told.after) == (Would.RESIZE, 1, 2)
        assert told.saves_usd_per_hour == -PRICE
        assert changes(world) == NO_CHANGE

    def test_the_ledger_goes_on_counting_what_exists(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        ticks(world, 30, IDLE)
        assert [one.instances for one in status_of(world).meters] == [1]

    def test_an_update_that_waits_goes_on_waiting(self, world) -> None:
        update = Update(spec=spec(NAME), way=UpdateWay.REPLACE)
        put(world, awake(NAME, update=update))
        world.scaler.settle(NAME, 1)
        ticks(world, 3, BUSY)
        assert (status_of(world).phase, status_of(world).update) == (Phase.AWAKE, update)
        assert changes(world) == NO_CHANGE

    def test_the_kill_switch_and_the_breaker_put_nothing_down(self, world) -> None:
        paid = tuple(Try(NOON, 0, TryOutcome.OTHER) for _ in range(13))
        put(world, awake(NAME, tries=paid))
        world.scaler.settle(NAME, 1)
        ticks(world, 2, BUSY)
        assert world.store.stack().stopped_endpoints == {}, "the breaker has nothing to stop"
        state = world.store.stack()
        world.store.save_stack(state.model_copy(update={"stopped": Stop(NOON, "ada", "a leak")}))
        ticks(world, 2, BUSY)
        assert status_of(world).phase is Phase.AWAKE
        assert withheld(world)[-1].would is Would.SLEEP
        assert changes(world) == NO_CHANGE


class TestAsleep:
    def test_requests_wake_nothing_and_the_wake_is_told_once(self, world) -> None:
        put(world, asleep(NAME))
        ticks(world, 5, Load(backlog=3, concurrency_per_copy=None))
        record = world.store.load(NAME)
        assert wake_for(world, record) is record
        assert status_of(world).phase is Phase.ASLEEP
        (told,) = withheld(world)
        assert (told.would, told.after, told.saves_usd_per_hour) == (Would.WAKE, 1, -PRICE)
        assert changes(world) == NO_CHANGE

    def test_whoever_waits_is_told_why(self, world) -> None:
        put(world, asleep(NAME))
        ticks(world, 1, IDLE)
        record = world.store.load(NAME)
        assert held_up(record, world.clock.now()).startswith("the stack only observes")
        assert expected_ready(record, world.clock.now()) is None

    def test_a_fallback_is_not_woken_either(self, world) -> None:
        failed = tuple(Try(NOON, 0, TryOutcome.CAPACITY) for _ in range(3))
        put(world, asleep(NAME, tries=failed, failed_wakes=3), spec(NAME, fallback="other"))
        put(world, asleep("other"))
        found = stand_in(world, world.store.load(NAME))
        assert found is not None
        assert status_of(world, "other").phase is Phase.ASLEEP
        assert changes(world) == NO_CHANGE


class TestPhasesFollowWhatIsSeen:
    @pytest.mark.parametrize("phase", [Phase.WAKING, Phase.SLEEPING, Phase.UPDATING, Phase.ASLEEP])
    def test_copies_that_serve_make_it_awake(self, world, phase) -> None:
        put(world, asleep(NAME, phase=phase))
        world.scaler.settle(NAME, 1)
        ticks(world, 1, BUSY)
        assert (status_of(world).phase, status_of(world).generation) == (Phase.AWAKE, 2)
        assert [one.instances for one in status_of(world).meters] == [1]
        assert changes(world) == NO_CHANGE

    @pytest.mark.parametrize("phase", [Phase.WAKING, Phase.SLEEPING, Phase.AWAKE])
    def test_what_is_gone_makes_it_asleep(self, world, phase) -> None:
        put(world, awake(NAME, phase=phase))
        world.scaler.settle(NAME, 0)
        ticks(world, 1, IDLE)
        assert (status_of(world).phase, status_of(world).meters) == (Phase.ASLEEP, ())
        assert changes(world) == NO_CHANGE

    def test_between_the_two_it_stays(self, world) -> None:
        put(world, asleep(NAME, phase=Phase.WAKING))
        coming = Capacity(True, 1, 0, {"ml.g6e.xlarge": 1}, "Updating")
        world.scaler.capacities[NAME] = coming
        ticks(world, 3, BUSY)
        assert (status_of(world).phase, status_of(world).generation) == (Phase.WAKING, 1)
        assert [one.instances for one in status_of(world).meters] == [1], "what exists is counted"

    @pytest.mark.parametrize("phase", sorted(IN_TRANSITION))
    def test_an_execution_that_is_under_way_is_told_to_end(self, world, phase) -> None:
        put(world, asleep(NAME, phase=phase, cause=Cause.MESSAGE))
        assert not plan_wake(world, NAME, 1).current
        assert not may_sleep(world, NAME, 1)
        assert not record_asleep(world, NAME, 1)
        assert not record_failed(world, NAME, 1, "NoCapacity", "")
        ticks(world, 3, BUSY)
        assert changes(world) == NO_CHANGE

    def test_a_failed_one_with_instances_is_left_and_counted(self, world) -> None:
        put(world, asleep(NAME, phase=Phase.FAILED, observed_at=None))
        world.scaler.settle(NAME, 1)
        ticks(world, 2, IDLE)
        assert status_of(world).phase is Phase.FAILED
        assert [one.instances for one in status_of(world).meters] == [1]
        assert changes(world) == NO_CHANGE


class TestCommands:
    @pytest.mark.parametrize("command", ["wake", "sleep", "delete", "retry", "stop", "hold"])
    def test_what_changes_is_refused_in_a_sentence_that_names_the_parameter(self, command) -> None:
        with pytest.raises(ObserveError) as refused:
            refuse_while_observing(Mode.OBSERVE, command, NAME, False)
        assert str(refused.value) == (
            f"{command} llama is not done: the stack is deployed with the parameter Mode=observe, "
            "which changes nothing; deploy it with Mode=act first"
        )
        refuse_while_observing(Mode.ACT, command, NAME, False)

    def test_orders_past_the_command_line_are_refused_too(self, world) -> None:
        put(world, asleep(NAME))
        with pytest.raises(ObserveError):
            orders.wake(world, NAME, "ada")
        with pytest.raises(ObserveError):
            overrides.hold(world, NAME, 1, Asked(timedelta(hours=1), "demo", "ada"))
        with pytest.raises(ObserveError):
            orders.delete(world, NAME, discard_requests=True)
        assert status_of(world).phase is Phase.ASLEEP
        assert changes(world) == NO_CHANGE

    def test_a_new_endpoint_is_refused_with_the_way_to_advice(self, world) -> None:
        with pytest.raises(ObserveError, match=r"autoscaler plan FILE --trace .* advises"):
            apply(world, SETTING, document(NAME))
        assert world.store.records == {}

    def test_what_only_the_policy_reads_of_a_file_is_taken(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        apply(world, SETTING, document(NAME, scaling={"max_copies": 2, "keep_alive": "2h"}))
        ticks(world, 30, IDLE)
        assert withheld(world) == [], "it would stay awake for two hours now"

    def test_another_machine_is_refused_and_nothing_of_the_file_is_kept(self, world) -> None:
        put(world, awake(NAME))
        with pytest.raises(ObserveError, match="changing what llama runs on is not done"):
            apply(world, SETTING, document(NAME, instances={"types": ["ml.g6e.2xlarge"]}))
        assert world.store.records[NAME].spec == spec(NAME)
        assert status_of(world).update is None

    def test_the_deletion_of_the_stack_removes_it(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        refuse_while_observing(Mode.OBSERVE, "delete", NAME, True)
        orders.delete(world, NAME, discard_requests=True, cause=Cause.STACK_DELETED)
        assert world.flows.started == [(Flow.RETIRE, NAME, 2)]
        world.flows.end(Flow.RETIRE, NAME, 2, FlowState.FAILED, "denied")
        ticks(world, 2, IDLE)
        assert status_of(world).cause is Cause.STACK_DELETED, "a try that failed is tried again"
        world.scaler.capacities[NAME] = Capacity(exists=False)
        assert record_retired(world, NAME, status_of(world).generation)
        assert NAME not in world.store.records


class TestTold:
    def test_it_is_told_when_it_begins_and_ends_with_what_it_would_have_saved(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        ticks(world, 61, IDLE)
        assert world.announcer.kinds().count("ObservingBegan") == 1
        acting = in_mode(world, Mode.ACT)
        ticks(acting, 1, IDLE)
        (ended,) = [e for e in world.announcer.events if e.detail_type == "ObservingEnded"]
        assert ended.would_have_saved_usd == pytest.approx(PRICE)
        assert world.store.stack().observing_since is None
        assert status_of(world).withheld is None
        assert status_of(world).phase is Phase.SLEEPING, "from now on it is done"

    def test_the_report_says_what_was_not_saved_in_its_days(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        ticks(world, 61, IDLE)
        since, day = world.store.stack().observing_since, timedelta(days=1)
        midnight = NOON.replace(hour=0)
        (said,) = withheld_sentences(world.store.load_all(), since, midnight, midnight + day)
        assert "would have cost $2.61 less" in said and "llama $2.61" in said
        (said,) = withheld_sentences(
            world.store.load_all(), since, midnight + day, midnight + 2 * day
        )
        assert said == "The stack only observes (Mode=observe): nothing was changed."
        assert withheld_sentences(world.store.load_all(), None, midnight - day, midnight) == []

    def test_an_open_ended_report_holds_every_day_that_it_touches(self, world) -> None:
        put(world, awake(NAME, would_save={NOON.date(): Decimal(2)}))
        fleet, hour = world.store.load_all(), timedelta(hours=1)
        whole = would_have_saved(fleet, NOON + hour, NOON + 2 * hour, open_ended=True)
        assert whole == {NAME: Decimal(2)}
        assert would_have_saved(fleet, NOON + hour, NOON + 2 * hour) == {}

    def test_get_shows_what_is_withheld(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.settle(NAME, 1)
        ticks(world, 30, IDLE)
        seen = orders.describe(world, world.store.load(NAME), with_history=False)
        assert (seen["mode"], seen["withheld"]["would"]) == ("observe", "sleep")
        assert seen["withheld"]["text"] == (
            "Mode=observe: it would be put to sleep since 24 Nov 12:01 UTC, $2.61 an hour less"
        )
        assert withheld_view(asleep(NAME)) is None

    def test_an_unknown_price_is_said_and_never_a_zero(self, world) -> None:
        put(world, awake(NAME))
        world.scaler.capacities[NAME] = Capacity(True, 1, 1, {"ml.unheard.of": 1}, "InService")
        ticks(world, 20, IDLE)
        (told,) = withheld(world)
        assert (told.would, told.saves_usd_per_hour) == (Would.SLEEP, None)
        one = withheld_view(status_of(world))
        assert one is not None
        assert "at a price that is not known" in one["text"]
        assert status_of(world).would_save == {}


def test_dollars_are_split_at_midnight() -> None:
    late = NOON.replace(hour=23)
    days = added({}, late, late + timedelta(hours=3), Decimal(2))
    assert days == {late.date(): Decimal(2), (late + timedelta(days=1)).date(): Decimal(4)}


class TestLongerThanDaysAreKept:
    """Eighty days at a dollar an hour, looked at twice a day."""

    DAY = timedelta(days=1)

    @pytest.fixture
    def observed(self) -> EndpointRecord:
        return self.observed_for(80)

    def observed_for(self, days: int, since: datetime = NOON, **changes: Any) -> EndpointRecord:
        sleep = Withheld(would=Would.SLEEP, copies=0, since=since, saves_usd_per_hour=Decimal(1))
        fields = {"withheld": sleep, "withheld_at": since, **changes}
        state = StackState(observing_since=since)
        record = EndpointRecord(spec=spec(NAME), status=awake(NAME, **fields), stack=state)
        for half in range(2 * days):
            record = counted_on(record, since + (half + 1) * self.DAY / 2)
        return record

    def test_the_whole_is_told_when_it_ends(self, observed) -> None:
        now, events = NOON + 80 * self.DAY, []
        moded(observed.stack, [observed], Mode.ACT, now, events)
        (ended,) = events
        assert ended.would_have_saved_usd == 80 * 24
        assert len(observed.status.would_save) == DAYS_KEPT, "the days are not kept for ever"

    def test_the_report_of_all_of_it_says_the_whole(self, observed) -> None:
        now = NOON + 80 * self.DAY
        (said,) = withheld_sentences([observed], NOON, NOON, now, open_ended=True)
        assert "would have cost $1,920.00 less" in said

    def test_a_report_of_a_part_of_what_is_kept_as_a_sum_says_so(self, observed) -> None:
        start, end = NOON + 10 * self.DAY, NOON + 81 * self.DAY
        (said,) = withheld_sentences([observed], NOON, start, end)
        assert "would have cost $948.00 less" in said  # 39.5 days
        assert said.endswith(
            "Of what was decided from 24 Nov to 3 Jan only the sum is kept, which is not in this."
        )
        (recent,) = withheld_sentences([observed], NOON, end - 7 * self.DAY, end)
        assert "only the sum" not in recent
        (old,) = withheld_sentences([observed], None, start, start + 7 * self.DAY)
        assert old.startswith("For a time the stack only observed") and "only the sum" in old

    def test_what_an_observation_before_it_would_have_saved_is_not_its_own(self, observed) -> None:
        later = NOON + 100 * self.DAY
        days, earlier = observed.status.would_save, observed.status.would_save_earlier
        again = self.observed_for(50, later, would_save=days, would_save_earlier=earlier)
        now = later + 50 * self.DAY
        assert would_have_saved([again], later, now, open_ended=True) == {NAME: Decimal(50 * 24)}
