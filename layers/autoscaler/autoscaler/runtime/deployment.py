"""What the flows that create and change an endpoint ask for: first what to stage, then every
request that makes it; and what there may be to remove."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ..aws.troubles import by_class
from ..catalog.models import ModelFacts
from ..control.sharing import awaited, sharers, stayers
from ..endpoints.bursts import bursts
from ..endpoints.kinds import log_requests, scalable
from ..endpoints.names import ResourceNames
from ..endpoints.removal import obsolete, removable
from ..endpoints.requests import Deployment
from ..endpoints.reshape import reshape_requests, same_config, same_copies
from ..endpoints.scaling import scales
from ..endpoints.starts import same_starts
from ..endpoints.status import EndpointRecord, Shape
from ..policy.types import Phase
from ..spec import EndpointSpec, Kind
from .boundary import Boundary, EndpointName, Generation
from .making import MadeFrom, deployment_of, queues_of
from .moves import target_of
from .ours import names_of, ours
from .settings import settings
from .wiring import world

# In which phases a flow may ask for what.
_MAKING = {
    "all": {Phase.STAGING, Phase.CREATING, Phase.UPDATING},
    "shape": {Phase.WAKING, Phase.UPDATING},
    "restore": {Phase.UPDATING},
}


class Pinned(Boundary):
    """A model that stays on the Hub, as `plan_staging` found it."""

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    facts: ModelFacts


class Deploy(Boundary):
    """The state machine's question; with a weights URI everything is staged, with `pinned` it is
    to be loaded from the Hub.

    `what`: all of it, a new shape of what exists, the shape it had before an update, or the names
    that a removal has to look for.
    """

    endpoint: EndpointName
    generation: Generation
    what: Literal["all", "shape", "restore", "removal"] = "all"
    weights_s3_uri: Annotated[str, Field(pattern=r"^s3://[^/]+/.+/$")] | None = None
    pinned: Pinned | None = None


@by_class
def answer_deployment(event: Any) -> dict[str, Any]:
    """`{current: False}` when overtaken; else what was asked for: `{current, source, staging}`,
    `{current, source, requests}` with the shape that they make, or `{current, configs, models}`.

    Raises DoesNotFitError or a PassportMissingError: nothing has been created by then.
    """
    step = Deploy.model_validate(event)
    record = world().store.load(step.endpoint)
    if step.what == "removal":
        return {"current": True, **_removal(step.endpoint, record)}
    if (
        record is None
        or record.status.generation != step.generation
        or record.status.phase not in _MAKING[step.what]
    ):
        return {"current": False}
    spec = wanted_spec(record)
    told = {"current": True, "source": spec.model.source.value}
    if step.what == "shape":
        return {**told, "requests": _shape_requests(record)}
    if step.what == "restore":
        return {**told, "requests": _restore_requests(record)}
    if step.pinned is None and step.weights_s3_uri is None:
        return {**told, "staging": spec.model.model_dump(mode="json", exclude={"source"})}
    return {**told, "requests": _all_requests(record, step)}


def wanted_spec(record: EndpointRecord) -> EndpointSpec:
    """The file that is being put in place; one that waits is not."""
    update = record.status.update
    return update.spec if update and record.status.phase is Phase.UPDATING else record.spec


def _present(record: EndpointRecord) -> MadeFrom:
    """What the endpoint runs on now."""
    status = record.status
    return MadeFrom(status.weights_uri or "", status.commit or "", status.facts, status.cold_starts)


def _all_requests(record: EndpointRecord, step: Deploy) -> dict[str, Any]:
    spec, starts = record.spec, record.status.cold_starts
    weights = MadeFrom(step.weights_s3_uri or "", "", None, starts)
    if step.pinned is not None:
        weights = MadeFrom("", step.pinned.commit, step.pinned.facts, starts)
    made = deployment_of(spec, record.status.shape, weights)
    told = {
        "log": log_requests(spec, names_of(spec), ours(spec.name)),
        "source": spec.model.source.value,
        "shared": spec.instances.shared or "",
        "scales": scales(spec),
        "bursts": bursts(spec),
    }
    return {**made.as_dict(), **queues_of(spec), **told}


def _shape_requests(record: EndpointRecord) -> dict[str, Any]:
    """What gives an endpoint that exists the shape that is wished: another rung, or another file.

    What would be made the same as it is keeps its name, and is not touched.
    """
    status, update = record.status, record.status.update
    if status.phase is not Phase.UPDATING or update is None:
        made = deployment_of(record.spec, status.shape, _present(record))
        return _reshaping(record.spec, status.shape, made, [])
    present = _present(record)
    weights = MadeFrom(
        update.weights_uri or present.uri,
        update.commit or present.commit,
        update.facts or present.facts,
        present.starts if same_starts(record.spec, update.spec) else (),
    )
    rung = status.shaped.rung if status.shaped.rung < len(update.spec.rungs) else 0
    same_rungs = update.spec.instances.alternatives == record.spec.instances.alternatives
    shape = Shape(
        rung=rung,
        config_build=update.build,
        model_build=update.build,
        rungs_build=status.shape.rungs_build if same_rungs else update.build,
    )
    before = deployment_of(record.spec, status.shaped, present)
    made = deployment_of(update.spec, shape, weights)
    kept = {}
    if rung == status.shaped.rung and same_config(before, made):
        kept["config_build"] = status.shaped.config_build
    if rung == status.shaped.rung and same_copies(before, made):
        kept["model_build"] = status.shaped.model_build
    shape = shape.model_copy(update=kept)
    stack, rungs = settings().stack_name, len(record.spec.rungs)
    # At zero a direct request meets no copy: that says nothing against the update.
    copies = status.desired_copies or status.observed_copies
    alarms = [names_of(record.spec).capacity_alarm] if copies else []
    final = deployment_of(update.spec, shape, weights) if kept else made
    left = obsolete(stack, record.spec.name, status.shaped, shape, rungs)
    return {
        **_reshaping(update.spec, shape, final, alarms, copies),
        **queues_of(update.spec),
        "obsolete": {**left, **_shared_configs(record.spec, before, final)},
    }


def _shared_configs(spec: EndpointSpec, before: Deployment, after: Deployment) -> dict[str, Any]:
    """The config of shared machines has no builds: another one took its place, or none did."""
    if spec.instances.shared is None:
        return {}
    old, new = (made.endpoint_config["EndpointConfigName"] for made in (before, after))
    return {"configs": [old] if old != new else []}


def _restore_requests(record: EndpointRecord) -> dict[str, Any]:
    """What puts an endpoint back as it was before an update, and what that has left behind."""
    status = record.status
    made = deployment_of(record.spec, status.shaped, _present(record))
    build = status.update.build if status.update else status.shaped.config_build
    failed = Shape(config_build=build, model_build=build)
    stack, rungs = settings().stack_name, len(wanted_spec(record).rungs)
    left = obsolete(stack, record.spec.name, failed, status.shaped, rungs)
    if record.spec.instances.shared is not None:
        tried = names_of(wanted_spec(record)).config
        left["configs"] = [tried] if tried != names_of(record.spec).config else []
    copies = status.desired_copies or status.observed_copies
    return {**_reshaping(record.spec, status.shaped, made, [], copies), "obsolete": left}


def _reshaping(
    spec: EndpointSpec, shape: Shape, made: Deployment, alarms: list[str], copies: int = 0
) -> dict[str, Any]:
    names = names_of(spec, shape)
    return {
        **reshape_requests(made, names, alarms, copies),
        "source": spec.model.source.value,
        "shared": spec.instances.shared or "",
        "scalable_target": made.scalable_target,
        "scales": scales(spec),
        "bursts": bursts(spec),
        "scaling_policy": made.scaling_policy,
        "burst_policy": made.burst_policy,
        "burst_alarm": made.burst_alarm,
        "shape": shape.model_dump(),
        "copies_per_instance": made.copies_per_instance,
    }


def _removal(name: str, record: EndpointRecord | None) -> dict[str, Any]:
    """Every config and model that there may be: of each build, on each rung. The endpoint and the
    config of shared machines go with the last of those that share them."""
    prefix = settings().stack_name
    if record is None:
        names = ResourceNames(prefix, name)
        component = {"kind": Kind.COMPONENT.value, "target": scalable(Kind.COMPONENT, names)}
        hosted = {"hosted": names.endpoint, "shared": "", "awaited": False}
        return {**component, **hosted, **removable(prefix, name, [Shape()])}
    status = record.status
    builds = {0, status.update.build if status.update else 0}
    for shape in (status.shape, status.shaped):
        builds |= {shape.config_build, shape.model_build, shape.rungs_build}
    kept = status.update.spec if status.update else record.spec
    rungs = max(len(record.spec.rungs), len(kept.rungs), status.shaped.rung + 1)
    shapes = [
        Shape(rung=rung, config_build=build, model_build=build)
        for build in sorted(builds)
        for rung in range(rungs)
    ]
    names, shared = names_of(record.spec), record.spec.instances.shared or ""
    made = removable(prefix, name, shapes)
    others = sharers(world().store, shared, name) if shared else []
    if shared:
        made["configs"] = [] if stayers(others) else [names.config]
    hosted = {"hosted": names.endpoint, "shared": shared, "awaited": awaited(record, others)}
    return {**target_of(record), **hosted, **made}
