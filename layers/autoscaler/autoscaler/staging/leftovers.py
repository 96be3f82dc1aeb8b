"""What stagings that nobody took up again left behind: files and checkpoints without a passport."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from .large import CHECKPOINTS
from .plan import model_prefix, passport_key_of
from .store import StoredObject, WeightStore

# A staging takes eight hours at the most; who comes back within a week goes on from what is there.
ABANDONED_AFTER = timedelta(days=7)


def sweep_abandoned(store: WeightStore, model_id: str, now: datetime) -> int:
    """Removes the commits of a model that were never sealed and not touched for a week; returns
    how many objects those were. What has a passport, even a broken one, is left alone."""
    folder, removed = model_prefix(model_id), 0
    found: dict[str, list[StoredObject]] = defaultdict(list)
    for root in (folder, CHECKPOINTS + folder):
        for stored in store.list(root):
            variant = stored.key.removeprefix(root).partition("/")[0]
            found[f"{folder}{variant}/"].append(stored)
    for prefix, left in found.items():
        is_old = all(one.modified_at and now - one.modified_at > ABANDONED_AFTER for one in left)
        if not is_old or store.head(passport_key_of(prefix)) is not None:
            continue
        store.uploads.abort_all(prefix)
        for one in left:
            store.delete(one.key)
        removed += len(left)
    return removed
