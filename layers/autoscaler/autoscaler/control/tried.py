"""An error as a value, for whoever goes on with it.

What fails inside an `except` carries the caught error along (`__context__`), into the log with it.
What a model says often repeats what it was asked, and no log may have that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def tried(step: Callable[[], T], *kinds: type[E]) -> T | E:
    """What the step returns, or which of these errors it raised."""
    try:
        return step()
    except kinds as error:
        return error
