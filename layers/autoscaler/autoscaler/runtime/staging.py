"""The three steps of `stage_weights`, and the commit that a spec's revision means."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import cache, lru_cache
from typing import Annotated, Any, Literal

from botocore.exceptions import ClientError
from pydantic import AliasChoices, Field, field_validator

from ..aws.clients import client, error_code
from ..aws.clock import SystemClock
from ..aws.troubles import DeniedError
from ..aws.weights import S3WeightStore
from ..catalog.models import (
    ModelFacts,
    UnknownArchitectureError,
    facts_from_config,
    known_model,
)
from ..staging.errors import HubBusyError, StoreUnavailableError
from ..staging.hub import DEFAULT_ENDPOINT, DEFAULT_REDIRECT_HOSTS, HubClient
from ..staging.hub_files import Revision
from ..staging.hub_replies import NOWHERE
from ..staging.job import Source
from ..staging.leftovers import sweep_abandoned
from ..staging.passport import Passport, discard, seal, standing_passport
from ..staging.plan import Commit, ModelId, PlannedFile, StagingPlan, plan_staging
from ..staging.retry import RetryPolicy
from ..staging.sizes import Sizes
from ..staging.stream import read_small
from ..staging.transfer import stage_file
from .boundary import Boundary

# What the stack puts into a new secret until somebody fills it in.
_NO_TOKEN = {"", "unset"}
_MAY_NOT_BE_READ = {"AccessDeniedException", "DecryptionFailure"}
_TOKEN_SECONDS = 300
# A function that waits is paid for: what takes longer than this is left to the state machine.
_WAIT_BUDGET_SECONDS = 60.0
# A person looks at a command line, and its function has a minute.
_WHILE_SOMEBODY_WAITS = RetryPolicy(attempts=3, wait_budget_seconds=15.0)
# For the attempt after the last wait: the deadline of a receive, and some.
_LAST_ATTEMPT_SECONDS = 45.0
# Longer than any window of the Hub's limits; who is told more had better hear of it.
_LONGEST_WAIT_SECONDS = 3600.0
# Enough for one more part of a large file on a bad day, retries included.
_HAND_OVER_MILLISECONDS = 200_000


class PlanRequest(Boundary):
    """What to stage, as a spec's `model:` has it."""

    model_id: Annotated[ModelId, Field(validation_alias=AliasChoices("model_id", "id"))]
    revision: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")] = "main"
    trust_remote_code: bool = False
    pin: bool = False  # only pinned and looked at: the container loads it from the Hub

    @field_validator("model_id", "revision")
    @classmethod
    def _no_traversal(cls, value: str) -> str:
        if ".." in value:
            raise ValueError("'..' is not allowed")
        return value


class StageRequest(Boundary):
    """One file of a plan."""

    model_id: ModelId
    commit: Commit
    trust_remote_code: bool
    file: PlannedFile


class SealRequest(Boundary):
    """How the staging ended: every file lies there, or one was refused."""

    step: Literal["seal", "discard"]
    plan: StagingPlan
    scanner: str = ""  # the function that found it clean


def answer_plan(event: Any, left_milliseconds: Callable[[], int]) -> dict[str, Any]:
    """`{already_staged: True, passport: {...}}` or `{already_staged: False, plan: {...}}`; with
    `wait_seconds` above zero neither: call again, not before that. With `pin` what `pin` says."""
    step = PlanRequest.model_validate(event)
    source = _patient(left_milliseconds)
    try:
        pinned = source.resolve(step.model_id, step.revision)
        if step.pin:
            return {"wait_seconds": 0, **pin(source, pinned, step)}
        passport = standing_passport(
            store(), pinned.model_id, pinned.commit, step.trust_remote_code, _scanner()
        )
        if passport is not None:
            return {"wait_seconds": 0, "already_staged": True, "passport": describe(passport)}
        plan = plan_staging(
            source,
            pinned,
            step.revision,
            trust_remote_code=step.trust_remote_code,
            concurrency=int(os.environ.get("STAGING_CONCURRENCY") or 8),
            connections=Sizes.from_environment().connections,
        )
    except HubBusyError as busy:
        return {"wait_seconds": _told(busy)}
    return {
        "wait_seconds": 0,
        "already_staged": False,
        "plan": plan.model_dump(mode="json"),
        "prefix": plan.prefix,
        "left_out": [file.path for file in plan.unsafe],
    }


def pin(source: HubClient, pinned: Revision, step: PlanRequest) -> dict[str, Any]:
    """`{commit, weights_uri, facts}` of a model that is not staged.

    Refused is whatever staging would refuse: formats and code are judged the same, though
    nobody proves the bytes that the container loads later.
    """
    plan = plan_staging(source, pinned, step.revision, trust_remote_code=step.trust_remote_code)
    facts = known_model(step.model_id) or _facts(source, plan)
    return {
        "commit": plan.commit,
        "weights_uri": f"hf://{plan.model_id}@{plan.commit}",
        "facts": asdict(facts),
    }


def _facts(source: HubClient, plan: StagingPlan) -> ModelFacts:
    config = next((file for file in plan.files if file.path == "config.json"), None)
    if config is None:
        raise UnknownArchitectureError(f"{plan.model_id} has no config.json")
    content = read_small(
        source, plan.model_id, plan.commit, config.as_hub_file(), config.size_bytes
    )
    weights = [file for file in plan.files if file.path.endswith(".safetensors")]
    if not weights:
        raise UnknownArchitectureError(
            f"{plan.model_id} has no .safetensors weights: its memory cannot be computed"
        )
    total_bytes = sum(file.size_bytes for file in weights)
    return facts_from_config(json.loads(content), total_bytes, plan.model_id)


def answer_file(event: Any, left_milliseconds: Callable[[], int]) -> dict[str, Any]:
    """`{path, size_bytes, moved_bytes, done, wait_seconds}`; not done: call again, not before
    `wait_seconds`, and it goes on from there.

    Raises what `stage_file` raises.
    """
    step = StageRequest.model_validate(event)
    source = Source.at(step.model_id, step.commit, step.trust_remote_code)
    told = {"path": step.file.path, "size_bytes": step.file.size_bytes}
    try:
        staged = stage_file(
            step.file,
            source,
            _patient(left_milliseconds),
            store(),
            time_is_up=lambda: left_milliseconds() < _HAND_OVER_MILLISECONDS,
        )
    except HubBusyError as busy:
        return {**told, "moved_bytes": 0, "done": False, "wait_seconds": _told(busy)}
    return {**told, "moved_bytes": staged.moved_bytes, "done": staged.done, "wait_seconds": 0}


def answer_seal(event: Any) -> dict[str, Any]:
    """After "seal" what `describe` says; after "discard" `{discarded: objects}`."""
    step = SealRequest.model_validate(event)
    if step.step == "discard":
        return {"discarded": discard(step.plan, store(), step.scanner)}
    told = describe(seal(step.plan, store(), scanned_by=step.scanner or None))
    with suppress(StoreUnavailableError):  # the next seal of this model tries again
        sweep_abandoned(store(), step.plan.model_id, SystemClock().now())
    return told


def describe(passport: Passport) -> dict[str, Any]:
    """A passport as the state machine carries it: without its file list."""
    return {
        "weights_s3_uri": f"s3://{_bucket()}/{passport.prefix}",
        "passport_key": passport.key,
        "model_id": passport.model_id,
        "commit": passport.commit,
        "digest": passport.digest,
        "licence": passport.licence,
        "file_count": len(passport.files),
        "total_bytes": passport.total_bytes,
    }


def resolve_commit(model_id: str, revision: str) -> str:
    """The commit that a branch or tag means now; raises a HubError.

    Anybody may see a gated repository, but not read it: so one of its files is asked for as well.
    """
    source = hub().within(_WHILE_SOMEBODY_WAITS)
    pinned = source.resolve(model_id, revision)
    if pinned.gated:
        source.check_access(model_id, pinned.commit)
    return pinned.commit


def _patient(left_milliseconds: Callable[[], int]) -> HubClient:
    """The Hub, for an invocation that has so much time left."""
    return hub().within(
        RetryPolicy(
            wait_budget_seconds=_WAIT_BUDGET_SECONDS,
            left_seconds=lambda: left_milliseconds() / 1000 - _LAST_ATTEMPT_SECONDS,
        )
    )


def _told(busy: HubBusyError) -> int:
    """Whole seconds for a Wait state; raises the error itself when nobody should wait that long."""
    if busy.wait_seconds > _LONGEST_WAIT_SECONDS:
        raise busy
    return math.ceil(busy.wait_seconds)


@cache
def store() -> S3WeightStore:
    """The stack's bucket of weights."""
    return S3WeightStore(client("s3"), _bucket())


def hub() -> HubClient:
    """The Hub of this stack. Its token is read anew every five minutes, since somebody may set it
    now, and when the Hub refuses it: it may have been rotated since."""
    return _hub(int(time.time() // _TOKEN_SECONDS))


@lru_cache(maxsize=1)
def _hub(_period: int) -> HubClient:
    hosts = os.environ.get("HUB_REDIRECT_HOSTS", "")
    return HubClient(
        os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT,
        token=stored_token(),
        redirect_hosts=tuple(hosts.split()) or DEFAULT_REDIRECT_HOSTS,
        token_place=f"the stack's secret {_secret_name()}" if _secret_name() else NOWHERE,
        read_token=_token_anew,
    )


def _token_anew() -> str | None:
    """The next invocation begins with it, too."""
    _hub.cache_clear()
    return stored_token()


def stored_token() -> str | None:
    """What is in the stack's Hub secret now; None when nobody has put a token there, or there is
    none."""
    return _token(_secret_name())


def _secret_name() -> str:
    """Empty: the stack was deployed for public models only."""
    return os.environ.get("HUB_TOKEN_SECRET", "")


def _scanner() -> str:
    """The function that must have seen weights before they are released; empty: none."""
    return os.environ.get("SCANNER_FUNCTION_ARN", "")


def _bucket() -> str:
    return os.environ["WEIGHTS_BUCKET"]


def _token(secret_name: str) -> str | None:
    """From Secrets Manager: the raw token or `{"token": ...}`; None when nobody has set one."""
    if not secret_name:
        return None
    try:
        secret = client("secretsmanager").get_secret_value(SecretId=secret_name)
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        if error_code(error) in _MAY_NOT_BE_READ:
            raise DeniedError(
                f"the Hub's secret {secret_name!r} may not be read ({error_code(error)}): let the "
                "stack's functions read it, and use its key if it has one of its own"
            ) from error
        raise
    text = secret.get("SecretString", "").strip()
    if text.startswith("{"):
        text = str(json.loads(text).get("token", "")).strip()
    return None if text in _NO_TOKEN else text
