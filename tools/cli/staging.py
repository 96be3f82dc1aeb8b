"""`autoscaler stage`: the stack's own staging code, run from this machine."""

from __future__ import annotations

import os
from typing import Any

import boto3
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from autoscaler.aws.weights import S3WeightStore
from autoscaler.staging.errors import StagingError
from autoscaler.staging.hub import DEFAULT_ENDPOINT, HubClient
from autoscaler.staging.passport import seal, standing_passport
from autoscaler.staging.plan import StagingPlan, plan_staging
from autoscaler.staging.transfer import Source, stage_file
from tools.cli.client import CliError, RefusedError


def stage_from_here(
    model: str, revision: str, to: str, trust_remote_code: bool, *, quiet: bool
) -> dict[str, Any]:
    """Stages a model; honours HF_ENDPOINT, HF_TOKEN and boto3's environment."""
    bucket = to.removeprefix("s3://").strip("/")
    if not to.startswith("s3://") or not bucket or "/" in bucket:
        raise RefusedError([f"--to: {to!r} is not a bucket: write s3://BUCKET"])
    hub = HubClient(os.environ.get("HF_ENDPOINT", DEFAULT_ENDPOINT), os.environ.get("HF_TOKEN"))
    store = S3WeightStore(boto3.client("s3"), bucket)
    try:
        pinned = hub.resolve(model, revision)
        standing = standing_passport(store, pinned.model_id, pinned.commit, trust_remote_code)
        if standing is not None:
            return {"passport": standing.key, "moved_bytes": 0, "already_staged": True}
        plan = plan_staging(hub, pinned, revision, trust_remote_code=trust_remote_code)
        moved = _move(plan, hub, store, quiet)
        passport = seal(plan, store)
    except StagingError as refused:
        raise CliError(f"{type(refused).__name__}: {refused}") from None
    return {"passport": passport.key, "moved_bytes": moved, "already_staged": False}


def _move(plan: StagingPlan, hub: HubClient, store: S3WeightStore, quiet: bool) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    moved = 0
    with Progress(*columns, TransferSpeedColumn(), disable=quiet) as progress:
        whole = progress.add_task(plan.model_id, total=plan.total_bytes)
        for file in plan.files:
            moved += stage_file(file, Source.of(plan), hub, store).moved_bytes
            progress.advance(whole, file.size_bytes)
    return moved
