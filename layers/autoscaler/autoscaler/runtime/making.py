"""Every request that makes an endpoint, from its file, its weights and its shape."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..aws.clients import client
from ..aws.weights import S3WeightStore
from ..catalog.models import ModelFacts, facts_from_config, known_model
from ..endpoints.late import late_uri
from ..endpoints.queues import queue_requests
from ..endpoints.requests import Deployment, deployment
from ..endpoints.status import ColdStart, Shape
from ..endpoints.tags import tags_of
from ..spec import EndpointSpec, Source
from ..staging.errors import PassportInvalidError
from ..staging.passport import Passport, read_passport, require_scan
from ..staging.plan import passport_key_of
from .ours import names_of, ours
from .settings import settings


@dataclass(frozen=True)
class MadeFrom:
    """The weights: staged at `uri`, or pinned on the Hub at `commit` with what is known of them.

    `starts`: cold starts of the same model on the same machines.
    """

    uri: str
    commit: str
    facts: ModelFacts | None = None
    starts: tuple[ColdStart, ...] = ()


def deployment_of(spec: EndpointSpec, shape: Shape, weights: MadeFrom) -> Deployment:
    """What makes the endpoint in that shape. Raises what `deployment` raises, and a
    PassportError unless staged weights are released."""
    env = settings()
    staged = spec.model.source is Source.S3
    return deployment(
        spec.on_rung(shape.rung),
        names_of(spec, shape),
        region=env.region,
        weights_uri=weights.uri if staged else None,
        role_arn=env.endpoint_role_arn,
        facts=_staged_facts(spec.model.id, weights.uri) if staged else _facts(spec, weights),
        tags=ours(spec.name),
        commit="" if staged else weights.commit,
        slowest_start_seconds=slowest_start_seconds(weights.starts),
        late_uri=late_uri(env.results_bucket, spec.name),
        capacity_seconds=env.capacity_seconds,
    )


def queues_of(spec: EndpointSpec) -> dict[str, Any]:
    """What makes the endpoint's queues, their reader and their alarms."""
    env = settings()
    arn = env.dispatch_function_arn.split(":")
    return queue_requests(
        spec,
        names_of(spec),
        account_arn_prefix=f"arn:{arn[1]}:sqs:{arn[3]}:{arn[4]}:",
        dispatcher_arn=env.dispatch_function_arn,
        alarm_topic_arn=env.alarm_topic_arn,
        tags=tags_of(spec, ours(spec.name)),
        key_arn=env.kms_key_arn,
    )


def slowest_start_seconds(starts: tuple[ColdStart, ...]) -> float | None:
    """Of the measured cold starts, the longest from the first instance to an answer."""
    spans = [s.ready_at - s.instance_seen_at for s in starts if s.instance_seen_at is not None]
    return max(spans).total_seconds() if spans else None


def _facts(spec: EndpointSpec, weights: MadeFrom) -> ModelFacts:
    facts = weights.facts or known_model(spec.model.id)
    if facts is None:
        raise ValueError(f"{spec.model.id} is not pinned: what it needs is not known")
    return facts


def _staged_facts(model_id: str, weights_uri: str) -> ModelFacts:
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
