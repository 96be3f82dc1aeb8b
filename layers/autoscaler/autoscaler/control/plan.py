"""What applying a spec would do; what can be wrong with it is found before anything is created."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..catalog.fit import Placement, choose
from ..catalog.images import UnknownRegionError, image
from ..catalog.models import known_model
from ..catalog.prices import PriceBook
from ..endpoints.acceptance import Place, cautions, refusals
from ..endpoints.requests import surprises
from ..endpoints.sharing import names_for
from ..endpoints.status import (
    EndpointRecord,
    UpdateWay,
)
from ..policy.schedule_check import faults, oddities
from ..policy.types import Phase
from ..ports import Flow, FlowState, Quotas
from ..spec import EndpointSpec, Kind, SpecError, parse_spec
from ..spec.schedule import known_zone
from .affordable import kept_at_zero, unaffordable
from .namesakes import FindNamesakes, check_failed, check_free, check_machines, in_the_way, nothing
from .preview import preview
from .quotas import check_quotas
from .sharing import check_sharing, crowded
from .updating import (
    way_for,
)
from .world import World


@dataclass(frozen=True)
class Setting:
    """What the stack gives to every spec."""

    prefix: str
    default_time_zone: str
    region: str
    # Raises staging's HubError when the repository cannot be read; returns the commit.
    resolve: Callable[[str, str], str]
    account: str = ""  # nothing that names an account is taken when it is not known
    quotas: Quotas | None = None  # None: they are not looked at
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
    way: UpdateWay | None = None  # how the changes get into SageMaker; None: they need not
    warnings: tuple[str, ...] = field(default=())
    preview: tuple[str, ...] = field(default=())  # of a new endpoint


def plan(world: World, setting: Setting, document: Any) -> Plan:
    """Returns what `apply` would change; raises SpecError with a sentence for each problem."""
    spec = parse_spec(document)
    if spec.schedule.time_zone is None:
        zone = {"time_zone": _default_zone(setting)}
        spec = spec.model_copy(update={"schedule": spec.schedule.model_copy(update=zone)})
    _check_names(setting, spec)
    now = world.clock.now()
    place = Place(setting.region, setting.account)
    if wrong := [*refusals(spec, place), *faults(spec, now)]:
        raise SpecError(wrong)
    record = world.store.load(spec.name)
    _check_kind(record, spec)
    _check_fallback(world, spec)
    check_sharing(world.store, spec, setting.region)
    prices = world.store.prices()
    placement, warnings = _check_fit(setting, spec, prices)
    warnings += crowded(world.store, spec, placement)
    warnings += _money(world, spec, placement, prices, record)
    warnings += tuple(oddities(spec, now))
    if record is None or record.status.phase is Phase.FAILED:
        _check_removed(world, record)
        _check_names_free(setting, spec, record)
        warnings += _check_quotas(setting, spec, placement, prices)
        _check_repository(setting, spec)
        facts = known_model(spec.model.id)
        lines = tuple(preview(spec, placement, now, prices, facts))
        return Plan(spec, record, _changes(None, spec), None, warnings, lines)
    if record.status.phase in (Phase.RETIRING, Phase.RETIRED):
        raise SpecError([f"name: {spec.name!r} is being removed; apply it again when it is gone"])
    changes = _changes(record.spec, spec)
    update = record.status.update
    if record.status.phase is Phase.UPDATING and update and spec != update.spec:
        raise SpecError([f"name: {spec.name!r} is being updated; apply this file when it is done"])
    way = way_for(record, spec, [change.field for change in changes])
    if spec.model != record.spec.model:
        _check_repository(setting, spec)
    if spec.tags != record.spec.tags:
        text = "tags: what exists keeps the tags that it has; what is made from now on gets these"
        warnings = (*warnings, text)
    return Plan(spec, record, changes, way, warnings)


def _money(
    world: World,
    spec: EndpointSpec,
    placement: Placement | None,
    prices: PriceBook,
    record: EndpointRecord | None,
) -> tuple[str, ...]:
    copies = placement.copies_per_instance if placement else 1
    now, state = world.clock.now(), world.store.stack()
    return (*unaffordable(spec, prices, copies, now), *kept_at_zero(spec, state, now, record))


def _check_kind(record: EndpointRecord | None, spec: EndpointSpec) -> None:
    if record is not None and record.spec.kind is not spec.kind:
        raise SpecError(
            [f"kind: {spec.name!r} is {record.spec.kind} and cannot become {spec.kind}; delete it "
             "and apply the file again when it is gone"]
        )  # fmt: skip
    if record is not None and record.spec.instances.shared != spec.instances.shared:
        raise SpecError(
            [f"instances.shared: {spec.name!r} cannot move to other machines; delete it and apply "
             "the file again when it is gone (its weights stay staged)"]
        )  # fmt: skip


def _check_fallback(world: World, spec: EndpointSpec) -> None:
    if spec.kind is Kind.ASYNC:
        _check_stands_in_for_nobody(world, spec)
    if spec.fallback is None:
        return
    other = world.store.load(spec.fallback)
    if other is None or other.status.phase in (Phase.RETIRING, Phase.RETIRED):
        raise SpecError(
            [f"fallback: there is no endpoint {spec.fallback!r}; apply its file first, or name "
             "one of those that `autoscaler get` lists"]
        )  # fmt: skip
    if other.spec.kind is Kind.ASYNC:
        raise SpecError(
            [f"fallback: {spec.fallback!r} is async and answers too late to stand in; name an "
             "endpoint of another kind"]
        )  # fmt: skip
    if other.spec.fallback == spec.name:
        raise SpecError(
            [f"fallback: {spec.fallback!r} falls back to {spec.name!r} itself; one of the two "
             "has to do without"]
        )  # fmt: skip


def _check_stands_in_for_nobody(world: World, spec: EndpointSpec) -> None:
    """Others may have named it before it was deleted, and applied as another kind."""
    users = [one.spec.name for one in world.store.load_all() if one.spec.fallback == spec.name]
    if users:
        raise SpecError(
            [f"kind: {', '.join(sorted(users))} falls back to {spec.name!r}, which would be async "
             "and answer too late to stand in; apply that file without its fallback first"]
        )  # fmt: skip


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
    names = names_for(setting.prefix, spec, setting.region)
    found = setting.namesakes(spec.name, names.endpoint)
    check_machines(setting.prefix, names, found)
    found = in_the_way(setting.prefix, names, found)
    if record is None:
        check_free(setting.prefix, found)
    else:
        check_failed(setting.prefix, spec.name, found)


def _default_zone(setting: Setting) -> str:
    try:
        return known_zone(setting.default_time_zone)
    except ValueError as wrong:
        raise SpecError(
            [
                f"schedule.time_zone: the stack's parameter DefaultTimeZone: {wrong}; deploy the "
                "stack with one, or name one in the file"
            ]
        ) from None


def _check_names(setting: Setting, spec: EndpointSpec) -> None:
    try:
        names_for(setting.prefix, spec, setting.region)
    except UnknownRegionError as wrong:
        raise SpecError([str(wrong)]) from wrong
    except ValueError as wrong:  # of the endpoint's name, or of its machines
        text = str(wrong)
        raise SpecError([text if text.startswith("instances.") else f"name: {text}"]) from wrong


def _check_quotas(
    setting: Setting, spec: EndpointSpec, placement: Placement | None, prices: PriceBook
) -> tuple[str, ...]:
    if setting.quotas is None:
        return ()
    facts = known_model(spec.model.id)
    warnings = check_quotas(setting.quotas, spec, setting.region, placement, facts, prices)
    for number in range(1, len(spec.rungs)):
        rung = spec.on_rung(number)
        try:
            check_quotas(setting.quotas, rung, setting.region, None, facts, prices)
        except SpecError as barred:  # the ladder passes over what it is refused
            warnings += (f"instances.alternatives, number {number}: {barred}",)
    return warnings


def _check_fit(
    setting: Setting, spec: EndpointSpec, prices: PriceBook
) -> tuple[Placement | None, tuple[str, ...]]:
    facts = known_model(spec.model.id)
    if facts is None:
        text = (
            f"model.id: {spec.model.id} is not in the catalogue; whether it fits is checked "
            "from its config.json after staging"
        )
        return None, (text, *cautions(spec))
    warnings: list[str] = []
    placements: list[Placement] = []
    for number in range(len(spec.rungs)):
        where = f"instances.alternatives, number {number}: " if number else ""
        rung = spec.on_rung(number)
        try:
            placements.append(choose(facts, rung, prices))
            container = image(spec.serving.engine, setting.region, spec.serving.image)
        except ValueError as wrong:
            raise SpecError([f"{where}{wrong}"]) from wrong
        told = (
            f"{where}{one}" for one in surprises(rung, placements[-1], container, facts, prices)
        )
        warnings += [one for one in told if one.removeprefix(where) not in warnings]
    return placements[0], tuple(warnings)


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
