"""What the flows that create and change an endpoint ask for: first what to stage, then every
request that makes it; and what there may be to remove."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..aws.clients import client
from ..aws.weights import S3WeightStore
from ..catalog.models import ModelFacts, facts_from_config, known_model
from ..endpoints.names import ResourceNames
from ..endpoints.queues import queue_requests
from ..endpoints.removal import obsolete, removable
from ..endpoints.requests import Deployment, deployment
from ..endpoints.reshape import reshape_requests, same_config, same_copies
from ..endpoints.status import EndpointRecord, Shape
from ..policy.types import Phase
from ..spec import EndpointSpec
from ..staging.errors import PassportInvalidError
from ..staging.passport import Passport, read_passport, require_scan
from ..staging.plan import passport_key_of
from .settings import settings
from .wiring import world

# In which phases a flow may ask for what.
_MAKING = {
    "all": {Phase.STAGING, Phase.CREATING, Phase.UPDATING},
    "shape": {Phase.WAKING, Phase.UPDATING},
    "restore": {Phase.UPDATING},
}


class Deploy(BaseModel):
    """The state machine's question; with a weights URI, everything is staged.

    `what`: all of it, a new shape of what exists, the shape it had before an update, or the names
    that a removal has to look for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str
    generation: int
    what: Literal["all", "shape", "restore", "removal"] = "all"
    weights_s3_uri: Annotated[str, Field(pattern=r"^s3://[^/]+/.+/$")] | None = None
    passport_key: str | None = None


def answer_deployment(event: Any) -> dict[str, Any]:
    """`{current: False}` when overtaken; else what was asked for: `{current, staging}`,
    `{current, requests}` with the shape that they make, or `{current, configs, models}`.

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
    if step.what == "shape":
        return {"current": True, "requests": _shape_requests(record)}
    if step.what == "restore":
        return {"current": True, "requests": _restore_requests(record)}
    spec = _wanted(record)
    if step.weights_s3_uri is None or step.passport_key is None:
        return {"current": True, "staging": spec.model.model_dump(mode="json", by_alias=True)}
    made = _deployment(spec, record.status.shape, step.weights_s3_uri)
    return {"current": True, "requests": {**made.as_dict(), **_queues(spec)}}


def _wanted(record: EndpointRecord) -> EndpointSpec:
    """The file that is being put in place."""
    return record.status.update.spec if record.status.update else record.spec


def _shape_requests(record: EndpointRecord) -> dict[str, Any]:
    """What gives an endpoint that exists the shape that is wished: another rung, or another file.

    What would be made the same as it is keeps its name, and is not touched.
    """
    status, update = record.status, record.status.update
    if status.phase is not Phase.UPDATING or update is None:
        made = _deployment(record.spec, status.shape, status.weights_uri or "")
        return _reshaping(record.spec, status.shape, made)
    before = _deployment(record.spec, status.shaped, status.weights_uri or "")
    rung = status.shaped.rung if status.shaped.rung < len(update.spec.rungs) else 0
    shape = Shape(rung=rung, config_build=update.build, model_build=update.build)
    uri = update.weights_uri or status.weights_uri or ""
    made = _deployment(update.spec, shape, uri)
    kept = {}
    if rung == status.shaped.rung and same_config(before, made):
        kept["config_build"] = status.shaped.config_build
    if rung == status.shaped.rung and same_copies(before, made):
        kept["model_build"] = status.shaped.model_build
    shape = shape.model_copy(update=kept)
    return {
        **_reshaping(update.spec, shape, _deployment(update.spec, shape, uri)),
        **_queues(update.spec),
        "obsolete": obsolete(
            settings().stack_name, record.spec.name, status.shaped, shape, len(record.spec.rungs)
        ),
    }


def _restore_requests(record: EndpointRecord) -> dict[str, Any]:
    """What puts an endpoint back as it was before an update."""
    status = record.status
    made = _deployment(record.spec, status.shaped, status.weights_uri or "")
    build = status.update.build if status.update else status.shaped.config_build
    failed = Shape(config_build=build, model_build=build)
    left = obsolete(
        settings().stack_name, record.spec.name, failed, status.shaped, len(_wanted(record).rungs)
    )
    return {**_reshaping(record.spec, status.shaped, made), "obsolete": left}


def _reshaping(spec: EndpointSpec, shape: Shape, made: Deployment) -> dict[str, Any]:
    names = _names(spec.name, shape)
    return {
        **reshape_requests(made, names, [names.capacity_alarm]),
        "scalable_target": made.scalable_target,
        "scaling_policy": made.scaling_policy,
        "shape": shape.model_dump(),
        "copies_per_instance": made.copies_per_instance,
    }


def _removal(name: str, record: EndpointRecord | None) -> dict[str, Any]:
    """Every config and model that there may be: of each build, on each rung."""
    if record is None:
        return removable(settings().stack_name, name, [Shape()])
    status = record.status
    builds = {0, status.update.build if status.update else 0}
    for shape in (status.shape, status.shaped):
        builds |= {shape.config_build, shape.model_build}
    rungs = max(len(record.spec.rungs), len(_wanted(record).rungs), status.shaped.rung + 1)
    shapes = [
        Shape(rung=rung, config_build=build, model_build=build)
        for build in sorted(builds)
        for rung in range(rungs)
    ]
    return removable(settings().stack_name, name, shapes)


def _names(name: str, shape: Shape) -> ResourceNames:
    return ResourceNames(settings().stack_name, name, **shape.model_dump())


def _deployment(spec: EndpointSpec, shape: Shape, weights_uri: str) -> Deployment:
    env = settings()
    return deployment(
        spec.on_rung(shape.rung),
        _names(spec.name, shape),
        region=env.region,
        weights_uri=weights_uri,
        role_arn=env.endpoint_role_arn,
        facts=_facts(spec.model.id, weights_uri),
        tags={"autoscaler:stack": env.stack_name, "autoscaler:endpoint": spec.name},
    )


def _queues(spec: EndpointSpec) -> dict[str, Any]:
    env = settings()
    arn = env.dispatch_function_arn.split(":")
    return queue_requests(
        spec,
        ResourceNames(env.stack_name, spec.name),
        account_arn_prefix=f"arn:{arn[1]}:sqs:{arn[3]}:{arn[4]}:",
        dispatcher_arn=env.dispatch_function_arn,
        alarm_topic_arn=env.alarm_topic_arn,
    )


def _facts(model_id: str, weights_uri: str) -> ModelFacts:
    """From the catalogue, or from the staged config.json; the passport must be there either way."""
    env = settings()
    store = S3WeightStore(client("s3"), env.weights_bucket)
    prefix = weights_uri.removeprefix(f"s3://{env.weights_bucket}/")
    passport = read_passport(store, passport_key_of(prefix))
    require_release(passport, model_id, weights_uri, env.weights_bucket, env.scanner_function_arn)
    known = known_model(model_id)
    if known is not None:
        return known
    config = json.loads(store.get(f"{passport.prefix}config.json"))
    weight_bytes = sum(
        file.size_bytes for file in passport.files if file.path.endswith(".safetensors")
    )
    return facts_from_config(config, weight_bytes)


def require_release(
    passport: Passport, model_id: str, weights_uri: str, bucket: str, scanner: str
) -> None:
    """Raises PassportInvalidError unless the passport is of these weights, and they are released.

    An endpoint must not come up on one prefix with the proof of another.
    """
    require_scan(passport, scanner)
    proven = f"s3://{bucket}/{passport.prefix}"
    if proven != weights_uri or passport.model_id != model_id:
        raise PassportInvalidError(
            f"{passport.key} proves {passport.model_id} at {proven}, "
            f"not {model_id} at {weights_uri}"
        )
