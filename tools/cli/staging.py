"""`autoscaler stage` and `verify`: the stack's own staging code, run from this machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
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
from autoscaler.runtime.staging import PlanRequest
from autoscaler.staging.errors import RefusedError as RefusedContentError
from autoscaler.staging.errors import StagingError
from autoscaler.staging.hub import DEFAULT_ENDPOINT, HubClient
from autoscaler.staging.job import Source, StagedFile
from autoscaler.staging.passport import Passport, discard, seal, standing_passport
from autoscaler.staging.plan import StagingPlan, plan_staging
from autoscaler.staging.retry import RetryPolicy
from autoscaler.staging.ring import Ring
from autoscaler.staging.sizes import Sizes
from autoscaler.staging.transfer import stage_file
from autoscaler.staging.verify import verify
from tools.cli import output
from tools.cli.client import CliError, RefusedError

_S3_USD_PER_GB_MONTH = 0.023  # S3 Standard, us-east-1; AWS's price page as of 2026-11
# A person sits here and nothing is paid by the second: the Hub's longest window is five minutes.
_WAIT_BUDGET_SECONDS = 900.0
_NAMED = 10


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
    _check(order)
    sizes = _sizes(order)
    try:
        hub = hub_from_here()
        pinned = hub.resolve(order.model, order.revision)
        standing = standing_passport(store, order.model, pinned.commit, order.trust_remote_code)
        if standing is not None:
            return _staged(standing, moved_bytes=0, already=True)
        plan = plan_staging(
            hub,
            pinned,
            order.revision,
            trust_remote_code=order.trust_remote_code,
            concurrency=order.files_at_a_time,
            connections=sizes.connections,
        )
    except StagingError as refused:
        raise CliError(staging_sentence(refused)) from None
    if not quiet:
        output.errors.print(_told(plan, order, sizes), highlight=False, markup=False)
    began = time.monotonic()
    try:
        moved = _move(plan, hub, store, sizes, order.files_at_a_time, quiet)
        seconds = time.monotonic() - began
        passport = seal(plan, store)
    except StagingError as refused:
        raise CliError(staging_sentence(refused) + _cleared(plan, store, refused)) from None
    return _staged(
        passport,
        moved_bytes=moved,
        seconds=round(seconds, 3),
        left_out=[file.path for file in plan.unsafe],
    )


def hub_from_here() -> HubClient:
    """Raises HubReplyError for an HF_ENDPOINT or HF_TOKEN that cannot be used."""
    return HubClient(
        os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT,
        os.environ.get("HF_TOKEN"),
        policy=RetryPolicy(wait_budget_seconds=_WAIT_BUDGET_SECONDS),
        token_place="HF_TOKEN",
    )


def _check(order: Order) -> None:
    """Raises RefusedError for what is no model, or no revision."""
    try:
        PlanRequest(model_id=order.model, revision=order.revision)
    except ValidationError as wrong:
        what = ", ".join(sorted({str(error["loc"][0]) for error in wrong.errors()}))
        told = (
            f"--revision {order.revision!r} is no branch, tag or commit"
            if what == "revision"
            else f"{order.model!r} is no model of the Hub: write OWNER/NAME"
        )
        raise RefusedError([told]) from None


def _sizes(order: Order) -> Sizes:
    """Raises RefusedError for environment variables that make no sense."""
    try:
        sizes = Sizes.from_environment()
    except ValueError as wrong:
        raise RefusedError([f"STAGING_…: {wrong}"]) from None
    return replace(sizes, connections=order.connections) if order.connections else sizes


def staging_sentence(refused: StagingError) -> str:
    return f"{type(refused).__name__}: {refused}"


def _cleared(plan: StagingPlan, store: S3WeightStore, refused: StagingError) -> str:
    """Clears away after a refusal; returns what a person must know of it besides."""
    if not isinstance(refused, RefusedContentError):
        return ""  # trouble that may pass: what lies there is proven, and is not moved again
    try:
        discard(plan, store)
    except StagingError as left:
        return f" (and what was staged of it could not be removed: {left})"
    return ""


def _staged(
    passport: Passport,
    *,
    moved_bytes: int,
    seconds: float = 0.0,
    already: bool = False,
    left_out: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "passport": passport.key,
        "moved_bytes": moved_bytes,
        "already_staged": already,
        "seconds": seconds,
        "left_out": list(left_out),
    }


def verify_from_here(s3: Any, place: str, *, deep: bool) -> dict[str, Any]:
    """Proves a staged prefix again; `place` is what a passport's `weights_s3_uri` says."""
    bucket, path = _split(place)
    base, found, rest = path.partition("models/")
    if not bucket or not found or rest.count("/") != 2:
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
    bucket, prefix = _split(uri)
    if not bucket:
        raise RefusedError(
            [f"--to: {uri!r} is no place in S3: write s3://BUCKET or s3://BUCKET/PREFIX"]
        )
    return bucket, prefix


def _split(uri: str) -> tuple[str, str]:
    """The same; no bucket if it is no place in S3."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not uri.startswith("s3://") or ".." in prefix:
        return "", ""
    return bucket, f"{prefix}/" if prefix else ""


def _told(plan: StagingPlan, order: Order, sizes: Sizes) -> str:
    cost = plan.total_bytes / 1e9 * _S3_USD_PER_GB_MONTH
    gated = ", gated" if plan.gated else ""
    lines = [
        f"{plan.model_id} at {plan.commit[:12]}: {len(plan.files)} files, "
        f"{decimal(plan.total_bytes)} ({plan.skipped_count} left out), licence "
        f"{plan.licence or 'unknown'}{gated}",
        f"about {_span(plan.estimate_seconds)} with {order.files_at_a_time} files at a time over "
        f"{sizes.connections} connections each; in S3 about ${cost:.2f} a month; no disk is used, "
        "and S3 needs no check for free space",
    ]
    lines += [f"left out: {file.path} ({file.why.value})" for file in plan.unsafe[:_NAMED]]
    if len(plan.unsafe) > _NAMED:
        lines.append(f"left out: {len(plan.unsafe) - _NAMED} more of these kinds")
    lines += [
        f"code that it runs: {entry.reference} as {entry.name} ({entry.path})"
        for entry in plan.code
    ]
    return "\n".join(map(_printable, lines))


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _printable(line: str) -> str:
    """Without what a stranger's licence or class name could do to a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


def _move(
    plan: StagingPlan, hub: HubClient, store: S3WeightStore, sizes: Sizes, files: int, quiet: bool
) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns,
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=output.errors,
        disable=quiet,
    ) as progress:
        whole = progress.add_task(plan.model_id, total=plan.total_bytes)
        stop, ring = threading.Event(), Ring()

        def move(index: int) -> StagedFile:
            file, told = plan.files[index], 0

            def tell(count: int) -> None:
                nonlocal told
                if stop.is_set():
                    raise _StoppedError
                told += count
                progress.advance(whole, count)

            staged = stage_file(
                file,
                Source.of(plan),
                hub,
                store,
                sizes=sizes,
                ring=ring,
                tell=tell,
                time_is_up=stop.is_set,
            )
            progress.advance(whole, file.size_bytes - told)  # what lay there already
            return staged

        staged = _all(move, len(plan.files), files, stop)
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
