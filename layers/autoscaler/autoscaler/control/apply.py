"""Accepts a spec: everything that can be wrong with it is found before anything is created."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..catalog.fit import Placement, choose
from ..catalog.images import image
from ..catalog.models import known_model
from ..endpoints.names import ResourceNames
from ..endpoints.requests import surprises
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus
from ..policy.types import Bounds, Phase
from ..ports import Flow, FlowState
from ..spec import EndpointSpec, SpecError, parse_spec
from .namesakes import FindNamesakes, LeftoverError, check_failed, check_free, nothing
from .preview import preview
from .tend import remove_leftovers
from .wishes import carry_out, entry, wished
from .world import World

# What is built into the SageMaker resources; everything else takes effect with the next tick.
_BUILT_IN = ("model", "serving", "instances")


@dataclass(frozen=True)
class Setting:
    """What the stack gives to every spec."""

    prefix: str
    default_time_zone: str
    region: str
    # Raises staging's HubError when the repository cannot be read; returns the commit.
    resolve: Callable[[str, str], str]
    namesakes: FindNamesakes = nothing  # what has an endpoint's names already


@dataclass(frozen=True)
class Change:
    """One field that differs, as text."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Plan:
    """What applying a document would do."""

    spec: EndpointSpec
    record: EndpointRecord | None
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = field(default=())
    preview: tuple[str, ...] = field(default=())  # of a new endpoint


def plan(world: World, setting: Setting, document: Any) -> Plan:
    """Returns what `apply` would change; raises SpecError with a sentence for each problem."""
    spec = parse_spec(document)
    if spec.schedule.time_zone is None:
        zone = {"time_zone": setting.default_time_zone}
        spec = spec.model_copy(update={"schedule": spec.schedule.model_copy(update=zone)})
    _check_names(setting.prefix, spec)
    record = world.store.load(spec.name)
    placement, warnings = _check_fit(setting, spec)
    if record is None or record.status.phase is Phase.FAILED:
        _check_removed(world, record)
        _check_names_free(setting, spec, record)
        _check_repository(setting, spec)
        lines = tuple(preview(spec, placement, world.clock.now()))
        return Plan(spec, record, _changes(None, spec), warnings, lines)
    if record.status.phase is Phase.RETIRING:
        raise SpecError([f"name: {spec.name!r} is being removed; apply it again when it is gone"])
    changes = _changes(record.spec, spec)
    _check_changeable(record.spec, spec, changes)
    return Plan(spec, record, changes, warnings)


def apply(world: World, setting: Setting, document: Any) -> tuple[Plan, EndpointStatus]:
    """Stores the spec and starts what it asks for; returns the plan and the status after it.

    A new endpoint is deployed. Of an existing one the policy's fields take effect with the
    next tick, and nothing running is touched.
    """
    try:
        planned = plan(world, setting, document)
    except LeftoverError:
        _remove_first(world, document)
        raise
    now = world.clock.now()
    if planned.record is None:
        status = EndpointStatus(
            name=planned.spec.name,
            generation=world.store.last_generation(planned.spec.name) + 1,
            phase=Phase.STAGING,
            phase_since=now,
            created_at=now,
            wished_at=now,
            wish_copies=1,
            bounds=Bounds(0, planned.spec.highest_max_copies),
        )
        world.store.create(planned.spec, status)
        world.flows.start(Flow.DEPLOY, status.name, status.generation)
        return planned, status
    record = EndpointRecord(spec=planned.spec, status=planned.record.status)
    if record.status.phase is Phase.FAILED:
        again = wished(
            record.status, Phase.STAGING, Cause.APPLY, now, wish_copies=1, failed_in=None,
            failure=None, created_at=now, retry_at=None,
        )  # fmt: skip
        stored = world.store.save(record.status, spec=planned.spec)
        again = again.model_copy(update={"version": stored.version})
        after = carry_out(world, record, again, [], "Applied again after a failure.")
        return planned, after.status
    if not planned.changes:
        return planned, record.status
    text = "Applied: " + ", ".join(change.field for change in planned.changes) + "."
    saved = world.store.save(
        record.status, spec=planned.spec, entries=[entry(record.status, now, text)]
    )
    return planned, saved


def _check_removed(world: World, record: EndpointRecord | None) -> None:
    """What a failure left behind must be gone before it is created again."""
    if record is None:
        return
    status = record.status
    if world.flows.look(Flow.REMOVE, status.name, status.generation).state is FlowState.RUNNING:
        raise SpecError(
            [f"name: what is left of the failed {status.name!r} is being removed; apply it again "
             "in some minutes"]
        )  # fmt: skip


def _check_names_free(setting: Setting, spec: EndpointSpec, record: EndpointRecord | None) -> None:
    found = setting.namesakes(spec.name)
    if record is None:
        check_free(setting.prefix, found)
    else:
        check_failed(setting.prefix, spec.name, found)


def _remove_first(world: World, document: Any) -> None:
    """What a failure left behind goes now; applying again finds the way free."""
    record = world.store.load(parse_spec(document).name)
    if record is not None and record.status.phase is Phase.FAILED:
        remove_leftovers(world, record, world.clock.now())


def _check_names(prefix: str, spec: EndpointSpec) -> None:
    try:
        ResourceNames(prefix, spec.name)
    except ValueError as wrong:
        raise SpecError([f"name: {wrong}"]) from wrong


def _check_fit(setting: Setting, spec: EndpointSpec) -> tuple[Placement | None, tuple[str, ...]]:
    facts = known_model(spec.model.id)
    if facts is None:
        text = (
            f"model.id: {spec.model.id} is not in the catalogue; whether it fits is checked "
            "from its config.json after staging"
        )
        return None, (text,)
    try:
        placement = choose(facts, spec)
        container = image(spec.serving.engine, setting.region, spec.serving.image)
    except ValueError as wrong:
        raise SpecError([str(wrong)]) from wrong
    return placement, tuple(surprises(spec, placement, container, facts))


def _check_repository(setting: Setting, spec: EndpointSpec) -> None:
    try:
        setting.resolve(spec.model.id, spec.model.revision)
    except RuntimeError as wrong:
        raise SpecError([f"model: {wrong}"]) from wrong


def _changes(before: EndpointSpec | None, after: EndpointSpec) -> tuple[Change, ...]:
    old = _flat(before.model_dump(mode="json")) if before else {}
    new = _flat(after.model_dump(mode="json"))
    return tuple(
        Change(name, old.get(name), new.get(name))
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    )


def _flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{path}{name}.")
        else:
            flat[path + name] = value
    return flat


def _check_changeable(
    before: EndpointSpec, after: EndpointSpec, changes: tuple[Change, ...]
) -> None:
    fixed = [change for change in changes if change.field.split(".")[0] in _BUILT_IN]
    problems = [
        f"{change.field}: {change.before!r} is built into the running endpoint and cannot become "
        f"{change.after!r}; delete the endpoint and apply the file again (its weights stay staged)"
        for change in fixed
    ]
    if before.target_concurrency != after.target_concurrency and not fixed:
        problems.append(
            f"scaling.target_concurrency: {before.target_concurrency:g} is built into the "
            "endpoint's scaling policy; delete the endpoint and apply the file again"
        )
    if after.highest_max_copies > before.highest_max_copies:
        problems.append(
            f"scaling.max_copies: {after.highest_max_copies} is above the "
            f"{before.highest_max_copies} copies that the endpoint was created for; "
            "delete the endpoint and apply the file again"
        )
    if problems:
        raise SpecError(problems)
