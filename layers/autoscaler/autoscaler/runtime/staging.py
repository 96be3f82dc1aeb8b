"""The three steps of `stage_weights`, and the commit that a spec's revision means."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Annotated, Any, Literal

from botocore.exceptions import ClientError
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from ..aws.clients import client, error_code
from ..aws.weights import S3WeightStore
from ..staging.hub import DEFAULT_ENDPOINT, DEFAULT_REDIRECT_HOSTS, HubClient
from ..staging.job import Source
from ..staging.passport import Passport, discard, seal, standing_passport
from ..staging.plan import Commit, ModelId, PlannedFile, StagingPlan, plan_staging
from ..staging.transfer import stage_file

# What the stack puts into a new secret until somebody fills it in.
_NO_TOKEN = {"", "unset"}
_TOKEN_SECONDS = 300
# Enough for one more part of a large file on a bad day, retries included.
_HAND_OVER_MILLISECONDS = 200_000


class PlanRequest(BaseModel):
    """What to stage, as a spec's `model:` has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: Annotated[ModelId, Field(validation_alias=AliasChoices("model_id", "id"))]
    revision: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")] = "main"
    trust_remote_code: bool = False

    @field_validator("model_id", "revision")
    @classmethod
    def _no_traversal(cls, value: str) -> str:
        if ".." in value:
            raise ValueError("'..' is not allowed")
        return value


class StageRequest(BaseModel):
    """One file of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: ModelId
    commit: Commit
    trust_remote_code: bool
    file: PlannedFile


class SealRequest(BaseModel):
    """How the staging ended: every file lies there, or one was refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Literal["seal", "discard"]
    plan: StagingPlan
    scanner: str = ""  # the function that found it clean


def answer_plan(event: Any) -> dict[str, Any]:
    """`{already_staged: True, passport: {...}}` or `{already_staged: False, plan: {...}}`."""
    step = PlanRequest.model_validate(event)
    pinned = hub().resolve(step.model_id, step.revision)
    passport = standing_passport(store(), pinned.model_id, pinned.commit, step.trust_remote_code)
    if passport is not None:
        return {"already_staged": True, "passport": describe(passport)}
    plan = plan_staging(hub(), pinned, step.revision, trust_remote_code=step.trust_remote_code)
    return {"already_staged": False, "plan": plan.model_dump(mode="json"), "prefix": plan.prefix}


def answer_file(event: Any, left_milliseconds: Callable[[], int]) -> dict[str, Any]:
    """`{path, size_bytes, moved_bytes, done}`; not done: call again, it goes on from there.

    Raises what `stage_file` raises.
    """
    step = StageRequest.model_validate(event)
    source = Source.at(step.model_id, step.commit, step.trust_remote_code)
    staged = stage_file(
        step.file,
        source,
        hub(),
        store(),
        time_is_up=lambda: left_milliseconds() < _HAND_OVER_MILLISECONDS,
    )
    return {
        "path": staged.path,
        "size_bytes": staged.size_bytes,
        "moved_bytes": staged.moved_bytes,
        "done": staged.done,
    }


def answer_seal(event: Any) -> dict[str, Any]:
    """After "seal" what `describe` says; after "discard" `{discarded: objects}`."""
    step = SealRequest.model_validate(event)
    if step.step == "discard":
        return {"discarded": discard(step.plan, store())}
    return describe(seal(step.plan, store(), scanned_by=step.scanner or None))


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

    Anybody may see a gated repository, but not read it: so its config.json is opened as well.
    """
    pinned = hub().resolve(model_id, revision)
    if pinned.gated:
        hub().open(model_id, pinned.commit, "config.json").close()
    return pinned.commit


@cache
def store() -> S3WeightStore:
    """The stack's bucket of weights."""
    return S3WeightStore(client("s3"), _bucket())


def hub() -> HubClient:
    """The Hub of this stack. Its token is read anew every five minutes: somebody may set it now."""
    return _hub(int(time.time() // _TOKEN_SECONDS))


@lru_cache(maxsize=1)
def _hub(_period: int) -> HubClient:
    hosts = os.environ.get("HUB_REDIRECT_HOSTS", "")
    return HubClient(
        os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT,
        token=_token(os.environ.get("HUB_TOKEN_SECRET", "")),
        redirect_hosts=tuple(hosts.split()) or DEFAULT_REDIRECT_HOSTS,
    )


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
        raise
    text = secret.get("SecretString", "").strip()
    if text.startswith("{"):
        text = str(json.loads(text).get("token", "")).strip()
    return None if text in _NO_TOKEN else text
