"""Numbers that are not switches: Python takes true for 1, a reader of the file does not."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator


def _no_switch(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not a number")
    return value


Whole = Annotated[int, BeforeValidator(_no_switch)]
Real = Annotated[float, BeforeValidator(_no_switch)]
