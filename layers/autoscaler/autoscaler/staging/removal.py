"""Takes staged weights away: their proof first, so that nobody takes half of them for whole."""

from __future__ import annotations

from collections.abc import Callable

from .large import CHECKPOINTS
from .plan import passport_key_of
from .store import WeightStore


def remove_weights(store: WeightStore, prefix: str, still_unused: Callable[[], bool]) -> int:
    """Removes passport, files, checkpoints and open uploads below `models/<model>/<commit>/`.

    `still_unused` is asked once more when the passport has gone: whoever stages the same commit
    from then on finds no proof and stages what is missing. Pointers to the contents stay: they are
    hints, which staging looks behind. Returns how many objects went.
    """
    if not prefix.startswith("models/") or prefix.count("/") != 3 or not prefix.endswith("/"):
        raise ValueError(f"{prefix!r} is not the prefix of one commit of a model")
    store.delete(passport_key_of(prefix))
    if not still_unused():
        return 1
    store.uploads.abort_all(prefix)
    keys = [one.key for root in (prefix, CHECKPOINTS + prefix) for one in store.list(root)]
    for key in keys:
        store.delete(key)
    return len(keys) + 1
