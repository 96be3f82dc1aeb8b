"""Where staged weights lie: the seam between staging and S3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

# What may be held in memory. The Hub takes no file above 10 MB outside LFS.
SMALL_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class StoredObject:
    """What the store says about an object; `sha256` (hex) is None when it keeps none."""

    key: str
    size_bytes: int
    sha256: str | None


class ByteSource(Protocol):
    """Read once, front to back; an empty answer is the end."""

    def read(self, size: int = -1, /) -> bytes: ...


class WeightStore(Protocol):
    """Objects under keys. Every method raises StoreUnavailableError when the store fails."""

    def head(self, key: str) -> StoredObject | None:
        """None only when the store answered that there is no such object."""

    def put_stream(self, key: str, body: ByteSource, size_bytes: int, sha256: str) -> None:
        """Stores exactly `size_bytes` of `body`, or nothing.

        `sha256` (hex) is declared to the store, which refuses other bytes with IntegrityError.
        What `body.read` raises comes out unchanged, and then nothing is stored.
        """

    def copy(self, source_key: str, key: str) -> None:
        """Copies inside the store, checksum included; at most 5 GiB."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects under a prefix; checksums are not looked up (`sha256` is None)."""

    def delete(self, key: str) -> None:
        """Idempotent."""

    def get(self, key: str, limit_bytes: int = SMALL_BYTES) -> bytes:
        """The whole object.

        Raises ObjectMissingError, and IntegrityError when it is larger than `limit_bytes`.
        """

    def put_bytes(self, key: str, body: bytes) -> None:
        """Stores a small object with its checksum."""
