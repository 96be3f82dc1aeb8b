"""Whose the instances of shared machines are, by the phases of those that share them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoscaler.catalog.fit import Placement
from autoscaler.control.plan import Setting, plan
from autoscaler.control.reconcile import reconcile
from autoscaler.control.sharing import awaited, check_sharing, crowded, own_part, sharers, stayers
from autoscaler.control.sweep import Kind, Resource
from autoscaler.endpoints.names import ResourceNames, shared_endpoint
from autoscaler.endpoints.sharing import names_for, shared_labels
from autoscaler.endpoints.status import EndpointRecord, EndpointStatus, Update, UpdateWay
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity, Flow
from autoscaler.spec import EndpointSpec, SpecError, parse_spec
from tests.memory import MemoryStore, memory_world
from tests.samples import document

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
MACHINES = {"types": ["ml.g6e.12xlarge"], "shared": "pair", "max_instances": 2}
REGION = "us-east-1"


def a_spec(name: str, machines: dict[str, object] | None = None, **changes: object) -> EndpointSpec:
    wanted = MACHINES if machines is None else machines
    return parse_spec(document(name, instances=wanted, **changes))


def a_record(name: str, phase: Phase, **changes: object) -> EndpointRecord:
    status = EndpointStatus(name=name, phase=phase, phase_since=NOW, created_at=NOW, wished_at=NOW)
    return EndpointRecord(spec=a_spec(name, **changes), status=status)


def a_store(*records: EndpointRecord) -> MemoryStore:
    store = MemoryStore()
    for record in records:
        store.create(record.spec, record.status)
    return store


IDLE = Capacity(exists=True, instances_by_type={"ml.g6e.12xlarge": 2}, status="InService")


@pytest.mark.parametrize(
    ("own", "other", "counted"),
    [
        (Phase.SLEEPING, Phase.AWAKE, 0),
        (Phase.SLEEPING, Phase.WAKING, 0),
        (Phase.SLEEPING, Phase.SLEEPING, 2),  # both wait for zero
        (Phase.SLEEPING, Phase.ASLEEP, 2),
        (Phase.ASLEEP, Phase.AWAKE, 0),
        (Phase.ASLEEP, Phase.SLEEPING, 0),  # they are of who lets go of them
        (Phase.ASLEEP, Phase.ASLEEP, 2),  # somebody has to see them
        (Phase.ASLEEP, Phase.FAILED, 2),
        (Phase.AWAKE, Phase.AWAKE, 2),
        (Phase.WAKING, Phase.AWAKE, 2),
        (Phase.RETIRING, Phase.AWAKE, 0),
        (Phase.RETIRING, Phase.RETIRING, 2),
    ],
)
def test_instances_without_copies_are_somebodys(own: Phase, other: Phase, counted: int) -> None:
    mine = a_record("llama", own)
    store = a_store(mine, a_record("qwen", other))
    assert own_part(store, mine, IDLE).instances == counted


def test_with_copies_all_instances_count() -> None:
    mine = a_record("llama", Phase.SLEEPING)
    store = a_store(mine, a_record("qwen", Phase.AWAKE))
    for copies in ({"desired_copies": 1}, {"current_copies": 1}):
        seen = Capacity(**{**IDLE.__dict__, **copies})
        assert own_part(store, mine, seen) == seen


def test_others_on_other_machines_do_not_matter() -> None:
    mine = a_record("llama", Phase.SLEEPING)
    elsewhere = a_record("qwen", Phase.AWAKE, machines={**MACHINES, "shared": "others"})
    assert own_part(a_store(mine, elsewhere), mine, IDLE) == IDLE


@pytest.mark.parametrize(
    ("other", "left"), [(Phase.AWAKE, False), (Phase.ASLEEP, False), (Phase.RETIRING, True)]
)
def test_a_removed_component_leaves_nothing_when_others_stay(other: Phase, left: bool) -> None:
    """Else the endpoint has to go too before the last one is forgotten."""
    mine = a_record("llama", Phase.RETIRING)
    store = a_store(mine, a_record("qwen", other))
    seen = own_part(store, mine, Capacity(exists=False, status="InService"))
    assert bool(seen.status) is left
    assert bool(stayers(sharers(store, "pair", "llama"))) is not left


@pytest.mark.parametrize(
    ("other", "counted"),
    [
        (Phase.FAILED, 1),  # else neither would remove it, nor the sweep, which takes it for theirs
        (Phase.STAGING, 1),  # for hours, or until there is capacity
        (Phase.CREATING, 0),
        (Phase.ASLEEP, 0),
        (Phase.AWAKE, 0),
        (Phase.RETIRING, 0),  # it removes them
    ],
)
def test_an_instance_that_failed_creations_left_behind_is_seen(other: Phase, counted: int) -> None:
    mine = a_record("llama", Phase.FAILED)
    left = Capacity(exists=False, instances_by_type={"ml.g6e.12xlarge": 1}, status="InService")
    assert own_part(a_store(mine, a_record("qwen", other)), mine, left).instances == counted


def test_what_failed_creations_left_behind_is_removed() -> None:
    """Each without a component, on an endpoint whose first instance came after both had failed."""
    world = memory_world()
    left = Capacity(exists=False, instances_by_type={"ml.g6e.12xlarge": 1}, status="InService")
    for name in ("llama", "qwen"):
        record = a_record(name, Phase.FAILED)
        world.store.create(record.spec, record.status)
        world.scaler.capacities[name] = left
    reconcile(world)
    assert {(flow, name) for flow, name, _ in world.flows.started} == {
        (Flow.REMOVE, "llama"),
        (Flow.REMOVE, "qwen"),
    }


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"machines": {**MACHINES, "types": ["ml.g5.12xlarge"]}}, "instances.types"),
        ({"machines": {**MACHINES, "max_instances": 3}}, "instances.max_instances"),
        ({"serving": {"routing": "random"}}, "serving.routing"),
        ({"serving": {"engine": "tgi"}}, "serving.engine (the machine image that it needs)"),
        ({"network": {"isolation": True}}, "network"),
        (
            {"encryption": {"kms_key": f"arn:aws:kms:{REGION}:123456789012:key/abc"}},
            "encryption.kms_key",
        ),
    ],
)
def test_what_is_built_into_the_machines_must_be_the_same(
    changed: dict[str, object], named: str
) -> None:
    store = a_store(a_record("qwen", Phase.ASLEEP))
    with pytest.raises(SpecError) as wrong:
        check_sharing(store, a_spec("llama", **changed), REGION)
    assert str(wrong.value).count(named) == 1
    assert "in 'qwen', which shares the machines 'pair'" in str(wrong.value)
    own, other = (names_for("stack", a_spec("x", **c), REGION) for c in (changed, {}))
    assert own.config != other.config, "or the one would be taken for the other"
    check_sharing(a_store(a_record("qwen", Phase.RETIRED)), a_spec("llama", **changed), REGION)


@pytest.mark.parametrize("types", [["ml.g6e.12xlarge"], ["ml.g5.12xlarge"]])
def test_nobody_comes_onto_machines_that_are_about_to_be_replaced(types: list[str]) -> None:
    """The one that has them for itself has given them another type: neither the old one nor the
    new one is what a second endpoint would surely get."""
    moving = a_record("qwen", Phase.SLEEPING)
    other = a_spec("qwen", {**MACHINES, "types": ["ml.g5.12xlarge"]})
    update = Update(spec=other, way=UpdateWay.REPLACE)
    status = moving.status.model_copy(update={"update": update})
    store = a_store(moving.having(status))
    with pytest.raises(SpecError, match=r"instances\.types"):
        check_sharing(store, a_spec("llama", {**MACHINES, "types": types}), REGION)
    check_sharing(store, other, REGION)  # its own file is no other's


def test_what_is_of_a_copy_alone_may_differ() -> None:
    store = a_store(a_record("qwen", Phase.AWAKE))
    other = a_spec(
        "llama",
        {**MACHINES, "accelerators_per_copy": 2, "cpus_per_copy": 4, "memory_mib_per_copy": 2048},
        scaling={"max_copies": 3},
        team="search",
    )
    check_sharing(store, other, REGION)
    names, theirs = (names_for("stack", one, REGION) for one in (other, a_spec("qwen")))
    assert (names.endpoint, names.config) == (theirs.endpoint, theirs.config)
    assert names.component != theirs.component


def placement(per_instance: int) -> Placement:
    return Placement(
        accelerators_per_copy=1,
        copies_by_type={"ml.g6e.12xlarge": per_instance},
        explanation="",
    )


def test_more_copies_than_the_machines_hold_are_refused() -> None:
    spec = a_spec("llama", scaling={"max_copies": 9})
    with pytest.raises(SpecError, match=r"scaling\.max_copies: 9 copies need 3 instances"):
        crowded(MemoryStore(), spec, placement(4))
    assert crowded(MemoryStore(), a_spec("llama", scaling={"max_copies": 8}), placement(4)) == ()


def test_that_not_all_can_be_at_their_most_is_said() -> None:
    status = {"scaling": {"max_copies": 2}}
    store = a_store(a_record("qwen", Phase.AWAKE, **status))  # two instances, one copy each
    (said,) = crowded(store, a_spec("llama"), placement(4))
    assert "need 3 instances, and there are 2 at most" in said


def test_no_endpoint_of_its_own_has_the_name_of_shared_machines() -> None:
    assert shared_endpoint("stack", "pair") == "stack--pair"
    with pytest.raises(SpecError):
        parse_spec(document("-pair"))
    with pytest.raises(ValueError, match=r"instances\.shared"):
        ResourceNames("a" * 40, "x", shared="p" * 20)


def planned_among(*found: Resource, prefix: str = "stack") -> str:
    """What is wrong with a file, when SageMaker has these under its names."""
    setting = Setting(
        prefix, "Europe/Berlin", REGION, lambda *_: "c0ffee", namesakes=lambda *_: found
    )
    with pytest.raises(SpecError) as wrong:
        plan(memory_world(), setting, document("llama", instances=MACHINES))
    return str(wrong.value)


def test_machines_of_somebody_else_or_with_another_config_are_refused_by_their_field() -> None:
    names = names_for("stack", a_spec("llama"), REGION)
    tags = shared_labels("stack", "pair")
    there = Resource(Kind.ENDPOINT, names.endpoint, parent=names.config, tags=tags)
    foreign = planned_among(replace(there, tags={}))
    assert foreign.startswith("instances.shared: the endpoint 'stack--pair' exists already")
    assert "give instances.shared another name" in foreign
    older = planned_among(replace(there, parent="stack--pair-00000000"))
    assert "have the config 'stack--pair-00000000'" in older and names.config in older


@pytest.mark.parametrize(("config", "status"), [("", "InService"), ("-old", "Deleting")])
def test_machines_as_the_file_needs_them_or_on_their_way_out_are_no_obstacle(
    config: str, status: str
) -> None:
    names = names_for("stack", a_spec("llama"), REGION)
    tags = shared_labels("stack", "pair")
    there = Resource(
        Kind.ENDPOINT, names.endpoint, parent=names.config + config, tags=tags, status=status
    )
    setting = Setting(
        "stack", "Europe/Berlin", REGION, lambda *_: "c0ffee", namesakes=lambda *_: [there]
    )
    assert plan(memory_world(), setting, document("llama", instances=MACHINES)).record is None


def test_a_name_of_machines_that_is_too_long_is_told_by_its_own_field() -> None:
    wrong = planned_among(prefix="a" * 49)
    assert wrong.startswith("instances.shared: 'pair' is too long")


@pytest.mark.parametrize(
    ("own", "other", "left"),
    [
        (Phase.RETIRING, Phase.CREATING, True),
        (Phase.FAILED, Phase.CREATING, True),
        (Phase.CREATING, Phase.CREATING, False),  # two that fail together
        (Phase.RETIRING, Phase.STAGING, False),  # it may stage for hours
        (Phase.RETIRING, Phase.RETIRING, False),
    ],
)
def test_machines_are_left_to_one_that_is_just_being_created(
    own: Phase, other: Phase, left: bool
) -> None:
    mine = a_record("llama", own)
    assert awaited(mine, [a_record("qwen", other)]) is left
    assert awaited(mine, []) is False
