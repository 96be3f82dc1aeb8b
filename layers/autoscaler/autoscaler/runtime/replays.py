"""Replays within the time of an invocation, one after the other: a function has one core."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..ledger.advice import NoTimeError, Replays, Trial, replayed
from ..replay.results import Outcome

# What is left for writing and announcing the report.
RESERVE_SECONDS = 60.0
# A replay takes as long as the slowest before, or so; the first may take this long.
_FIRST_SECONDS = 30.0
_SLOWER = 2.0
# Of more a replay takes minutes, and its lists most of the memory.
MOST_REQUESTS = 3_000_000


def one_by_one(milliseconds_left: Callable[[], int]) -> Replays:
    """Begins none that might not end in time."""
    slowest = 0.0

    def run(trials: Sequence[Trial]) -> list[Outcome]:
        nonlocal slowest
        found: list[Outcome] = []
        for trial in trials:
            needed = slowest * _SLOWER or _FIRST_SECONDS
            if milliseconds_left() / 1000 - RESERVE_SECONDS < needed:
                raise NoTimeError(
                    "there was no time left for it here; `autoscaler report --advice` has it"
                )
            began = time.monotonic()
            found.append(replayed(trial))
            slowest = max(slowest, time.monotonic() - began)
        return found

    return run
