"""What must hold when everything has come to rest, whatever happened before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from autoscaler.endpoints import kinds
from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.status import EndpointRecord, UsageSegment
from autoscaler.policy.types import Phase
from tests.histories.template import STACK
from tests.histories.world import TUESDAY, World

# The ledger counts from the wish to the look that saw it: what lies between is its rest.
LATE_SECONDS = 150.0
_AT_ZERO = frozenset({Phase.ASLEEP, Phase.FAILED})


def wrong_with(world: World) -> list[str]:
    """Sentences; nothing for a world in which the table, SageMaker and the ledger agree."""
    found = list(world.watch.problems)
    found += [f"{one.role} may not {one.action}: {one.why}" for one in world.rights.surprises]
    records = {one.status.name: one for one in world.store().load_all()}
    for record in records.values():
        found += _of_endpoint(world, record)
    shared = {f"-{one.spec.instances.shared}" for one in records.values()}
    found += _ownerless(world, shared | set(records))
    found += one_flow_a_generation(world)
    return found


def _of_endpoint(world: World, record: EndpointRecord) -> Iterator[str]:
    status, name = record.status, record.status.name
    shared = record.spec.instances.shared
    on = ResourceNames(STACK, name, shared=shared or "").endpoint
    there = world.sagemaker.instances_now().get(on, 0)
    copies = world.copies(name)
    if status.untold:
        yield f"{name} has not told of {[one.detail_type for one in status.untold]}"
    if status.phase in _AT_ZERO and (copies or (there and not shared)):
        yield f"{name} is {status.phase} with {there} instances and {copies} copies"
    if status.phase is Phase.AWAKE:
        if not copies or not there:
            yield f"{name} is awake with {there} instances and {copies} copies"
        if status.observed_instances != there:
            yield f"{name} has {there} instances, and the table says {status.observed_instances}"
        yield from _bounds(world, record, copies)
        yield from _built(world, record)


def _built(world: World, record: EndpointRecord) -> Iterator[str]:
    """What it runs on is what the table says, and is still there."""
    name, there = record.status.name, world.sagemaker.world
    endpoint = there.endpoints.get(f"{STACK}-{name}")
    if endpoint is None or record.spec.instances.shared:
        return
    names = ResourceNames(STACK, name, **record.status.shaped.model_dump())
    config = endpoint.config["EndpointConfigName"]
    component = there.components.get(names.component)
    variant = endpoint.config["ProductionVariants"][0]
    model = component.specification()["ModelName"] if component else variant.get("ModelName")
    if (config, model) != (names.config, names.model):
        yield f"{name} runs on {config} and {model}, not on {names.config} and {names.model}"
    if config not in there.configs or model not in there.models:
        yield f"{name} runs on {config} and {model}, and not both are there any more"


def _bounds(world: World, record: EndpointRecord, copies: int) -> Iterator[str]:
    name, kind = record.status.name, record.spec.kind
    bounds = kinds.allowed(kind, record.status.bounds)
    target = kinds.scalable(kind, ResourceNames(STACK, name))["ResourceId"]
    found = world.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[target]
    )["ScalableTargets"]
    real = [(one["MinCapacity"], one["MaxCapacity"]) for one in found]
    if real != [(bounds.min_copies, bounds.max_copies)]:
        yield f"{name} has the bounds {real}, and the table says {bounds}"
    low, high = bounds.min_copies, bounds.max_copies
    if not low <= copies <= high:
        yield f"{name} has {copies} copies outside of {low} to {high}"


def _ownerless(world: World, names: set[str]) -> Iterator[str]:
    for endpoint, count in world.sagemaker.instances_now().items():
        if endpoint.removeprefix(f"{STACK}-") not in names and count:
            yield f"{endpoint} bills {count} instances, and is in no table"


def one_flow_a_generation(world: World) -> Iterator[str]:
    """Of one generation one flow is carried out, and once, whoever began it: no generation is woken
    twice."""
    seen: dict[str, list[str]] = defaultdict(list)
    for execution in world.states.executions.values():
        if execution.flow.endswith("-endpoint"):
            of = execution.input
            seen[f"{of['endpoint']} {of['generation']}"].append(execution.flow)
    for generation, flows in seen.items():
        if len(flows) > 1:
            yield f"generation {generation} was carried out by {', '.join(flows)}"


def _closed(world: World, name: str) -> list[UsageSegment]:
    now = world.clock.now()
    found = world.store().usage(TUESDAY - timedelta(days=1), now + timedelta(days=1))
    return [one for one in found if one.endpoint == name]


def booked(world: World, name: str) -> list[tuple[datetime, datetime, int]]:
    """From when until when how many instances are in an endpoint's ledger, with what its open
    meters have run."""
    record = world.record(name)
    meters = record.status.meters if record else ()
    return [
        *((one.start, one.end, one.instances) for one in _closed(world, name)),
        *((one.since, world.clock.now(), one.instances) for one in meters),
    ]


def booked_seconds(world: World, name: str) -> float:
    """Instance-seconds of them."""
    return sum((end - start).total_seconds() * n for start, end, n in booked(world, name))


def ledger_is_off(world: World, name: str, spare: float = 0.0) -> list[str]:
    """Never less than what existed but for the rest of a look; `spare`: what may be over. So may
    be what the ledger marks as nobody's seeing: an instance that was lost while no tick came."""
    real = world.sagemaker.truth.seconds(f"{STACK}-{name}")
    lives = max(1, len(world.sagemaker.billed(f"{STACK}-{name}")))
    over = booked_seconds(world, name) - real
    spare += sum(one.instance_seconds for one in _closed(world, name) if one.over_gap)
    if -LATE_SECONDS * lives <= over <= LATE_SECONDS * lives + spare:
        return []
    return [f"{name}: {lives} instances ran {real:.0f} s, and the ledger has {over:+.0f} s"]
