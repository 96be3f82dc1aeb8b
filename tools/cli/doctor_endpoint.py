"""What of one endpoint file can be wrong: the model, its fit, and names that are taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from autoscaler.catalog.fit import DoesNotFitError, choose
from autoscaler.catalog.models import ModelFacts, known_model
from autoscaler.catalog.prices import bundled
from autoscaler.endpoints.names import ResourceNames
from autoscaler.spec import EndpointSpec
from autoscaler.staging.errors import GatedModelError, ModelNotFoundError, StagingError
from tools.cli.client import CliError, RefusedError
from tools.cli.doctor import Finding, Patient, error_code, ok, problem, warning
from tools.cli.doctor_stack import HUB_SECRET, MAKE_HUB_SECRET
from tools.cli.model_source import Asked, facts_of
from tools.cli.staging import hub_from_here, staging_sentence

_SMALL = "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"
_STACK_TAG = "autoscaler:stack"
_THERE_IS_NONE = ("Could not find", "does not exist", "NotFound", "NonExistentQueue")


def hub(patient: Patient) -> Iterator[Finding]:
    """That the Hub answers, and gives each file's model. From here, with HF_TOKEN."""
    wanted = {(spec.model.id, spec.model.revision) for spec in patient.specs}
    for model, revision in sorted(wanted):
        yield _readable(patient, model, revision)
    if not wanted:
        yield _reachable()


def _reachable() -> Finding:
    try:
        source = hub_from_here()
        source.resolve(_SMALL, "main")
    except ModelNotFoundError:
        return ok("hub", f"{source.endpoint} answers")  # that it has no such model
    except StagingError as refused:
        return problem("hub", staging_sentence(refused), "check HF_ENDPOINT and the way there")
    return ok("hub", f"{source.endpoint} answers")


def _readable(patient: Patient, model: str, revision: str) -> Finding:
    subject = f"model {model}"
    try:
        source = hub_from_here()
        pinned = source.resolve(model, revision)
        if pinned.gated:
            source.check_access(model, pinned.commit)
    except GatedModelError as gated:
        way_out = "the stack needs that token too, in its own secret (see the Hub's token above)"
        if not _stack_may_open(patient):
            way_out = f"the stack needs a token too: {MAKE_HUB_SECRET}"
        return problem(subject, staging_sentence(gated), way_out)
    except StagingError as refused:
        return problem(
            subject, staging_sentence(refused), "check model.id, model.revision, HF_ENDPOINT"
        )
    if pinned.gated and not _stack_may_open(patient):
        why = "gated: the token here opens it, but the stack has no secret with one"
        return problem(subject, why, MAKE_HUB_SECRET)
    gate = ", gated, and this token opens it" if pinned.gated else ""
    return ok(subject, f"readable on the Hub at commit {pinned.commit[:12]}{gate}")


def _stack_may_open(patient: Patient) -> bool:
    return not patient.stack_outputs or HUB_SECRET in patient.stack_outputs


def fit(patient: Patient) -> Iterator[Finding]:
    """That each file's model fits its instance types."""
    for spec in patient.specs:
        yield _fits(patient, spec)


def _fits(patient: Patient, spec: EndpointSpec) -> Finding:
    subject = f"fit of {spec.name}"
    try:
        facts = _facts(spec)
    except (RefusedError, CliError) as wrong:
        return warning(subject, f"not looked at: {wrong}")
    try:
        placement = choose(facts, spec, bundled(patient.region))
    except DoesNotFitError as wrong:
        return problem(subject, str(wrong), "`autoscaler fit` shows every type")
    return ok(subject, f"a copy {placement.explanation}")


def _facts(spec: EndpointSpec) -> ModelFacts:
    known = known_model(spec.model.id)
    if known is not None:
        return known
    return facts_of(Asked(spec.model.id, spec.model.revision, None, None))[0]


def names(patient: Patient) -> Iterator[Finding]:
    """That nothing of somebody else's has the names that an endpoint would take."""
    for spec in patient.specs:
        try:
            shared = spec.instances.shared or ""
            taken = ResourceNames(patient.client.stack, spec.name, shared=shared)
        except ValueError as wrong:
            yield problem(f"names of {spec.name}", str(wrong), "choose a shorter name")
            continue
        found = [*_foreign(patient, taken)]
        yield from found
        if not found:
            yield ok(f"names of {spec.name}", f"{taken.endpoint} is free, or this stack's own")


def _foreign(patient: Patient, taken: ResourceNames) -> Iterator[Finding]:
    sagemaker = patient.client.boto("sagemaker")
    looks = {
        "endpoint": (sagemaker.describe_endpoint, "EndpointName", "EndpointArn", taken.endpoint),
        "endpoint config": (
            sagemaker.describe_endpoint_config, "EndpointConfigName", "EndpointConfigArn",
            taken.base,
        ),
        "model": (sagemaker.describe_model, "ModelName", "ModelArn", taken.base),
        "inference component": (
            sagemaker.describe_inference_component, "InferenceComponentName",
            "InferenceComponentArn", taken.component,
        ),
    }  # fmt: skip
    for what, (describe, key, arn, name) in looks.items():
        found = _look(describe, **{key: name})
        if found and not _is_ours(patient, sagemaker.list_tags(ResourceArn=found[arn])["Tags"]):
            yield _taken(patient, what, name)
    sqs = patient.client.boto("sqs")
    queue = _look(sqs.get_queue_url, QueueName=taken.queue)
    if queue:
        tags = sqs.list_queue_tags(QueueUrl=queue["QueueUrl"]).get("Tags", {})
        if not _is_ours(patient, [{"Key": k, "Value": v} for k, v in tags.items()]):
            yield _taken(patient, "queue", taken.queue)


def _look(describe: Any, **arguments: str) -> dict[str, Any] | None:
    """What is there; None when AWS says that nothing is. Any other refusal is raised."""
    try:
        return dict(describe(**arguments))
    except ClientError as error:
        said = f"{error_code(error)} {error}"
        if any(sign in said for sign in _THERE_IS_NONE):
            return None
        raise


def _is_ours(patient: Patient, tags: list[dict[str, str]]) -> bool:
    return {"Key": _STACK_TAG, "Value": patient.client.stack} in tags


def _taken(patient: Patient, what: str, name: str) -> Finding:
    return problem(
        f"{what} {name}",
        f"exists and is not of stack {patient.client.stack}",
        "give the endpoint another name, or remove that one if nobody needs it",
    )
