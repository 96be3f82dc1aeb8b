"""Whether an object in the store is the file that was planned."""

from __future__ import annotations

from .errors import IntegrityError
from .hub_files import verify_small
from .plan import PlannedFile
from .store import SMALL_BYTES, WeightStore


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
