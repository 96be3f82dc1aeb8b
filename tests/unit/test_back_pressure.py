"""As many dispatchers at a time as the copies can keep busy, told only when that changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from autoscaler.aws.readers import MappedReaders
from autoscaler.control.back_pressure import asks_later, wanted_readers, with_later_read
from autoscaler.control.reconcile import ReconcileError, reconcile
from autoscaler.endpoints.queues import readers
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy.types import Bounds, Phase, Stop
from autoscaler.ports import Capacity, Flow, Load
from tests.memory import NOON, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"


@pytest.mark.parametrize(
    ("copies", "concurrency", "expected"),
    [(0, 16, 2), (1, 16, 2), (2, 16, 4), (3, 16, 5), (1, 1, 2), (100, 1024, 1000)],
)
def test_copies_times_concurrency_in_batches_of_ten(copies, concurrency, expected) -> None:
    wanted = spec(NAME, serving={"concurrency_per_copy": concurrency})
    assert readers(wanted, copies) == expected


@pytest.mark.parametrize(
    ("status", "desired", "current", "expected"),
    [
        (awake(NAME), 4, 2, 7),
        (awake(NAME), 1, 4, 7),
        (asleep(NAME, phase=Phase.WAKING, wish_copies=4), 0, 0, 7),
        (asleep(NAME, phase=Phase.SLEEPING), 0, 4, 2),
        (asleep(NAME, phase=Phase.RETIRING), 0, 4, 2),
    ],
)
def test_of_a_wake_those_that_it_will_bring(status, desired, current, expected) -> None:
    record = EndpointRecord(spec=spec(NAME), status=status)
    capacity = Capacity(exists=True, desired_copies=desired, current_copies=current)
    assert wanted_readers(record, capacity) == expected


def test_the_tick_tells_it_once_and_again_when_it_changes() -> None:
    world = memory_world()
    put(world, awake(NAME, desired_copies=4), spec(NAME, scaling={"max_copies": 8}))
    world.scaler.settle(NAME, 4)
    for _ in range(3):
        reconcile(world)
    assert world.readers.given[0] == (NAME, 7)
    told = len(world.readers.given)
    copies = world.scaler.look(NAME).desired_copies
    world.scaler.settle(NAME, copies)
    reconcile(world)
    given = world.readers.given
    assert len({most for _, most in given}) == len(given), "never the same twice in a row"
    assert len(given) <= told + 1


def test_before_there_is_a_reader_nothing_is_noted_as_told() -> None:
    world = memory_world()
    put(world, awake(NAME, desired_copies=4))
    world.scaler.settle(NAME, 4)
    world.readers.unmapped = {NAME}
    reconcile(world)
    assert world.store.records[NAME].status.readers is None
    world.readers.unmapped = set()
    reconcile(world)
    assert world.store.records[NAME].status.readers == world.readers.given[-1][1]


@pytest.mark.parametrize("phase", [Phase.AWAKE, Phase.ASLEEP])
def test_the_queue_of_what_may_wait_is_read_while_there_is_something_in_it(phase: Phase) -> None:
    world = memory_world()
    put(world, asleep(NAME, phase=phase, bounds=Bounds(0, 2)))
    reconcile(world)
    reconcile(world)
    assert world.readers.later == [(NAME, False)], "empty: told once"
    world.load.loads[NAME] = Load(backlog=0, concurrency_per_copy=0.0, deferrable=2)
    reconcile(world)
    reconcile(world)
    assert world.readers.later == [(NAME, False), (NAME, True)]
    assert world.store.records[NAME].status.reads_later


@pytest.mark.parametrize(("tick_minutes", "ticks", "asked"), [(1, 60, 12), (5, 12, 12), (7, 9, 9)])
def test_while_nothing_lies_there_it_is_asked_every_five_minutes_whatever_the_second(
    tick_minutes: int, ticks: int, asked: int
) -> None:
    world = replace(memory_world(), tick=timedelta(minutes=tick_minutes))
    world.clock.forward(seconds=17)
    put(world, asleep(NAME, reads_later=False))
    for _ in range(ticks):
        reconcile(world)
        world.clock.forward(minutes=tick_minutes)
    assert len(world.load.later_asked) == asked


def test_it_is_asked_by_each_tick_while_something_lies_there_or_is_due() -> None:
    world = memory_world()
    record = EndpointRecord(spec=spec(NAME), status=asleep(NAME, reads_later=False))
    quiet = NOON + timedelta(minutes=2)
    assert not asks_later(record, quiet, world.tick)
    assert asks_later(record.model_copy(update={"deferrable_due_at": NOON}), quiet, world.tick)
    read = record.status.model_copy(update={"reads_later": True})
    assert asks_later(record.having(read), quiet, world.tick)


def test_what_lambda_cannot_change_now_is_tried_again() -> None:
    world = memory_world()
    put(world, asleep(NAME))
    world.readers.busy = True
    reconcile(world)
    assert world.store.records[NAME].status.reads_later
    world.readers.busy = False
    reconcile(world)
    assert not world.store.records[NAME].status.reads_later


def test_what_lambda_refuses_is_loud_and_does_not_keep_a_stopped_endpoint_up() -> None:
    world = memory_world()
    world.load.loads[NAME] = Load(backlog=0, concurrency_per_copy=0.0, deferrable=2)
    put(world, asleep(NAME, phase=Phase.WAKING, reads_later=False))
    state = world.store.stack()
    world.store.save_stack(state.model_copy(update={"stopped": Stop(NOON, "ada", "a leak")}))
    world.readers.broken = True
    with pytest.raises(ReconcileError, match="Lambda does not answer"):
        reconcile(world)
    assert world.store.records[NAME].status.phase is Phase.SLEEPING


@pytest.mark.parametrize(
    ("status", "ends"),
    [
        (awake(NAME, instances=1, last_active_at=NOON), Phase.SLEEPING),
        (asleep(NAME, phase=Phase.SLEEPING), Phase.SLEEPING),
    ],
)
def test_what_lambda_refuses_is_loud_and_keeps_nobody_up(status, ends) -> None:
    """An idle machine goes to zero, and what is on its way there is looked after."""
    world = memory_world()
    put(world, status)
    world.scaler.settle(NAME, 1 if status.phase is Phase.AWAKE else 0)
    world.readers.broken = True
    for _ in range(30):
        with pytest.raises(ReconcileError, match="Lambda does not answer"):
            reconcile(world)
        if world.store.records[NAME].status.phase is ends and world.flows.started:
            break
        world.clock.forward(minutes=1)
    assert world.store.records[NAME].status.phase is ends
    assert [flow for flow, *_ in world.flows.started] == [Flow.SLEEP]


@pytest.mark.parametrize(
    ("phase", "load", "told"),
    [
        (Phase.CREATING, Load(0, 0.0), []),  # it is mapped in a moment
        (Phase.RETIRING, Load(0, 0.0), []),  # it goes
        (Phase.ASLEEP, Load(None, 0.0, trouble="no answer"), []),  # nobody knows
    ],
)
def test_it_is_not_closed_unless_it_is_surely_empty_and_stays(phase, load, told) -> None:
    world = memory_world()
    record = put(world, asleep(NAME, phase=phase))
    with_later_read(world, record, load)
    assert world.readers.later == told


def test_whoever_is_removed_reads_what_is_left_there() -> None:
    world = memory_world()
    record = put(world, asleep(NAME, phase=Phase.RETIRING, reads_later=False))
    with_later_read(world, record, Load(0, 0.0, deferrable=1))
    assert world.readers.later == [(NAME, True)]


@pytest.mark.parametrize(
    ("phase", "told"),
    [(Phase.RETIRING, [(NAME, True)]), (Phase.ASLEEP, []), (Phase.AWAKE, [])],
)
def test_without_its_other_queue_only_who_is_removed_reads_what_is_left(phase, told) -> None:
    """Somebody deleted that by hand: the sweep says so, and nothing wakes meanwhile."""
    world = memory_world()
    record = put(world, asleep(NAME, phase=phase, reads_later=False))
    with_later_read(world, record, Load(None, 0.0, deferrable=1))
    assert world.readers.later == told


def test_without_its_other_queue_what_may_wait_wakes_nothing() -> None:
    """Awake it would never be seen at rest again."""
    world = memory_world()
    world.load.loads[NAME] = Load(None, None, deferrable=5000)
    put(world, asleep(NAME, reads_later=False))
    for _ in range(10):
        reconcile(world)
        world.clock.forward(minutes=1)
    assert (world.store.records[NAME].status.phase, world.flows.started) == (Phase.ASLEEP, [])
    world.load.loads[NAME] = Load(0, None, deferrable=5000)
    reconcile(world)
    assert world.store.records[NAME].status.phase is Phase.WAKING, "as beside its queue"


class Functions:
    """Lambda's calls on mappings, as far as they are used here; notes what was changed."""

    def __init__(self, most: int | None) -> None:
        scaling = {} if most is None else {"ScalingConfig": {"MaximumConcurrency": most}}
        self.found = [{"UUID": "u-1", **scaling}]
        self.asked: list[dict[str, str]] = []
        self.changed: list[tuple[str, int | bool | None]] = []
        self.busy = False

    def get_paginator(self, operation: str) -> Functions:
        assert operation == "list_event_source_mappings"
        return self

    def paginate(self, **asked: str) -> list[dict[str, list]]:
        self.asked.append(asked)
        return [{"EventSourceMappings": self.found}]

    def update_event_source_mapping(
        self, UUID: str, ScalingConfig: dict[str, int] | None = None, Enabled: bool | None = None
    ) -> None:
        if self.busy:
            raise ClientError(
                {"Error": {"Code": "ResourceInUseException", "Message": "Enabling"}}, "Update"
            )
        changed = Enabled if ScalingConfig is None else ScalingConfig["MaximumConcurrency"]
        self.changed.append((UUID, changed))


@pytest.mark.parametrize(("before", "changed"), [(None, [("u-1", 5)]), (2, [("u-1", 5)]), (5, [])])
def test_the_mapping_of_the_endpoints_own_queue_is_changed(before, changed) -> None:
    functions = Functions(before)
    mapped = MappedReaders("autoscaler", "dispatcher", "arn:aws:sqs:eu-west-1:1:", functions)
    assert mapped.set(NAME, 5)
    assert functions.asked[0]["EventSourceArn"] == "arn:aws:sqs:eu-west-1:1:autoscaler-llama"
    assert functions.changed == changed
    functions.busy = True
    assert mapped.set(NAME, 5 if before == 5 else 7) is (before == 5), "it cannot be changed now"
    functions.found = []
    assert not mapped.set(NAME, 5)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_mapping_of_what_may_wait_is_enabled_or_not(wanted: bool) -> None:
    functions = Functions(2)
    mapped = MappedReaders("autoscaler", "dispatcher", "arn:aws:sqs:eu-west-1:1:", functions)
    assert mapped.read_later(NAME, wanted)
    assert functions.asked[0]["EventSourceArn"] == "arn:aws:sqs:eu-west-1:1:autoscaler-llama-later"
    assert functions.changed == [("u-1", wanted)]
    functions.busy = True
    assert not mapped.read_later(NAME, wanted)
    functions.found = []
    assert mapped.read_later(NAME, wanted), "nothing to change"
