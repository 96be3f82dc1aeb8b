"""Which key holds the content of a SHA-256, so that no revision moves the same bytes twice.

Written for sealed weights only. A pointer is a hint: what it points to is looked at before it is
copied.
"""

from __future__ import annotations

from .errors import IntegrityError, ObjectMissingError
from .store import WeightStore

_LONGEST_KEY_BYTES = 1024


def pointer_key(sha256: str) -> str:
    return f"contents/{sha256}"


def remember(store: WeightStore, sha256: str, key: str) -> None:
    """Says that the content lies under this key."""
    store.put_bytes(pointer_key(sha256), key.encode())


def find_copy(store: WeightStore, sha256: str, size_bytes: int, key: str) -> bool:
    """Copies the content from where it lies to `key`; False when it lies nowhere."""
    try:
        source = store.get(pointer_key(sha256), _LONGEST_KEY_BYTES).decode()
    except (ObjectMissingError, IntegrityError, UnicodeDecodeError):
        return False
    stored = store.head(source) if source != key else None
    if stored is None or (stored.sha256, stored.size_bytes) != (sha256, size_bytes):
        return False
    store.copy(source, key, size_bytes, sha256)
    copied = store.head(key)
    return copied is not None and (copied.sha256, copied.size_bytes) == (sha256, size_bytes)
