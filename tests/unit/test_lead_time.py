"""How long a start is expected to take before a wake was measured; all are told the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.alerts.events.life import WakeRequested
from autoscaler.catalog.loading import PROVISIONING, expected_start
from autoscaler.catalog.models import known_model
from autoscaler.control.apply import apply
from autoscaler.control.awake import record_awake
from autoscaler.control.observe import history
from autoscaler.control.orders import describe
from autoscaler.control.patience import expected_ready, time_until_ready
from autoscaler.control.plan import Setting
from autoscaler.control.progress import record_asleep
from autoscaler.control.reconcile import reconcile
from autoscaler.control.start import Patience, Verdict, look_at_start
from autoscaler.control.updating import created_with_update, record_updated
from autoscaler.control.wishes import request_sleep, request_wake
from autoscaler.endpoints.starts import created_in, estimated_start
from autoscaler.endpoints.status import (
    Cause,
    ColdStart,
    EndpointRecord,
    EndpointStatus,
    Shape,
    Update,
    UpdateWay,
)
from autoscaler.policy import DEFAULT_LEAD_TIME, lead_time
from autoscaler.policy.economy import worth_asking_after
from autoscaler.policy.types import History, Phase
from autoscaler.ports import Capacity
from autoscaler.spec import EndpointSpec, parse_spec
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, document, put, spec

R1, R1_ID = "deepseek-r1", "deepseek-ai/DeepSeek-R1"
R1_FILE = Path(__file__).parents[2] / "endpoints" / "deepseek-r1.yaml"
EIGHT_B = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"
SETTING = Setting("autoscaler", "UTC", "us-east-1", lambda _model, _revision: "c" * 40)
PATIENCE = Patience(capacity=timedelta(minutes=15), wake=timedelta(minutes=180))
OPENS = datetime.fromisoformat("2026-11-26T09:00+01:00")  # the workshop, on a Thursday in Berlin
MINUTE = timedelta(minutes=1)


def r1() -> EndpointSpec:
    return parse_spec(yaml.safe_load(R1_FILE.read_text(encoding="utf-8")))


def minutes(*took: float) -> tuple[timedelta, ...]:
    return tuple(one * MINUTE for one in took)


def a_start(took: timedelta, *, asked: timedelta | None = timedelta(minutes=2)) -> ColdStart:
    """Over at noon; asked for `asked` after the wish, and `took` before it was ready."""
    begun = NOON - took
    return ColdStart(
        requested_at=begun - (asked or timedelta(0)),
        asked_at=None if asked is None else begun,
        ready_at=NOON,
        cause=Cause.APPLY,
        copies=1,
    )


def of(wanted: EndpointSpec, **changes: Any) -> EndpointRecord:
    return EndpointRecord(spec=wanted, status=asleep(wanted.name, **changes))


def lead(record: EndpointRecord) -> timedelta:
    return lead_time(history(record))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, 5),
        ({"estimated_start": 3 * MINUTE}, 5),
        ({"estimated_start": 45 * MINUTE}, 45),
        ({"estimated_start": 45 * MINUTE, "created_in": 38 * MINUTE}, 38),
        ({"estimated_start": 45 * MINUTE, "created_in": 4 * MINUTE}, 4),
        (
            {"estimated_start": 45 * MINUTE, "created_in": 38 * MINUTE, "lead_times": minutes(31)},
            31,
        ),
        ({"created_in": 2 * MINUTE, "lead_times": minutes(4, 30, 5)}, 30),
    ],
)
def test_wakes_count_first_then_the_creation_then_the_estimate(
    known: dict[str, Any], expected: float
) -> None:
    assert lead_time(History(**known)) == expected * MINUTE


def test_the_estimate_of_r1_is_the_slow_end_of_what_was_seen_of_it() -> None:
    facts = known_model(R1_ID)
    assert facts is not None
    assert 45 * MINUTE <= expected_start(facts) <= 46 * MINUTE
    assert lead(of(r1())) == expected_start(facts)


def test_a_small_model_and_one_that_nobody_knows_have_the_default() -> None:
    small, facts = spec("llama"), known_model(EIGHT_B)
    assert facts is not None
    assert expected_start(facts) < DEFAULT_LEAD_TIME
    unknown = spec("llama", model={"id": "acme/model"})
    assert estimated_start(of(unknown)) is None
    assert (lead(of(small)), lead(of(unknown))) == (DEFAULT_LEAD_TIME, DEFAULT_LEAD_TIME)


def test_the_facts_of_a_model_on_the_hub_count_for_that_model_alone() -> None:
    facts = known_model(R1_ID)
    assert facts is not None
    here = spec("llama", model={"id": "acme/model", "source": "hub"})
    own, others = of(here, facts=replace(facts, id="acme/model")), of(here, facts=facts)
    assert estimated_start(own) == expected_start(facts)
    assert estimated_start(others) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("component", 38 * MINUTE + PROVISIONING), ("realtime", 38 * MINUTE), ("async", 38 * MINUTE)],
)
def test_a_component_was_asked_for_when_it_had_its_machine(kind: str, expected: timedelta) -> None:
    assert created_in(of(spec("llama", kind=kind), creation=a_start(38 * MINUTE))) == expected


def test_a_creation_that_nobody_saw_asked_for_says_nothing() -> None:
    assert created_in(of(r1(), creation=a_start(38 * MINUTE, asked=None))) is None
    assert created_in(of(r1())) is None


def created(world: MemoryWorld, wanted: EndpointSpec, took: timedelta) -> EndpointRecord:
    """Made as `deploy_endpoint` makes it: staged for an hour, then `took` from the first look."""
    staged = world.clock.now() - timedelta(hours=1)
    status = asleep(wanted.name, phase=Phase.CREATING, wished_at=staged)
    put(world, status, wanted)
    world.scaler.capacities[wanted.name] = Capacity(
        exists=True, status="Creating", desired_copies=1, instances_by_type={"ml.p5en.48xlarge": 1}
    )
    look = look_at_start(world, wanted.name, 1, 1, PATIENCE)
    assert look.verdict is Verdict.WAIT
    world.clock.moment += took
    world.scaler.settle(wanted.name, 1)
    assert record_awake(world, wanted.name, 1)
    return world.store.records[wanted.name]


def put_to_sleep(world: MemoryWorld, record: EndpointRecord) -> None:
    name = record.status.name
    slept = request_sleep(world, record, Cause.IDLE, "Nobody asks.")
    world.scaler.settle(name, 0)
    assert record_asleep(world, name, slept.status.generation)


def woken_at(world: MemoryWorld, name: str) -> datetime:
    """Looks every minute from two hours before the window opens."""
    world.clock.moment = OPENS - timedelta(hours=2)
    while world.clock.now() <= OPENS:
        reconcile(world)
        status = world.store.records[name].status
        if status.phase is Phase.WAKING:
            assert status.cause is Cause.WINDOW
            return world.clock.now()
        assert status.phase is Phase.ASLEEP
        world.clock.forward(minutes=1)
    pytest.fail("nothing woke it for its window")


@pytest.mark.parametrize("took", [28 * MINUTE, 38 * MINUTE])
def test_the_first_window_is_served_from_its_start(took: timedelta) -> None:
    """A start from zero takes what the creation took, and a machine."""
    world = memory_world()
    record = created(world, r1(), took)
    assert record.status.cold_starts == (), "a creation is none of the wakes that reports count"
    assert record.status.creation is not None
    put_to_sleep(world, record)
    begun = woken_at(world, R1)
    assert OPENS - 2 * MINUTE <= begun + PROVISIONING + took <= OPENS


def test_without_a_measure_of_any_kind_the_first_window_of_r1_is_served_in_time() -> None:
    """As a table has it that the release before wrote."""
    world = memory_world()
    put(world, asleep(R1), r1())
    world.scaler.settle(R1, 0)
    begun = woken_at(world, R1)
    assert OPENS - 3 * MINUTE <= begun + 45 * MINUTE <= OPENS


def test_the_first_wake_takes_the_place_of_the_creation() -> None:
    world = memory_world()
    put_to_sleep(world, created(world, r1(), 38 * MINUTE))
    asked = request_wake(world, world.store.records[R1], Cause.MESSAGE, 1, "A request is waiting.")
    world.clock.forward(minutes=31)
    world.scaler.settle(R1, 1)
    assert record_awake(world, R1, asked.status.generation)
    record = world.store.records[R1]
    assert record.status.creation is not None
    assert lead(record) == 31 * MINUTE


def test_when_it_began_is_kept_through_updates_and_wakes() -> None:
    """A report's baseline begins there; what the creation took says nothing of another file."""
    world = memory_world()
    record = created(world, r1(), 38 * MINUTE)
    began = record.status.creation.asked_at
    assert record.status.began_at == began is not None
    updated = record.status.model_copy(update={"creation": None})
    put_to_sleep(world, record.having(world.store.save(updated)))
    asked = request_wake(world, world.store.records[R1], Cause.MESSAGE, 1, "A request is waiting.")
    world.clock.forward(minutes=31)
    world.scaler.settle(R1, 1)
    assert record_awake(world, R1, asked.status.generation)
    assert world.store.records[R1].status.began_at == began


def test_everybody_is_told_the_same() -> None:
    world = memory_world()
    put_to_sleep(world, created(world, r1(), 38 * MINUTE))
    record, expected = world.store.records[R1], 38 * MINUTE + PROVISIONING
    assert describe(world, record, False)["lead_time_seconds"] == expected.total_seconds()
    assert expected_ready(record, world.clock.now()) == expected
    request_wake(world, record, Cause.PERSON, 1, "Ada wakes it.")
    (event,) = [one for one in world.announcer.events if isinstance(one, WakeRequested)]
    assert event.expected_seconds == expected.total_seconds()


@pytest.mark.parametrize(
    ("known", "first_look"),
    [
        ({}, 5),
        ({"created_in": 38 * MINUTE}, 5),
        ({"created_in": 4 * MINUTE}, 4),
        ({"estimated_start": 45 * MINUTE}, 5),
        ({"estimated_start": 45 * MINUTE, "lead_times": minutes(31)}, 31),
    ],
)
def test_a_request_looks_early_until_a_wake_was_measured(
    known: dict[str, Any], first_look: float
) -> None:
    assert worth_asking_after(History(**known)) == first_look * MINUTE


def test_no_request_sleeps_through_a_start_that_is_over_sooner_than_expected() -> None:
    waking = of(r1(), phase=Phase.WAKING, wished_at=NOON - 6 * MINUTE)
    assert expected_ready(waking, NOON) == lead(waking) - 6 * MINUTE > 30 * MINUTE
    assert time_until_ready(waking, NOON - 6 * MINUTE, NOON) == timedelta(seconds=15)


# What was measured of another model says nothing of this one

OTHER = {"model": {"id": R1_ID, "trust_remote_code": True}}
ANOTHER = {"serving": {"context_tokens": 4096}}
SAME = {"scaling": {"max_copies": 1, "keep_alive": "10m"}}
MEASURED = {"creation": a_start(12 * MINUTE), "cold_starts": (a_start(11 * MINUTE),)}


@pytest.mark.parametrize(("changes", "kept"), [(SAME, True), (ANOTHER, False)])
def test_a_file_applied_after_a_failure_keeps_what_it_does_not_change(
    changes: dict[str, Any], kept: bool
) -> None:
    world = memory_world()
    put(world, asleep("llama", phase=Phase.FAILED, **MEASURED))
    _, status = apply(world, SETTING, document("llama", **changes))
    assert (status.creation is not None, len(status.cold_starts)) == (kept, int(kept))


def waits(changes: dict[str, Any]) -> Update:
    return Update(spec=spec("llama", **changes), way=UpdateWay.ROLL)


@pytest.mark.parametrize(("changes", "kept"), [(SAME, True), (OTHER, False), (ANOTHER, False)])
def test_a_creation_with_the_file_that_waited_keeps_what_it_does_not_change(
    changes: dict[str, Any], kept: bool
) -> None:
    world = memory_world()
    record = put(world, asleep("llama", phase=Phase.STAGING, update=waits(changes), **MEASURED))
    status = created_with_update(world, record).status
    assert (status.creation is not None, len(status.cold_starts)) == (kept, int(kept))


@pytest.mark.parametrize(("changes", "kept"), [(SAME, True), (OTHER, False), (ANOTHER, False)])
def test_an_update_in_place_keeps_what_it_does_not_change(
    changes: dict[str, Any], kept: bool
) -> None:
    world = memory_world()
    put(world, awake("llama", phase=Phase.UPDATING, update=waits(changes), **MEASURED))
    world.scaler.settle("llama", 1)
    assert record_updated(world, "llama", 1, Shape(), 1)
    status = world.store.records["llama"].status
    assert (status.creation is not None, len(status.cold_starts)) == (kept, int(kept))


def test_an_endpoint_whose_model_changed_is_expected_by_the_size_of_the_new_one() -> None:
    world = memory_world()
    record = created(world, spec("llama"), 3 * MINUTE)
    assert lead(record) == 3 * MINUTE + PROVISIONING
    changed = record.status.model_copy(update={"phase": Phase.UPDATING, "update": waits(OTHER)})
    world.store.save(changed)
    assert record_updated(world, "llama", 1, Shape(), 1)
    after, facts = world.store.records["llama"], known_model(R1_ID)
    assert facts is not None
    assert lead(after) == expected_start(facts)


def test_a_status_that_was_written_before_has_no_creation() -> None:
    stored = asleep("llama").model_dump(mode="json")
    del stored["creation"]
    assert EndpointStatus.model_validate(stored).creation is None


def test_who_is_created_anew_is_told_as_ready_and_not_with_the_stages_of_a_wake_before() -> None:
    """After a failure its wakes are remembered, where machines and model are the same."""
    world = memory_world()
    old = ColdStart(
        requested_at=NOON - timedelta(days=9),
        ready_at=NOON - timedelta(days=9) + timedelta(minutes=4),
        cause=Cause.MESSAGE,
        copies=1,
    )
    put(world, asleep("llama", phase=Phase.CREATING, cold_starts=(old,)))
    world.scaler.settle("llama", 1)
    assert record_awake(world, "llama", 1)
    (told,) = [e for e in world.announcer.events if "Endpoint" in e.detail_type]
    assert told.detail_type == "EndpointCreated"
    assert told.seconds == 3600
