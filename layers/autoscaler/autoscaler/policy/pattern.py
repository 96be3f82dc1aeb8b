"""What an endpoint's own idle times looked like: histograms by hour, and what a keep-alive costs.

An idle time is a gap between two requests' work. For a keep-alive of T a gap of G costs
`rate × min(G, T)`, and a cold start if G > T. That is the ski-rental problem; with the gaps'
distribution known, the T of least expected cost is the best that any rule without foresight of
the single gap can do (Karlin, Manasse, McGeoch, Owicki: "Competitive randomized algorithms for
nonuniform problems", 1994). Gaps are kept with exponential forgetting; hours borrow from the whole
as long as they have seen little themselves (shrinkage towards the pooled mean).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

# Upper edges of the bins, and the keep-alives that are compared: dense where decisions turn.
EDGES_SECONDS = (
    60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 420.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0,
    3600.0, 5400.0, 7200.0, 14400.0,
)  # fmt: skip
# Shorter gaps than a tick say nothing about sleeping.
LEAST_GAP = timedelta(seconds=30)
# So many gaps of one hour weigh as much as all others together.
BORROWED_GAPS = 20.0
# Of the pool: one gap more and the earlier ones count 0.2 % less (half after 350).
FORGETTING = 0.998
# "Never by one noisy gap", nor by one burst.
MOST_SURPRISING = 25.0
HOURS_OF_DAY = 24
HOURS_OF_WEEK = 168


@dataclass(frozen=True)
class Gaps:
    """A histogram of idle times: how many in each bin, and their seconds; both decay."""

    counts: tuple[float, ...] = (0.0,) * (len(EDGES_SECONDS) + 1)
    seconds: tuple[float, ...] = (0.0,) * (len(EDGES_SECONDS) + 1)

    @property
    def total(self) -> float:
        return sum(self.counts)

    def with_gap(self, seconds: float) -> Gaps:
        """One gap more; the earlier ones fade."""
        index = bisect_right(EDGES_SECONDS, seconds)
        counts = [count * FORGETTING for count in self.counts]
        lengths = [length * FORGETTING for length in self.seconds]
        counts[index] += 1
        lengths[index] += seconds
        return Gaps(tuple(counts), tuple(lengths))


@dataclass(frozen=True)
class Waits:
    """What wakes cost beside the copy: decaying sums. `useful_seconds`: of the lead time, those in
    which requests kept coming, so that an endpoint that was awake would have been paid as well."""

    wakes: float = 0.0
    request_seconds: float = 0.0
    useful_seconds: float = 0.0

    def with_wake(self, request_seconds: float, useful_seconds: float = 0.0) -> Waits:
        """One wake more; half of an old one's weight is gone after 13. One that was much longer
        than the others counts as MOST_SURPRISING of them."""
        if self.wakes >= 1:
            usual = self.request_seconds / self.wakes
            request_seconds = min(request_seconds, max(MOST_SURPRISING * usual, 3600.0))
        return Waits(
            self.wakes * 0.95 + 1,
            self.request_seconds * 0.95 + request_seconds,
            self.useful_seconds * 0.95 + useful_seconds,
        )


@dataclass(frozen=True)
class Pattern:
    """Everything that was learned of an endpoint's idle times and wakes."""

    all_gaps: Gaps = Gaps()
    by_hour_of_day: Mapping[int, Gaps] = field(default_factory=dict)
    by_hour_of_week: Mapping[int, Gaps] = field(default_factory=dict)
    waits: Waits = Waits()
    waits_by_hour: Mapping[int, Waits] = field(default_factory=dict)
    upper_gaps: tuple[Gaps, ...] = ()  # times in which the second, third … copy was not needed
    upper_waits: Waits = Waits()  # of requests that came while such a copy was missing

    def with_gap(self, began: datetime, length: timedelta) -> Pattern:
        """The pattern after one gap more, counted where it began (UTC)."""
        if length < LEAST_GAP:
            return self
        seconds = length.total_seconds()
        day, week = hours_of(began)
        return replace(
            self,
            all_gaps=self.all_gaps.with_gap(seconds),
            by_hour_of_day=_with(self.by_hour_of_day, day, seconds),
            by_hour_of_week=_with(self.by_hour_of_week, week, seconds),
        )

    def with_upper_gap(self, copy: int, length: timedelta) -> Pattern:
        """The pattern after a copy beyond the first (2, 3 …) was needed again."""
        if length < LEAST_GAP:
            return self
        gaps = [*self.upper_gaps, *[Gaps()] * (copy - 1 - len(self.upper_gaps))]
        gaps[copy - 2] = gaps[copy - 2].with_gap(length.total_seconds())
        return replace(self, upper_gaps=tuple(gaps))

    def with_shortage(self, request_seconds: float) -> Pattern:
        """The pattern after requests waited although copies served."""
        return replace(self, upper_waits=self.upper_waits.with_wake(request_seconds))

    def with_wake(
        self, asked_at: datetime, request_seconds: float, useful_seconds: float = 0.0
    ) -> Pattern:
        """The pattern after one wake more that made its requests wait so long in all."""
        day, _ = hours_of(asked_at)
        hour = self.waits_by_hour.get(day, Waits()).with_wake(request_seconds, useful_seconds)
        return replace(
            self,
            waits=self.waits.with_wake(request_seconds, useful_seconds),
            waits_by_hour={**self.waits_by_hour, day: hour},
        )


def hours_of(moment: datetime) -> tuple[int, int]:
    """Hour of the day and of the week, UTC; patterns that follow a local clock move by an hour
    twice a year, and are learned anew then."""
    return moment.hour, moment.weekday() * 24 + moment.hour


def _with(hours: Mapping[int, Gaps], hour: int, seconds: float) -> dict[int, Gaps]:
    return {**hours, hour: hours.get(hour, Gaps()).with_gap(seconds)}
