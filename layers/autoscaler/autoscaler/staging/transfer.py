"""Moves one file from the Hub to the store: through memory only, hashed and checked on the way.

Up to 5 GiB in one PutObject with the Hub's own SHA-256, so that S3 refuses other bytes; above
that in parts (`large`), and so goes a smaller one whose line is too slow for one PutObject in the
function's time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from .content_index import find_copy
from .errors import StagingError, StoreUnavailableError
from .gates import check_file
from .hub import HubClient
from .job import Job, Source, StagedFile, check_for, refuse_other_bytes
from .large import has_begun, stage_large
from .plan import PlannedFile
from .proof import prove
from .retry import Retrier, TransientError
from .ring import RING_BYTES, Ring
from .sizes import Sizes
from .store import SMALL_BYTES, WeightStore
from .stream import read_small
from .windows import Windows


class _TimeIsUpError(StagingError):
    """One PutObject would not end while the function lives."""

    def __init__(self, moved_bytes: int) -> None:
        super().__init__(f"after {moved_bytes} bytes the time is up")
        self.moved_bytes = moved_bytes


def _silent(_count: int) -> None:
    """Nobody wants to know."""


def stage_file(
    file: PlannedFile,
    source: Source,
    hub: HubClient,
    store: WeightStore,
    *,
    sizes: Sizes | None = None,
    ring: Ring | None = None,
    tell: Callable[[int], None] = _silent,
    time_is_up: Callable[[], bool] = lambda: False,
) -> StagedFile:
    """Puts a file into the store unless it lies there already, under this key or another.

    `ring` is the memory that files under way at the same time share. `time_is_up` is asked between
    the parts of a large file; the next call goes on where this one stopped. A smaller file that is
    under way then is begun again in parts: as slowly as it came, it would never end. Raises
    RefusedError for a name or format that no plan would have, and for wrong content, and then
    nothing of it is stored; HubUnavailableError or StoreUnavailableError when another attempt may
    succeed.
    """
    check_file(file, source.trust_remote_code)
    sizes = sizes or Sizes.from_environment()
    if ring is None:  # alone: room for the two parts of a very large file
        ring = Ring(max(RING_BYTES, 2 * sizes.part_bytes_of(file.size_bytes)))
    job = Job(file, source, hub, store, sizes, ring, tell, time_is_up)
    present = prove(file, job.key, store)
    if present is not None:
        return StagedFile(file.path, file.size_bytes, present, moved_bytes=0)
    copied = find_copy(store, file, job.key)
    if copied is not None:
        return StagedFile(file.path, file.size_bytes, copied, moved_bytes=0, copied=True)
    if file.sha256 is None:
        return _stage_small(job)
    if file.size_bytes > job.sizes.single_put_bytes or _comes_in_parts(job):
        return stage_large(job, file.sha256)
    try:
        return _retried(job, lambda: _stage_whole(job, str(file.sha256)))
    except _TimeIsUpError as slow:
        staged = stage_large(job, file.sha256)
        return replace(staged, moved_bytes=staged.moved_bytes + slow.moved_bytes)


def _comes_in_parts(job: Job) -> bool:
    """Whether an earlier function found the line too slow for one PutObject."""
    return job.file.size_bytes > job.sizes.part_bytes and has_begun(job)


def _retried(job: Job, step: Callable[[], StagedFile]) -> StagedFile:
    """S3's SlowDown and its like: the file is sent anew, inside the budget."""
    retrier = Retrier(job.hub.policy)
    while True:
        try:
            return step()
        except StoreUnavailableError as trouble:
            if not retrier.may_wait(TransientError(str(trouble))):
                raise


def _stage_small(job: Job) -> StagedFile:
    file, source = job.file, job.source
    content = read_small(job.hub, source.model_id, source.commit, file.as_hub_file(), SMALL_BYTES)
    check = check_for(file)
    if check:
        check.feed(memoryview(content))
        check.finish()
    job.store.put_bytes(job.key, content)
    job.tell(len(content))
    sha256 = hashlib.sha256(content).hexdigest()
    return StagedFile(file.path, len(content), sha256, moved_bytes=len(content))


def _stage_whole(job: Job, sha256: str) -> StagedFile:
    windows = Windows(
        job.hub,
        job.at,
        connections=job.sizes.connections,
        window_bytes=job.sizes.window_bytes,
        ring=job.ring,
    )
    try:
        passed = _passed(job, windows, None if job.store.checks_content else sha256)
        job.store.put_windows(job.key, passed, job.file.size_bytes, sha256)
    finally:
        windows.close()
    return StagedFile(job.file.path, job.file.size_bytes, sha256, windows.received_bytes)


def _passed(job: Job, windows: Windows, sha256: str | None) -> Iterator[memoryview]:
    """The windows, the last one only after what is checked here has passed.

    A refusal therefore ends the upload before it is complete, and the store never has the object.
    A store that checks the content itself needs nobody who does it a second time (it is the half of
    what staging costs); for any other it is proven here.
    """
    digest, check, position = hashlib.sha256(), check_for(job.file), 0
    for window in windows:
        if sha256:
            digest.update(window)
        if check:
            check.feed(window)
        position += len(window)
        if position == job.file.size_bytes:
            if check:
                check.finish()
            if sha256:
                refuse_other_bytes(job.file.path, digest.hexdigest(), sha256)
        yield window
        job.tell(len(window))
        if position < job.file.size_bytes and _too_slow(job):
            raise _TimeIsUpError(windows.received_bytes)


def _too_slow(job: Job) -> bool:
    return job.file.size_bytes > job.sizes.part_bytes and job.time_is_up()
