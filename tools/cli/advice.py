"""Replays for the advice of a report on this machine's cores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from autoscaler.ledger.advice import Trial, replayed
from autoscaler.replay.results import Outcome

# A spec is replayed some eight times, each in a process; more cores than that bring nothing.
_WORKERS = max(2, min(8, os.cpu_count() or 2))


def on_all_cores(trials: Sequence[Trial]) -> list[Outcome]:
    """In the order of the trials."""
    with ProcessPoolExecutor(_WORKERS) as pool:
        return list(pool.map(replayed, trials))
