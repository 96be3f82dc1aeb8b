"""A file that one PutObject does not take: in parts, in order, resumable after any of them.

After each part a checkpoint is stored: how far it came, and the state of both checksums. Whoever
comes next (a fresh Lambda, a process after `kill -9`) goes on from there. The upload is completed
only when the SHA-256 of the whole is the Hub's, and S3 compares its own CRC64NVME of the whole.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .digests import ResumableSha256, crc64nvme, crc64nvme_text
from .errors import (
    IntegrityError,
    ObjectMissingError,
    RefusedError,
    StoreUnavailableError,
    UploadGoneError,
)
from .job import Job, StagedFile, check_for, refuse_other_bytes
from .retry import Retrier, TransientError
from .store import SMALL_BYTES, WeightStore
from .windows import Windows

CHECKPOINTS = "checkpoints/"


class Checkpoint(BaseModel):
    """How far a large file came. The states are of the bytes of all `parts`."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    upload: str
    sha256: str
    size_bytes: int
    part_bytes: Annotated[int, Field(gt=0)]
    parts: Annotated[int, Field(ge=0)]
    sha256_state: str
    crc64nvme: Annotated[int, Field(ge=0, lt=2**64)]

    @property
    def position(self) -> int:
        return min(self.parts * self.part_bytes, self.size_bytes)


def checkpoint_key(key: str) -> str:
    return f"{CHECKPOINTS}{key}.json"


def has_begun(job: Job) -> bool:
    """Whether a function has left a checkpoint of this file."""
    return job.store.head(checkpoint_key(job.key)) is not None


def stage_large(job: Job, sha256: str) -> StagedFile:
    """As `transfer.stage_file`; `done` False when the time was up before the end."""
    mark = _standing(job, sha256) or _begun(job, sha256)
    job.tell(mark.position)
    try:
        return _go_on(job, mark)
    except UploadGoneError as gone:  # somebody ended it: from the start, next time
        discard_large(job.store, job.key, mark.upload)
        raise StoreUnavailableError(str(gone)) from gone
    except RefusedError:
        discard_large(job.store, job.key, mark.upload)
        raise


def discard_large(store: WeightStore, key: str, upload: str) -> None:
    """After a refusal nothing is left: no upload, no checkpoint."""
    store.uploads.abort(key, upload)
    store.delete(checkpoint_key(key))


def _standing(job: Job, sha256: str) -> Checkpoint | None:
    """The checkpoint, if it can be gone on from; one that cannot is removed with its upload."""
    try:
        mark = Checkpoint.model_validate_json(job.store.get(checkpoint_key(job.key), SMALL_BYTES))
    except (ObjectMissingError, IntegrityError, ValidationError):
        return None
    if _fits(mark, job, sha256):
        return mark
    discard_large(job.store, job.key, mark.upload)
    return None


def _fits(mark: Checkpoint, job: Job, sha256: str) -> bool:
    wanted = (sha256, job.file.size_bytes, job.sizes.part_bytes_of(job.file.size_bytes))
    if (mark.sha256, mark.size_bytes, mark.part_bytes) != wanted:
        return False
    try:
        return ResumableSha256.resume(mark.sha256_state).position == mark.position
    except ValueError:
        return False


def _begun(job: Job, sha256: str) -> Checkpoint:
    mark = Checkpoint(
        upload=job.store.uploads.begin(job.key, sha256),
        sha256=sha256,
        size_bytes=job.file.size_bytes,
        part_bytes=job.sizes.part_bytes_of(job.file.size_bytes),
        parts=0,
        sha256_state=ResumableSha256().state,
        crc64nvme=0,
    )
    _lay_down(job, mark)
    return mark


def _lay_down(job: Job, mark: Checkpoint) -> None:
    job.store.put_bytes(checkpoint_key(job.key), mark.model_dump_json().encode())


def _go_on(job: Job, mark: Checkpoint) -> StagedFile:
    digest, crc = ResumableSha256.resume(mark.sha256_state), mark.crc64nvme
    # The header lies in the first part: whoever goes on has seen it pass.
    check = check_for(job.file) if mark.parts == 0 else None
    windows = _parts(job, mark)
    try:
        for part in windows or ():
            if check:
                check.feed(part)
                check.finish()
                check = None
            digest.update(part)
            crc = crc64nvme(part, crc)
            _put(job, mark, part)
            mark = mark.model_copy(
                update={"parts": mark.parts + 1, "sha256_state": digest.state, "crc64nvme": crc}
            )
            _lay_down(job, mark)
            job.tell(len(part))
            if mark.position < mark.size_bytes and job.time_is_up():
                return _staged(job, mark, windows, done=False)
    finally:
        if windows is not None:
            windows.close()
    refuse_other_bytes(job.file.path, digest.hexdigest(), mark.sha256)
    job.store.uploads.complete(job.key, mark.upload, mark.parts, crc64nvme_text(crc))
    job.store.delete(checkpoint_key(job.key))
    return _staged(job, mark, windows, done=True)


def _parts(job: Job, mark: Checkpoint) -> Windows | None:
    """Each window is a part. None: all of them are there, and only the end is missing."""
    if mark.position == mark.size_bytes:
        return None
    return Windows(
        job.hub,
        job.at,
        start=mark.position,
        connections=job.sizes.connections,
        window_bytes=mark.part_bytes,
        ring=job.ring,
    )


def _put(job: Job, mark: Checkpoint, part: memoryview) -> None:
    """S3's SlowDown and its like: the part is sent again from memory, inside the budget."""
    retrier, own = Retrier(job.hub.policy), crc64nvme_text(crc64nvme(part))
    while True:
        try:
            job.store.uploads.put(job.key, mark.upload, mark.parts + 1, part, own)
            return
        except StoreUnavailableError as trouble:
            if not retrier.may_wait(TransientError(str(trouble))):
                raise


def _staged(job: Job, mark: Checkpoint, windows: Windows | None, *, done: bool) -> StagedFile:
    moved = windows.received_bytes if windows else 0
    return StagedFile(job.file.path, mark.size_bytes, mark.sha256, moved, done=done)
