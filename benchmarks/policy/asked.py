"""What the issue asked for, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .tables import mark, table


@dataclass(frozen=True)
class Asked:
    """One demand and whether it was met."""

    what: str
    measured: str
    asked: str
    is_met: bool


def at_most(what: str, found: float, most: float, form: str = "{:.2f}") -> Asked:
    """`form` writes both."""
    return Asked(what, form.format(found), f"at most {form.format(most)}", found <= most)


def summary(all_asked: Sequence[Asked]) -> str:
    """The last table of a run."""
    rows = [(one.what, one.measured, one.asked, mark(one.is_met)) for one in all_asked]
    return table(("asked for", "measured", "asked", ""), rows)
