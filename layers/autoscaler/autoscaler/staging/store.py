"""Where staged weights lie: the seam between staging and S3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# What may be held in memory. The Hub takes no file above 10 MB outside LFS.
SMALL_BYTES = 32 * 1024 * 1024
# One PutObject, and one CopyObject, take no more.
SINGLE_PUT_BYTES = 5 * 1024**3


@dataclass(frozen=True)
class StoredObject:
    """What the store says about an object; `sha256` (hex) is None when it keeps none.

    Up to 5 GiB S3 has computed it itself; above, it is what staging proved before it completed
    the upload. Then `crc64nvme` (base64) is what S3 has computed itself of the whole.
    """

    key: str
    size_bytes: int
    sha256: str | None
    crc64nvme: str | None = None
    modified_at: datetime | None = None


class PartUploads(Protocol):
    """Uploads in parts. Raises UploadGoneError when the upload does not exist (any more)."""

    def begin(self, key: str, sha256: str) -> str:
        """Returns the upload's id; `sha256` is what the object will be said to have."""

    def put(self, key: str, upload: str, number: int, part: memoryview, crc64nvme: str) -> None:
        """Stores one part, which the store checks; again with the same number replaces it."""

    def complete(self, key: str, upload: str, parts: int, crc64nvme: str) -> None:
        """Raises UploadGoneError when a part is missing or was sent again meanwhile, and
        IntegrityError when S3 has another checksum."""

    def abort(self, key: str, upload: str) -> None:
        """Idempotent."""

    def abort_all(self, prefix: str) -> int:
        """Ends every upload under a prefix; returns how many there were."""

    def copy(self, source_key: str, key: str, size_bytes: int, sha256: str) -> None:
        """Copies inside the store what is too large for one copy."""


class WeightStore(Protocol):
    """Objects under keys. Every method raises StoreUnavailableError when the store fails."""

    @property
    def uploads(self) -> PartUploads: ...

    @property
    def base(self) -> str:
        """What stands before every key in the bucket; ends in a slash, or is empty."""

    @property
    def whole(self) -> WeightStore:
        """The same bucket with nothing before its keys."""

    @property
    def checks_content(self) -> bool:
        """True when the store refuses a body that has not the SHA-256 it was declared with: AWS
        does, and of any other it is tried once. Others take whatever is declared for the truth."""

    def head(self, key: str) -> StoredObject | None:
        """None only when the store answered that there is no such object."""

    def put_windows(
        self, key: str, windows: Iterable[memoryview], size_bytes: int, sha256: str
    ) -> None:
        """Stores exactly `size_bytes`, up to SINGLE_PUT_BYTES, or nothing.

        `sha256` (hex) is declared to the store, which refuses other bytes with IntegrityError.
        What the windows raise comes out unchanged, and then nothing is stored.
        """

    def copy(self, source_key: str, key: str, size_bytes: int, sha256: str) -> None:
        """Copies inside the store, checksum included."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects under a prefix; checksums are not looked up (`sha256` is None)."""

    def delete(self, key: str) -> None:
        """Idempotent."""

    def get(self, key: str, limit_bytes: int = SMALL_BYTES) -> bytes:
        """The whole object.

        Raises ObjectMissingError, and IntegrityError when it is larger than `limit_bytes`.
        """

    def sha256_of(self, key: str) -> str:
        """Reads the whole object, whatever its size, and hashes it. Raises ObjectMissingError."""

    def put_bytes(self, key: str, body: bytes) -> None:
        """Stores a small object with its checksum."""
