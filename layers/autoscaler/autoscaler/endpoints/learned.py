"""The learned pattern of an endpoint as it is stored: only the bins that hold something.

Beside the status, since it is some kilobytes and changes only when an idle time or a wake ends.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from ..policy.pattern import EDGES_SECONDS, Gaps, Pattern, Waits

Bins = dict[int, tuple[float, float]]  # by bin: how many, and their seconds
Sums = tuple[float, float, float]  # wakes, request-seconds, useful seconds

_BINS = len(EDGES_SECONDS) + 1


class StoredPattern(BaseModel):
    """Keys of `by_*` are hours of the day or of the week (UTC, Monday first)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    all_gaps: Bins = {}
    by_hour_of_day: dict[int, Bins] = {}
    by_hour_of_week: dict[int, Bins] = {}
    upper_gaps: tuple[Bins, ...] = ()
    waits: Sums = (0.0, 0.0, 0.0)
    waits_by_hour: dict[int, Sums] = {}
    upper_waits: Sums = (0.0, 0.0, 0.0)

    @classmethod
    def of(cls, pattern: Pattern) -> StoredPattern:
        """Rounded to what decisions could notice."""
        return cls(
            all_gaps=_bins(pattern.all_gaps),
            by_hour_of_day=_all_bins(pattern.by_hour_of_day),
            by_hour_of_week=_all_bins(pattern.by_hour_of_week),
            upper_gaps=tuple(_bins(gaps) for gaps in pattern.upper_gaps),
            waits=_sums(pattern.waits),
            waits_by_hour={hour: _sums(waits) for hour, waits in pattern.waits_by_hour.items()},
            upper_waits=_sums(pattern.upper_waits),
        )

    def pattern(self) -> Pattern:
        """The policy's own value."""
        return Pattern(
            all_gaps=_gaps(self.all_gaps),
            by_hour_of_day={hour: _gaps(bins) for hour, bins in self.by_hour_of_day.items()},
            by_hour_of_week={hour: _gaps(bins) for hour, bins in self.by_hour_of_week.items()},
            upper_gaps=tuple(_gaps(bins) for bins in self.upper_gaps),
            waits=Waits(*self.waits),
            waits_by_hour={hour: Waits(*sums) for hour, sums in self.waits_by_hour.items()},
            upper_waits=Waits(*self.upper_waits),
        )


def _all_bins(hours: Mapping[int, Gaps]) -> dict[int, Bins]:
    return {hour: _bins(gaps) for hour, gaps in hours.items()}


def _bins(gaps: Gaps) -> Bins:
    pairs = enumerate(zip(gaps.counts, gaps.seconds, strict=True))
    return {index: (round(c, 3), round(s, 1)) for index, (c, s) in pairs if round(c, 3)}


def _sums(waits: Waits) -> Sums:
    return round(waits.wakes, 3), round(waits.request_seconds, 1), round(waits.useful_seconds, 1)


def _gaps(bins: Bins) -> Gaps:
    counts, seconds = [0.0] * _BINS, [0.0] * _BINS
    for index, (count, length) in bins.items():
        if 0 <= index < _BINS:  # a later version may have other bins
            counts[index], seconds[index] = count, length
    return Gaps(tuple(counts), tuple(seconds))
