"""What `deploy_endpoint` asks for: first what to stage, then every request that creates."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ..aws.clients import client
from ..aws.troubles import by_class
from ..aws.weights import S3WeightStore
from ..catalog.models import ModelFacts, facts_from_config, known_model
from ..endpoints.names import ResourceNames
from ..endpoints.queues import queue_requests
from ..endpoints.requests import deployment
from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from ..staging.errors import PassportInvalidError
from ..staging.passport import Passport, read_passport, require_scan
from .settings import settings
from .wiring import world

_DEPLOYING = {Phase.STAGING, Phase.CREATING}


class Deploy(BaseModel):
    """The state machine's question; with a weights URI, everything is staged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str
    generation: int
    weights_s3_uri: Annotated[str, Field(pattern=r"^s3://[^/]+/.+/$")] | None = None
    passport_key: str | None = None


@by_class
def answer_deployment(event: Any) -> dict[str, Any]:
    """`{current: False}` when overtaken; else `{current, staging}` or `{current, requests}`.

    Raises DoesNotFitError or a PassportMissingError: nothing has been created by then.
    """
    step = Deploy.model_validate(event)
    record = world().store.load(step.endpoint)
    if (
        record is None
        or record.status.generation != step.generation
        or record.status.phase not in _DEPLOYING
    ):
        return {"current": False}
    if step.weights_s3_uri is None or step.passport_key is None:
        return {
            "current": True,
            "staging": record.spec.model.model_dump(mode="json", by_alias=True),
        }
    return {"current": True, "requests": _requests(record, step.weights_s3_uri, step.passport_key)}


def _requests(record: EndpointRecord, weights_uri: str, passport_key: str) -> dict[str, Any]:
    env, spec = settings(), record.spec
    names = ResourceNames(env.stack_name, spec.name)
    arn = env.dispatch_function_arn.split(":")
    created = deployment(
        spec,
        names,
        region=env.region,
        weights_uri=weights_uri,
        role_arn=env.endpoint_role_arn,
        facts=_facts(spec.model.id, weights_uri, passport_key),
        tags={"autoscaler:stack": env.stack_name, "autoscaler:endpoint": spec.name},
    )
    queues = queue_requests(
        spec,
        names,
        account_arn_prefix=f"arn:{arn[1]}:sqs:{arn[3]}:{arn[4]}:",
        dispatcher_arn=env.dispatch_function_arn,
        alarm_topic_arn=env.alarm_topic_arn,
    )
    return {**created.as_dict(), **queues}


def _facts(model_id: str, weights_uri: str, passport_key: str) -> ModelFacts:
    """From the catalogue, or from the staged config.json; the passport must be there either way."""
    env = settings()
    store = S3WeightStore(client("s3"), env.weights_bucket)
    passport = read_passport(store, passport_key)
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
