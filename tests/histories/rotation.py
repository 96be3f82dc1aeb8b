"""Which of many cases run: others in each turn, and all of them in turn.

Without HISTORIES_SEED it is always the same turn, so that what was green stays green until
something is changed; `HISTORIES_SEED=$(date +%j)` has others each day.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")
VARIABLE = "HISTORIES_SEED"
TURN = int(os.environ.get(VARIABLE) or 739_999)


def again(turn: int = TURN) -> str:
    """How to run the same cases again."""
    return f"(the same cases again: {VARIABLE}={turn})"


def sample(cases: Sequence[T], count: int, turn: int = TURN) -> list[T]:
    """So many of them, evenly: of other calls, and with other faults. The next turn has those that
    follow them; after as many turns as there are cases to each that runs, all have run."""
    count = min(count, len(cases))
    edges = [n * len(cases) // count for n in range(count + 1)] if count else []
    return [cases[low + turn % (high - low)] for low, high in pairwise(edges)]
