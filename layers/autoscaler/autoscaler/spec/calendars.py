"""Public holidays by calendar, from the `holidays` library.

It is imported when the first holiday is asked for. With the first calendar that takes 0.15 to
0.25 s on a laptop's core, which only a schedule with holidays pays; a further year takes 0.2 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Calendar(BaseModel):
    """Whose holidays: a country by its ISO 3166 code, and a part of it."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    calendar: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    subdivision: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")] | None = None

    def __str__(self) -> str:
        return f"{self.calendar}, {self.subdivision}" if self.subdivision else self.calendar

    def name_of(self, day: date) -> str | None:
        """What is celebrated on a day; None: nothing, or there is no such calendar."""
        return _of_year(self.calendar, self.subdivision, day.year).get(day)

    def problem(self) -> str | None:
        """Why there is no such calendar, naming field and way out; None: there is."""
        from holidays import list_supported_countries

        known = list_supported_countries(include_aliases=False)
        if self.calendar not in known:
            close = ", ".join(get_close_matches(self.calendar, known, n=3, cutoff=0.5))
            hint = f": did you mean {close}?" if close else " by its ISO 3166 code, such as DE"
            return f"calendar: there is no calendar {self.calendar!r}; name a country{hint}"
        parts = known[self.calendar]
        if self.subdivision is None or self.subdivision in parts:
            return None
        there = f"its parts are {', '.join(parts)}" if parts else "it has no parts; leave it out"
        return f"subdivision: {self.calendar} has no part {self.subdivision!r}; {there}"


@lru_cache(maxsize=512)
def _of_year(country: str, subdivision: str | None, year: int) -> Mapping[date, str]:
    """The holidays of a year. A calendar that a newer library has lost has none, so that what was
    accepted with it can still be read; `plan` and `schedule show` say that it is gone."""
    from holidays import country_holidays

    try:
        return dict(country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError:
        return {}
