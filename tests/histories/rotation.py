"""Which of many cases run: others each day, and all of them in turn.

The turn is the number of the day (UTC); HISTORIES_SEED sets it, so that a day's cases can be run
again, or always the same ones.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")
VARIABLE = "HISTORIES_SEED"
# Read once, before a test sets the clock to a day of its own.
TURN = int(os.environ.get(VARIABLE) or datetime.now(UTC).date().toordinal())


def again(turn: int = TURN) -> str:
    """How to run the same cases again."""
    return f"(the same cases again: {VARIABLE}={turn})"


def sample(cases: Sequence[T], count: int, turn: int = TURN) -> list[T]:
    """So many of them, evenly: of other calls, and with other faults. The next turn has those that
    follow them; after as many turns as there are cases to each that runs, all have run."""
    count = min(count, len(cases))
    edges = [n * len(cases) // count for n in range(count + 1)] if count else []
    return [cases[low + turn % (high - low)] for low, high in pairwise(edges)]
