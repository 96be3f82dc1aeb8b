"""The settings that each engine's pinned image knows (data/parameters.json).

A misspelt flag ends the container at its start, on an instance that is paid for, so it is found
here. The lists are generous: what one release before or after the pinned one knows is in them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from ..spec import Engine

_NEGATION = "no_"


@dataclass(frozen=True)
class Vocabulary:
    """Names in small letters with underscores; `negated`: each is also known with `no_` before."""

    version: str
    source: str
    read: str
    negated: bool
    names: frozenset[str]

    def knows(self, key: str) -> bool:
        name = _spelt(key)
        return name in self.names or (self.negated and name.removeprefix(_NEGATION) in self.names)

    def closest(self, key: str) -> list[str]:
        """Up to three names that look like it, the closest first."""
        return get_close_matches(_spelt(key), sorted(self.names), n=3)


@cache
def vocabulary(engine: Engine) -> Vocabulary:
    """What the image of an engine knows."""
    text = files(__package__).joinpath("data/parameters.json").read_text(encoding="utf-8")
    row = json.loads(text)[engine.value]
    return Vocabulary(**{**row, "names": frozenset(row["names"])})


def _spelt(key: str) -> str:
    return key.replace("-", "_").lower()
