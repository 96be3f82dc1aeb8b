"""`autoscaler stage`: the stack's own staging code, run from this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from autoscaler.aws.weights import S3WeightStore
from autoscaler.staging.errors import StagingError
from autoscaler.staging.hub import DEFAULT_ENDPOINT, HubClient
from autoscaler.staging.passport import seal, standing_passport
from autoscaler.staging.plan import StagingPlan, plan_staging
from autoscaler.staging.store import ByteSource
from autoscaler.staging.transfer import Source, stage_file
from tools.cli import output
from tools.cli.client import CliError, RefusedError


def stage_from_here(
    s3: Any, model: str, revision: str, to: str, trust_remote_code: bool, *, quiet: bool
) -> dict[str, Any]:
    """Stages a model; honours HF_ENDPOINT and HF_TOKEN. Keys are those that the stack uses."""
    bucket = to.removeprefix("s3://").strip("/")
    if not to.startswith("s3://") or not bucket or "/" in bucket:
        raise RefusedError([f"--to: {to!r} is not a bucket: write s3://BUCKET"])
    hub = HubClient(os.environ.get("HF_ENDPOINT", DEFAULT_ENDPOINT), os.environ.get("HF_TOKEN"))
    store = _CountingStore(s3, bucket)
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


def _move(plan: StagingPlan, hub: HubClient, store: _CountingStore, quiet: bool) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    moved = done = 0
    with Progress(
        *columns, TransferSpeedColumn(), console=output.errors, disable=quiet
    ) as progress:
        whole = progress.add_task(plan.model_id, total=plan.total_bytes)
        store.read = lambda count: progress.advance(whole, count)
        for file in plan.files:
            moved += stage_file(file, Source.of(plan), hub, store).moved_bytes
            done += file.size_bytes
            progress.update(whole, completed=done)  # repeats and what lay there already
    return moved


class _CountingStore(S3WeightStore):
    """Tells how many bytes of a stream went by."""

    read: Callable[[int], None] = staticmethod(lambda _count: None)

    def put_stream(self, key: str, body: ByteSource, size_bytes: int, sha256: str) -> None:
        super().put_stream(key, _Counted(body, self.read), size_bytes, sha256)


@dataclass
class _Counted:
    body: ByteSource
    tell: Callable[[int], None]

    def read(self, size: int = -1, /) -> bytes:
        chunk = self.body.read(size)
        self.tell(len(chunk))
        return chunk
