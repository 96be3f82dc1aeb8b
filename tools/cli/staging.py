"""`autoscaler stage` and `verify`: the stack's own staging code, run from this machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from autoscaler.aws.weights import S3WeightStore
from autoscaler.staging.errors import HubReplyError, StagingError
from autoscaler.staging.errors import RefusedError as RefusedContentError
from autoscaler.staging.hub import DEFAULT_ENDPOINT, HubClient
from autoscaler.staging.job import Source, StagedFile
from autoscaler.staging.passport import discard, seal, standing_passport
from autoscaler.staging.plan import StagingPlan, plan_staging
from autoscaler.staging.sizes import Sizes
from autoscaler.staging.transfer import stage_file
from autoscaler.staging.verify import verify
from tools.cli import output
from tools.cli.client import CliError, RefusedError

_S3_USD_PER_GB_MONTH = 0.023  # S3 Standard, us-east-1; AWS's price page as of 2026-11


@dataclass(frozen=True)
class Order:
    """What a person asked for."""

    model: str
    revision: str
    to: str
    trust_remote_code: bool
    connections: int | None
    files_at_a_time: int


def stage_from_here(s3: Any, order: Order, *, quiet: bool) -> dict[str, Any]:
    """Stages a model; honours HF_ENDPOINT and HF_TOKEN. Keys are those that the stack uses, under
    the prefix of `--to` if it has one."""
    store = S3WeightStore(s3, *_place(order.to))
    hub = HubClient(os.environ.get("HF_ENDPOINT", DEFAULT_ENDPOINT), os.environ.get("HF_TOKEN"))
    plan = None
    try:
        pinned = hub.resolve(order.model, order.revision)
        standing = standing_passport(store, order.model, pinned.commit, order.trust_remote_code)
        if standing is not None:
            return {
                "passport": standing.key,
                "moved_bytes": 0,
                "already_staged": True,
                "seconds": 0.0,
            }
        plan = plan_staging(hub, pinned, order.revision, trust_remote_code=order.trust_remote_code)
        if not quiet:
            output.errors.print(_told(plan), highlight=False)
        began = time.monotonic()
        moved = _move(plan, hub, store, order, quiet)
        seconds = time.monotonic() - began
        passport = seal(plan, store)
    except StagingError as refused:
        if plan is not None and isinstance(refused, (RefusedContentError, HubReplyError)):
            discard(plan, store)
        raise CliError(f"{type(refused).__name__}: {refused}") from None
    return {
        "passport": passport.key,
        "moved_bytes": moved,
        "already_staged": False,
        "seconds": round(seconds, 3),
    }


def verify_from_here(s3: Any, place: str, *, deep: bool) -> dict[str, Any]:
    """Proves a staged prefix again; `place` is what a passport's `weights_s3_uri` says."""
    bucket, path = _place(place)
    base, found, rest = path.partition("models/")
    if not found or rest.count("/") != 2:
        raise RefusedError([f"{place!r} is not s3://BUCKET/models/<model>/<commit>/"])
    try:
        proven = verify(S3WeightStore(s3, bucket, base), found + rest, deep=deep)
    except StagingError as refused:
        raise CliError(f"{type(refused).__name__}: {refused}") from None
    return {
        "model_id": proven.model_id,
        "commit": proven.commit,
        "files": len(proven.files),
        "total_bytes": proven.total_bytes,
        "digest": proven.digest,
        "read_again": deep,
    }


def _place(uri: str) -> tuple[str, str]:
    """Bucket, and prefix with a slash at its end or nothing."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not uri.startswith("s3://") or not bucket or ".." in prefix:
        raise RefusedError(
            [f"--to: {uri!r} is no place in S3: write s3://BUCKET or s3://BUCKET/PREFIX"]
        )
    return bucket, f"{prefix}/" if prefix else ""


def _told(plan: StagingPlan) -> str:
    cost = plan.total_bytes / 1e9 * _S3_USD_PER_GB_MONTH
    gated = ", gated" if plan.gated else ""
    return (
        f"{plan.model_id} at {plan.commit[:12]}: {len(plan.files)} files, "
        f"{decimal(plan.total_bytes)} ({plan.skipped_count} left out), licence "
        f"{plan.licence or 'unknown'}{gated}; in S3 about ${cost:.2f} a month"
    )


def _move(
    plan: StagingPlan, hub: HubClient, store: S3WeightStore, order: Order, quiet: bool
) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    sizes = Sizes.from_environment()
    if order.connections:
        sizes = replace(sizes, connections=order.connections)
    with Progress(
        *columns,
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=output.errors,
        disable=quiet,
    ) as progress:
        whole = progress.add_task(plan.model_id, total=plan.total_bytes)
        stop = threading.Event()

        def move(index: int) -> StagedFile:
            file, told = plan.files[index], 0

            def tell(count: int) -> None:
                nonlocal told
                if stop.is_set():
                    raise _StoppedError
                told += count
                progress.advance(whole, count)

            staged = stage_file(
                file, Source.of(plan), hub, store, sizes=sizes, tell=tell, time_is_up=stop.is_set
            )
            progress.advance(whole, file.size_bytes - told)  # what lay there already
            return staged

        staged = _all(move, len(plan.files), order.files_at_a_time, stop)
    return sum(file.moved_bytes for file in staged)


def _all(
    move: Callable[[int], StagedFile], count: int, at_a_time: int, stop: threading.Event
) -> list[StagedFile]:
    """All files, some at a time; after a failure the others end at their next window.

    Threads of our own, because a pool's are waited for when the process ends: Ctrl-C would last as
    long as the files under way.
    """
    todo, lock, over = iter(range(count)), threading.Lock(), threading.Semaphore(0)
    staged: dict[int, StagedFile] = {}
    failures: list[Exception] = []

    def work() -> None:
        while not stop.is_set():
            with lock:
                index = next(todo, None)
            if index is None:
                break
            try:
                staged[index] = move(index)
            except Exception as failure:  # noqa: BLE001 - raised below, in the caller's thread
                failures.append(failure)
                stop.set()
        over.release()

    for _ in range(at_a_time):
        threading.Thread(target=work, daemon=True).start()
    for _ in range(at_a_time):
        over.acquire()
    if failures:
        raise failures[0]
    return [staged[index] for index in range(count)]


class _StoppedError(Exception):
    """Another file failed, or a person had enough."""
