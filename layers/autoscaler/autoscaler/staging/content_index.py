"""Which key holds a content, so that no revision and no other prefix moves the same bytes twice.

Written for sealed weights only, one index for the whole bucket. A pointer is a hint: what it
points to is looked at before it is copied. It says as which format the content was checked, and
serves that format alone: the same bytes under another name have not been looked at.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath

from .errors import (
    IntegrityError,
    ObjectMissingError,
    StoreUnavailableError,
    UploadGoneError,
)
from .formats import WEIGHTS
from .plan import PlannedFile
from .proof import prove
from .store import WeightStore

_LONGEST_KEY_BYTES = 1024
# A copy of a large file is an upload, which whoever seals the same weights meanwhile ends.
_NOT_COPIED = (
    IntegrityError,
    ObjectMissingError,
    StoreUnavailableError,
    UnicodeDecodeError,
    UploadGoneError,
)


def pointer_key(file: PlannedFile) -> str:
    """By SHA-256, or by git's own checksum for what the Hub keeps outside LFS."""
    suffix = PurePosixPath(file.path).suffix.lower()
    checked_as = suffix.removeprefix(".") if suffix in WEIGHTS else "plain"
    return f"contents/{checked_as}/{file.sha256 or f'git-{file.git_oid}'}"


def remember(store: WeightStore, file: PlannedFile, key: str) -> None:
    """Says that the content lies under this key; who may not write there leaves no hint."""
    with suppress(StoreUnavailableError):
        store.whole.put_bytes(pointer_key(file), (store.base + key).encode())


def find_copy(store: WeightStore, file: PlannedFile, key: str) -> str | None:
    """Copies the content from where it lies to `key` and returns its SHA-256.

    None when it lies nowhere, or where this account may not read: then it is moved.
    """
    whole, target = store.whole, store.base + key
    try:
        source = whole.get(pointer_key(file), _LONGEST_KEY_BYTES).decode()
        sha256 = prove(file, source, whole) if source != target else None
        if sha256 is None:
            return None
        whole.copy(source, target, file.size_bytes, sha256)
    except _NOT_COPIED:
        return None
    copied = whole.head(target)
    if copied is None or (copied.sha256, copied.size_bytes) != (sha256, file.size_bytes):
        return None
    return sha256
