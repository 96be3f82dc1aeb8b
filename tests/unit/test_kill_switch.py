"""The kill switch, set by a person or by the breaker, in every phase."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.control import kill_switch, orders, overrides
from autoscaler.control.apply import apply
from autoscaler.control.breaker import runaway, usd_per_hour
from autoscaler.control.in_context import InContext
from autoscaler.control.kill_switch import start, stop
from autoscaler.control.overrides import Asked
from autoscaler.control.plan import Setting
from autoscaler.control.progress import record_asleep, record_retired, record_staged
from autoscaler.control.purse import BarredError
from autoscaler.control.reconcile import THE_STACK, ReconcileError, reconcile
from autoscaler.control.retry import retry
from autoscaler.control.size import may_sleep, plan_wake
from autoscaler.control.updating import record_updated
from autoscaler.control.waking import wake_for
from autoscaler.control.world import OrderError, UnknownEndpointError
from autoscaler.endpoints.status import Cause, EndpointStatus, Meter, Shape, Update, UpdateWay
from autoscaler.policy.ladder import Try, TryOutcome
from autoscaler.policy.types import Hold, Phase
from autoscaler.ports import Capacity, ConflictError, Flow, FlowReport, FlowState, Load
from tests.memory import NOON, MemoryAnnouncer, MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put, spec

NAME = "llama"
SETTING = Setting("stack", "UTC", "us-east-1", lambda model, revision: "c" * 40)
WAITING = Load(backlog=7, concurrency_per_copy=2.0, invocations=3.0)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


def status_of(world: MemoryWorld, name: str = NAME) -> EndpointStatus:
    return world.store.records[name].status


def told(world: MemoryWorld, kind: str) -> list[Any]:
    return [event for event in world.announcer.events if event.detail_type == kind]


def in_phase(world: MemoryWorld, phase: Phase, **changes: Any) -> None:
    copies = 1 if phase in (Phase.AWAKE, Phase.UPDATING) else 0
    make = awake if copies else asleep
    put(world, make(NAME, **{"phase": phase, **changes}))
    world.scaler.settle(NAME, copies)
    world.load.loads[NAME] = WAITING


class TestOn:
    @pytest.mark.parametrize("phase", [Phase.AWAKE, Phase.WAKING])
    def test_what_is_up_or_on_its_way_up_goes_to_zero_at_once(self, world, phase) -> None:
        in_phase(world, phase, hold=Hold(NOON + timedelta(hours=2), 1, "demo", "bob"))
        done = stop(world, "ada", "a leaked key")
        assert done.phases == {NAME: "SLEEPING"}
        assert status_of(world).cause is Cause.STOPPED
        assert (Flow.SLEEP, NAME, status_of(world).generation) in world.flows.started

    def test_a_wake_under_way_is_ended(self, world) -> None:
        in_phase(world, Phase.WAKING)
        world.flows.start(Flow.WAKE, NAME, 1)
        stop(world, "ada", "a leaked key")
        assert world.flows.stopped == [(Flow.WAKE, NAME, 1)]

    def test_instances_that_never_came_are_not_counted(self, world) -> None:
        meter = Meter(instances=2, instance_type="ml.g6e.xlarge", since=NOON)
        came = {"came": {"ml.g6e.xlarge": 1}, "instance_seen_at": NOON}
        in_phase(world, Phase.WAKING, meters=(meter,), **came)
        world.clock.forward(minutes=4)
        stop(world, "ada", "a leaked key")
        assert [one.instances for one in status_of(world).meters] == [1]

    def test_a_wake_that_began_in_the_same_moment_lives_for_one_tick(self, world) -> None:
        in_phase(world, Phase.ASLEEP)
        stop(world, "ada", "a leaked key")
        waking = status_of(world).model_copy(update={"phase": Phase.WAKING, "cause": Cause.MESSAGE})
        world.store.save(waking)  # by a dispatcher that had read the endpoint before
        assert not plan_wake(world, NAME, 1).current, "it sizes no wake"
        reconcile(world)
        assert status_of(world).phase is Phase.SLEEPING

    def test_a_sleep_goes_on_although_requests_and_a_hold_speak_against_it(self, world) -> None:
        hold = Hold(NOON + timedelta(hours=2), 1, "demo", "bob")
        in_phase(world, Phase.SLEEPING, cause=Cause.IDLE, hold=hold)
        stop(world, "ada", "a leaked key")
        assert may_sleep(world, NAME, 1)

    def test_nothing_wakes_it(self, world) -> None:
        in_phase(world, Phase.ASLEEP)
        stop(world, "ada", "a leaked key")
        wake_for(world, world.store.load(NAME))
        for _ in range(5):
            reconcile(world)
            world.clock.forward(minutes=1)
        assert status_of(world).phase is Phase.ASLEEP
        assert "stopped since 24 Nov 12:00 UTC by ada: a leaked key" in status_of(world).last_reason
        with pytest.raises(BarredError, match=r"cannot be woken: .* `autoscaler start`"):
            orders.wake(world, NAME, "bob")
        with pytest.raises(OrderError, match="a hold would keep no copy of llama awake"):
            overrides.hold(world, NAME, 1, Asked(timedelta(hours=1), "demo", "bob"))
        assert status_of(world).hold is None

    def test_copies_that_vanish_meanwhile_are_not_put_back(self, world) -> None:
        in_phase(world, Phase.AWAKE)
        state = world.store.stack()
        set_only = state.model_copy(update={"stopped": kill_switch.Stop(NOON, "ada", "a leak")})
        world.store.save_stack(set_only)  # the order died before it put anything down
        world.scaler.settle(NAME, 0)
        reconcile(world)
        assert (status_of(world).phase, status_of(world).cause) == (Phase.SLEEPING, Cause.STOPPED)

    def test_a_roll_goes_to_zero_and_its_file_waits(self, world) -> None:
        update = Update(spec=spec(NAME, scaling={"max_copies": 3}), way=UpdateWay.ROLL, build=2)
        in_phase(world, Phase.UPDATING, update=update, reshaping=True)
        stop(world, "ada", "a leaked key")
        status = status_of(world)
        assert (status.phase, status.reshaping) == (Phase.SLEEPING, True)
        assert status.update is not None and status.update.build == 0

    def test_an_update_waits_for_the_start(self, world) -> None:
        update = Update(spec=spec(NAME, scaling={"max_copies": 3}), way=UpdateWay.ROLL)
        in_phase(world, Phase.ASLEEP, update=update)
        stop(world, "ada", "a leaked key")
        reconcile(world)
        assert status_of(world).phase is Phase.ASLEEP
        start(world, "ada")
        reconcile(world)
        assert status_of(world).phase is Phase.UPDATING

    def test_a_conflict_is_left_to_the_next_tick(self, world) -> None:
        in_phase(world, Phase.AWAKE)
        world.store.conflicts_to_come = 1
        assert stop(world, "ada", "a leaked key").left == {NAME: "it was being written"}
        assert world.store.conflicts_to_come == 0, "the conflict took place"
        reconcile(world)
        assert status_of(world).phase is Phase.SLEEPING

    def test_what_aws_refuses_of_one_leaves_the_others_stopped_and_is_shown(self, world) -> None:
        in_phase(world, Phase.AWAKE)
        put(world, awake("other"))
        world.scaler.settle("other", 1)
        world.flows.broken = True
        done = stop(world, "ada", "a leaked key")
        assert set(done.left) == {NAME, "other"}
        assert "ConnectionError" in done.left["other"]
        assert world.store.stack().stopped is not None
        world.flows.broken = False
        reconcile(world)
        assert {flow for flow, *_ in world.flows.started} == {Flow.SLEEP}
        assert len(world.flows.started) == 2

    def test_it_is_set_once(self, world) -> None:
        stop(world, "ada", "a leaked key")
        with pytest.raises(OrderError, match=r"by ada: a leaked key; .*: it is on already"):
            stop(world, "bob", "another")

    def test_one_endpoint_alone(self, world) -> None:
        in_phase(world, Phase.AWAKE)
        put(world, awake("other"))
        world.scaler.settle("other", 1)
        world.load.loads["other"] = WAITING
        stop(world, "ada", "it loops", NAME)
        assert status_of(world).phase is Phase.SLEEPING
        reconcile(world)
        assert status_of(world, "other").phase is Phase.AWAKE
        with pytest.raises(UnknownEndpointError):
            stop(world, "ada", "it loops", "nobody")


class TestACreation:
    def test_is_parked_and_what_it_made_is_removed(self, world) -> None:
        meter = Meter(instances=1, instance_type="ml.g6e.xlarge", since=NOON)
        in_phase(world, Phase.CREATING, meters=(meter,))
        world.scaler.settle(NAME, 1)
        world.flows.start(Flow.DEPLOY, NAME, 1)
        stop(world, "ada", "a leaked key")
        status = status_of(world)
        assert (status.phase, status.parked, status.failed_in) == (
            Phase.FAILED,
            True,
            Phase.CREATING,
        )
        assert world.flows.stopped == [(Flow.DEPLOY, NAME, 1)]
        assert world.flows.started[-1] == (Flow.REMOVE, NAME, 2)
        assert told(world, "EndpointFailed") == []

    def test_begins_anew_after_the_start_when_nothing_of_it_is_left(self, world) -> None:
        in_phase(world, Phase.CREATING)
        world.scaler.settle(NAME, 1)
        stop(world, "ada", "a leaked key")
        start(world, "ada")
        reconcile(world)
        assert status_of(world).phase is Phase.FAILED, "an instance is still there"
        assert [flow for flow, *_ in world.flows.started].count(Flow.REMOVE) == 1
        world.flows.end(Flow.REMOVE, NAME, 2, FlowState.SUCCEEDED)
        reconcile(world)
        assert world.flows.started[-1] == (Flow.REMOVE, NAME, 3), "it is still there: once more"
        world.scaler.capacities[NAME] = Capacity(exists=False)
        world.flows.end(Flow.REMOVE, NAME, 3, FlowState.SUCCEEDED)
        reconcile(world)
        status = status_of(world)
        assert (status.phase, status.parked, status.failure) == (Phase.STAGING, False, None)
        assert world.flows.started[-1] == (Flow.DEPLOY, NAME, status.generation)

    def test_what_was_parked_by_somebody_who_died_is_ended_and_removed_by_the_tick(
        self, world
    ) -> None:
        in_phase(world, Phase.CREATING)
        world.scaler.capacities[NAME] = Capacity(exists=False)
        world.flows.start(Flow.DEPLOY, NAME, 1)
        stop(world, "ada", "a leaked key")
        world.flows.states = {(Flow.DEPLOY, NAME, 1): FlowReport(FlowState.RUNNING)}
        world.flows.stopped.clear()
        world.flows.started.clear()
        reconcile(world)
        assert world.flows.stopped == [(Flow.DEPLOY, NAME, 1)]
        assert world.flows.started == [(Flow.REMOVE, NAME, 2)]
        start(world, "ada")
        reconcile(world)
        assert status_of(world).parked, "what it made is still being removed"

    def test_begins_anew_with_the_file_that_waits(self, world) -> None:
        after = spec(NAME, instances={"types": ["ml.g6e.2xlarge"]})
        in_phase(world, Phase.CREATING, update=Update(spec=after, way=UpdateWay.REPLACE))
        stop(world, "ada", "a leaked key")
        world.scaler.capacities[NAME] = Capacity(exists=False)
        world.flows.end(Flow.REMOVE, NAME, 2, FlowState.SUCCEEDED)
        start(world, "ada")
        reconcile(world)
        begun = world.store.load(NAME)
        assert (begun.status.phase, begun.status.update) == (Phase.STAGING, None)
        assert begun.spec.instances.types == ("ml.g6e.2xlarge",)

    def test_whoever_tries_it_again_hears_what_it_waits_for(self, world) -> None:
        in_phase(world, Phase.CREATING)
        stop(world, "ada", "a leaked key")
        with pytest.raises(OrderError, match=r"cannot be tried now: .* `autoscaler start`"):
            retry(world, NAME, "bob")
        start(world, "ada")
        with pytest.raises(OrderError, match="begins anew by itself"):
            retry(world, NAME, "bob")

    def test_a_wake_that_is_asked_for_again_hears_of_the_switch(self, world) -> None:
        in_phase(world, Phase.ASLEEP)
        stop(world, "ada", "a leaked key")
        with pytest.raises(OrderError, match=r"cannot be tried now: .* `autoscaler start`"):
            retry(world, NAME, "bob")

    def test_staging_goes_on_and_asks_for_no_instance(self, world) -> None:
        in_phase(world, Phase.STAGING)
        world.flows.start(Flow.DEPLOY, NAME, 1)
        stop(world, "ada", "a leaked key")
        assert status_of(world).phase is Phase.STAGING
        assert not record_staged(world, NAME, 1, "c" * 40, "s3://bucket/models/x/")
        world.flows.end(Flow.DEPLOY, NAME, 1, FlowState.SUCCEEDED)
        reconcile(world)
        assert status_of(world).parked
        assert status_of(world).meters == ()


class TestOff:
    def test_what_waits_is_woken_by_the_next_tick(self, world) -> None:
        in_phase(world, Phase.AWAKE)
        stop(world, "ada", "a leaked key")
        world.scaler.settle(NAME, 0)
        record_asleep(world, NAME, status_of(world).generation)
        world.clock.forward(minutes=30)
        start(world, "bob")
        reconcile(world)
        assert status_of(world).phase is Phase.WAKING
        (ended,) = told(world, "StopEnded")
        assert (ended.author, ended.since_seconds) == ("bob", 1800)

    def test_what_is_not_on_is_not_ended(self, world) -> None:
        with pytest.raises(OrderError, match="nothing is stopped"):
            start(world, "ada")
        put(world, awake(NAME))
        with pytest.raises(OrderError, match="autoscaler wake llama"):
            start(world, "ada", NAME)
        stop(world, "ada", "it loops", NAME)
        with pytest.raises(OrderError, match="only llama: autoscaler start llama"):
            start(world, "ada")

    @pytest.mark.parametrize("stopped", [True, False])
    def test_one_that_there_is_not_is_not_said_to_be_awake(self, world, stopped) -> None:
        put(world, awake(NAME))
        if stopped:
            stop(world, "ada", "a leaked key")
        with pytest.raises(UnknownEndpointError, match="no endpoint 'nosuch'; endpoints here: ll"):
            start(world, "ada", "nosuch")

    def test_who_is_stopped_by_itself_stays_so_and_that_is_told(self, world) -> None:
        put(world, awake(NAME))
        stop(world, "ada", "it loops", NAME)
        stop(world, "ada", "a leaked key")
        start(world, "ada")
        assert told(world, "StopEnded")[-1].still_stopped == (NAME,)
        assert world.store.load(NAME).stack.stop_of(NAME) is not None


class TestTelling:
    def test_the_switch_and_its_end_are_told(self, world) -> None:
        stop(world, "ada", "a leaked key")
        start(world, "bob")
        assert world.announcer.kinds() == ["StopSet", "StopEnded"]
        assert world.store.stack().untold == ()

    def test_what_the_bus_does_not_take_is_told_by_a_later_tick(self, world) -> None:
        put(world, asleep(NAME))
        world.announcer.broken = True
        stop(world, "ada", "a leaked key")
        assert [event.detail_type for event in world.announcer.refused] == ["StopSet"]
        with pytest.raises(ReconcileError, match="the bus does not answer") as failed:
            reconcile(world)
        assert THE_STACK in str(failed.value)
        world.announcer.broken = False
        reconcile(world)
        assert "StopSet" in world.announcer.kinds()

    def test_every_other_announcement_says_that_it_is_on(self, world) -> None:
        in_phase(world, Phase.AWAKE)
        stop(world, "ada", "a leaked key")
        heard = MemoryAnnouncer()
        InContext(heard, world.store).announce_all(told(world, "StopSet"))
        assert "by ada: a leaked key" in heard.events[0].stopped
        start(world, "ada")
        InContext(heard, world.store).announce_all(told(world, "StopEnded"))
        assert heard.events[-1].stopped == ""


class TestTheBreaker:
    def test_instances_far_beyond_what_the_file_allows_stop_it(self, world) -> None:
        in_phase(world, Phase.AWAKE)
        world.scaler.capacities[NAME] = Capacity(True, 1, 1, {"ml.g6e.xlarge": 9}, "InService")
        reconcile(world)  # sees them
        reconcile(world)
        (event,) = told(world, "RunawayStopped")
        assert event.saw == (
            "Its instances cost $23.49 an hour, and 3 instances at $2.61 is the most that its "
            "file allows."
        )
        assert status_of(world).phase is Phase.SLEEPING
        assert world.store.stack().stopped_endpoints[NAME].author == "the breaker"

    def test_an_instance_more_while_one_is_replaced_is_no_runaway(self, world) -> None:
        put(world, awake(NAME, instances=3))
        assert runaway(world.store.load(NAME), NOON) is None

    def many(self, world: MemoryWorld) -> None:
        many = {"scaling": {"max_copies": 8}}
        put(
            world, awake(NAME, instances=8, observed_copies=8, desired_copies=8), spec(NAME, **many)
        )
        world.scaler.settle(NAME, 8)
        world.load.loads[NAME] = WAITING

    def test_a_file_that_allows_less_gives_back_in_good_order(self, world) -> None:
        self.many(world)
        apply(world, SETTING, document(NAME, scaling={"max_copies": 1}))
        reconcile(world)
        assert told(world, "RunawayStopped") == []
        assert world.scaler.look(NAME).desired_copies == 1
        world.scaler.capacities[NAME] = Capacity(True, 1, 1, {"ml.g6e.xlarge": 8}, "InService")
        world.clock.forward(minutes=59)
        assert runaway(world.store.load(NAME), world.clock.now()) is None
        world.clock.forward(minutes=2)
        assert "$20.88 an hour" in str(runaway(world.store.load(NAME), world.clock.now()))

    def test_more_than_even_the_earlier_file_allowed_is_a_runaway_all_the_same(self, world) -> None:
        self.many(world)
        apply(world, SETTING, document(NAME, scaling={"max_copies": 1}))
        world.scaler.capacities[NAME] = Capacity(True, 8, 8, {"ml.g6e.xlarge": 19}, "InService")
        reconcile(world)
        reconcile(world)
        assert [event.endpoint for event in told(world, "RunawayStopped")] == [NAME]

    def test_an_update_that_puts_more_copies_on_a_machine_is_no_runaway(self, world) -> None:
        self.many(world)
        after = spec(NAME, scaling={"max_copies": 8}, serving={"concurrency_per_copy": 4})
        rolling = status_of(world).model_copy(
            update={"phase": Phase.UPDATING, "update": Update(spec=after, way=UpdateWay.ROLL)}
        )
        world.store.save(rolling)
        assert record_updated(world, NAME, 1, rolling.shape, 8)
        assert status_of(world).phase is Phase.AWAKE
        assert runaway(world.store.load(NAME), NOON) is None

    def test_a_machine_that_the_file_names_no_more_serves_on(self, world) -> None:
        dear = {"types": ["ml.g6e.xlarge"], "alternatives": [{"types": ["ml.p4d.24xlarge"]}]}
        shape = Shape(rung=1)
        meter = Meter(instances=1, instance_type="ml.p4d.24xlarge", since=NOON)
        put(
            world,
            awake(NAME, shape=shape, shaped=shape, meters=(meter,)),
            spec(NAME, instances=dear),
        )
        assert runaway(world.store.load(NAME), NOON) is None
        apply(world, SETTING, document(NAME, instances={"types": ["ml.g6e.xlarge"]}))
        later = NOON + timedelta(hours=9)
        assert runaway(world.store.load(NAME), later) is None

    def tries(self, count: int, outcome: TryOutcome = TryOutcome.SERVED) -> tuple[Try, ...]:
        return tuple(Try(NOON - timedelta(minutes=4 * n), 0, outcome) for n in range(count, 0, -1))

    @pytest.mark.parametrize("outcome", sorted(set(TryOutcome) - {TryOutcome.CAPACITY}))
    def test_starts_again_and_again_stop_it(self, world, outcome) -> None:
        """Those that failed are paid for too."""
        put(world, asleep(NAME, tries=self.tries(13, outcome)))
        reconcile(world)
        (event,) = told(world, "RunawayStopped")
        assert event.saw == "It was started 13 times within an hour, and 12 times is the most."

    @pytest.mark.parametrize(
        ("count", "outcome", "wakes_per_day"),
        [
            (12, TryOutcome.SERVED, 96),
            (13, TryOutcome.CAPACITY, 96),  # nothing was paid for
            (13, TryOutcome.SERVED, 104),
        ],
    )
    def test_what_may_be_is_no_runaway(self, world, count, outcome, wakes_per_day) -> None:
        tries = self.tries(count, outcome)
        put(world, asleep(NAME, tries=tries), spec(NAME, budget={"wakes_per_day": wakes_per_day}))
        reconcile(world)
        assert told(world, "RunawayStopped") == []

    def test_after_a_start_what_was_counted_before_says_nothing(self, world) -> None:
        put(world, asleep(NAME, tries=self.tries(13)))
        reconcile(world)
        start(world, "ada", NAME)
        reconcile(world)
        assert len(told(world, "RunawayStopped")) == 1
        assert world.store.stack().stopped_endpoints == {}

    def test_the_stop_of_an_endpoint_that_is_gone_is_forgotten(self, world) -> None:
        put(world, awake(NAME))
        put(world, asleep("other"))
        stop(world, "ada", "it loops", NAME)
        world.store.forget(status_of(world))
        reconcile(world)
        assert world.store.stack().stopped_endpoints == {}

    def test_a_conflict_at_the_stacks_item_leaves_the_endpoints_looked_at(self, world) -> None:
        put(world, asleep(NAME, tries=self.tries(13)))
        put(world, awake("other"))
        world.scaler.settle("other", 1)

        def refused(state: Any) -> Any:
            raise ConflictError("ordered by the test")

        kept, world.store.save_stack = world.store.save_stack, refused
        assert THE_STACK in reconcile(world).conflicts
        assert status_of(world, "other").observed_at == NOON
        world.store.save_stack = kept
        reconcile(world)
        assert len(told(world, "RunawayStopped")) == 1


def test_the_price_of_what_runs_away_is_in_dollars_an_hour(world) -> None:
    put(world, awake(NAME, instances=9))
    assert "$23.49" in str(runaway(world.store.load(NAME), NOON))
    assert Decimal("23.49") == 9 * Decimal("2.61")


def test_of_shared_machines_its_own_part_is_what_runs_away(world) -> None:
    record = put(world, awake(NAME, instances=9))
    (meter,) = record.status.meters
    part = meter.model_copy(update={"shared": "small", "share": Decimal("0.1")})
    record = record.having(record.status.model_copy(update={"meters": (part,)}))
    assert usd_per_hour(record) == Decimal("2.349")
    assert runaway(record, NOON) is None


def test_the_stop_of_one_that_was_removed_goes_with_it(world) -> None:
    put(world, asleep(NAME, phase=Phase.RETIRING))
    stop(world, "ada", "it loops", NAME)
    world.scaler.capacities[NAME] = Capacity(exists=False)
    assert record_retired(world, NAME, 1)
    assert world.store.stack().stopped_endpoints == {}, "no tick has looked since"
    apply(world, SETTING, document(NAME))
    assert status_of(world).phase is Phase.STAGING
    assert world.store.load(NAME).stack.stop_of(NAME) is None
