"""Moves one file from the Hub to the store: through memory only, hashed and checked on the way."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from .errors import FileTooLargeError, IntegrityError
from .gguf_header import GgufCheck
from .hub import HubClient
from .hub_files import verify_small
from .plan import MAX_FILE_BYTES, PlannedFile, StagingPlan, weights_prefix
from .safetensors_header import SafetensorsCheck
from .store import SMALL_BYTES, WeightStore
from .stream import HubStream, read_small


@dataclass(frozen=True)
class StagedFile:
    """A file that lies in the store, proven. `moved_bytes` came over the wire, repeats included."""

    path: str
    size_bytes: int
    sha256: str
    moved_bytes: int


class _Check(Protocol):
    def feed(self, chunk: bytes) -> None: ...

    def finish(self) -> None: ...


@dataclass(frozen=True)
class Source:
    """Which commit a file belongs to, and where its repository's files go."""

    model_id: str
    commit: str
    prefix: str

    @classmethod
    def of(cls, plan: StagingPlan) -> Source:
        return cls(plan.model_id, plan.commit, plan.prefix)

    @classmethod
    def at(cls, model_id: str, commit: str, trust_remote_code: bool) -> Source:
        return cls(model_id, commit, weights_prefix(model_id, commit, trust_remote_code))


def stage_file(file: PlannedFile, source: Source, hub: HubClient, store: WeightStore) -> StagedFile:
    """Puts a file into the store unless it lies there already.

    Raises RefusedError for wrong content, and then nothing of it is stored; HubUnavailableError
    or StoreUnavailableError when another attempt may succeed.
    """
    if file.size_bytes > MAX_FILE_BYTES:
        raise FileTooLargeError(
            f"{file.path} has {file.size_bytes / 1024**3:.1f} GiB; files above 5 GiB cannot be "
            "staged yet"
        )
    key = source.prefix + file.path
    present = prove(file, key, store)
    if present is not None:
        return StagedFile(file.path, file.size_bytes, present, moved_bytes=0)
    if file.sha256 is None:
        return _stage_small(file, source, key, hub, store)
    return _stage_stream(file, file.sha256, source, key, hub, store)


def prove(file: PlannedFile, key: str, store: WeightStore) -> str | None:
    """The SHA-256 of the stored file if it is the planned one, else None.

    A file from outside LFS has no SHA-256 at the Hub: its content is read again from the store
    and compared with its git blob, so that nothing has to be believed.
    """
    stored = store.head(key)
    if stored is None or stored.size_bytes != file.size_bytes or stored.sha256 is None:
        return None
    if file.sha256 is not None:
        return stored.sha256 if stored.sha256 == file.sha256 else None
    try:
        sha256 = verify_small(file.as_hub_file(), store.get(key, SMALL_BYTES))
    except IntegrityError:
        return None
    return sha256 if sha256 == stored.sha256 else None


def _stage_small(
    file: PlannedFile, source: Source, key: str, hub: HubClient, store: WeightStore
) -> StagedFile:
    content = read_small(hub, source.model_id, source.commit, file.as_hub_file(), SMALL_BYTES)
    check = _check_for(file)
    if check:
        check.feed(content)
        check.finish()
    sha256 = hashlib.sha256(content).hexdigest()
    store.put_stream(key, io.BytesIO(content), len(content), sha256)
    return StagedFile(file.path, len(content), sha256, moved_bytes=len(content))


def _stage_stream(
    file: PlannedFile, sha256: str, source: Source, key: str, hub: HubClient, store: WeightStore
) -> StagedFile:
    stream = HubStream(hub, source.model_id, source.commit, file.path, file.size_bytes)
    try:
        body = VerifiedBody(stream, file, sha256, _check_for(file))
        store.put_stream(key, body, file.size_bytes, sha256)
    finally:
        stream.close()
    return StagedFile(file.path, file.size_bytes, sha256, moved_bytes=stream.received_bytes)


def _check_for(file: PlannedFile) -> _Check | None:
    match PurePosixPath(file.path).suffix.lower():
        case ".safetensors":
            return SafetensorsCheck(file.path, file.size_bytes)
        case ".gguf":
            return GgufCheck(file.path)
    return None


class VerifiedBody:
    """Hashes what passes, and gives the last chunk only after the whole is proven.

    A refusal therefore ends the upload before it is complete: the store never has the object,
    even if it does not check the declared checksum itself.
    """

    def __init__(
        self, stream: HubStream, file: PlannedFile, sha256: str, check: _Check | None
    ) -> None:
        self._stream, self._file, self._expected, self._check = stream, file, sha256, check
        self._hash = hashlib.sha256()
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        """Raises IntegrityError instead of the last chunk when the content is wrong."""
        if self._position == self._file.size_bytes:
            return b""
        chunk = self._stream.read(size)
        self._position += len(chunk)
        self._hash.update(chunk)
        if self._check:
            self._check.feed(chunk)
        if self._position == self._file.size_bytes:
            self._prove()
        return chunk

    def _prove(self) -> None:
        if self._stream.read(1):
            raise IntegrityError(f"{self._file.path}: longer than listed")
        if self._check:
            self._check.finish()
        found = self._hash.hexdigest()
        if found != self._expected:
            raise IntegrityError(
                f"{self._file.path}: its bytes have the SHA-256 {found}, "
                f"but the Hub lists {self._expected}"
            )
