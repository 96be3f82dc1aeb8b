"""What an endpoint's own idle times looked like, by their length and by the clock.

An idle time is a gap between two requests' work. Three things are kept of them, all fading:

* how long they were (`Gaps`): the chance that one ends now, given for how long it lasts already;
* at which times of the day and of the week they ended more often, or less, than that says
  (`Turnout`): seen ÷ expected, a relative risk as in a proportional hazards model (Cox, 1972);
* what waiting a start would have made of the requests that ended them (`Bursts`).

Each borrows from a prior, and the narrower from the wider, as long as it has seen little itself
(a gamma prior on a Poisson rate): an hour that does not repeat itself stays at what all hours say.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from math import exp, log

# Upper edges of the bins of idle times, between ticks; the last bin is open. A minute each where
# most decisions fall.
EDGES_SECONDS = (
    90.0, 150.0, 210.0, 270.0, 330.0, 390.0, 450.0, 510.0, 570.0, 630.0, 690.0, 750.0, 810.0,
    930.0, 1050.0, 1230.0, 1530.0, 1830.0, 2730.0, 3630.0, 5430.0, 7230.0, 14430.0,
)  # fmt: skip
# Shorter gaps than a tick say nothing about sleeping.
LEAST_GAP = timedelta(seconds=30)
_LOWER_EDGES = (LEAST_GAP.total_seconds(), *EDGES_SECONDS)
_BINS = len(_LOWER_EDGES)
# Before anything is known: gaps of every magnitude are as frequent, so the chance that one ends is
# inversely proportional to its age. Requests of people and of jobs come in bursts of bursts.
PRIOR_ENDS = 1.0  # × 1 / age
PRIOR_WEIGHT = 1.0  # in idle times, for each bin
# Of the pool: one gap more and the earlier ones count 0.2 % less (half after 350).
FORGETTING = 0.998
# "Never by one noisy gap", nor by one burst.
MOST_SURPRISING = 25.0
SLOT_SECONDS = 600
SLOTS_OF_DAY = 86400 // SLOT_SECONDS
HOURS_OF_WEEK = 168
# Only from this age on is an idle time laid over the clock, and what ends it a burst: busy hours
# are full of short ones, which say nothing of how long ones end.
LAID_FROM = timedelta(seconds=300)
_LONGEST_LAID = timedelta(days=2)
# As many ends must be expected of a slot until what was before is forgotten.
_TURNOUT_MEMORY = 12.0
# So many expected ends weigh as much as what is borrowed from the wider; an hour of the week comes
# seldom.
_SLOT_BORROWS = (0.1, 0.4, 1.6)
_HOUR_BORROWS = 4.0
# Of what speaks for and against the clock: half of it is gone after 70 idle times.
_EVIDENCE_MEMORY = 0.99
# Bursts are told apart by the idle time before them: up to so long, or longer.
AGES_SECONDS = (600.0, 1500.0, 3600.0)
# Of bursts and shortages: half of an old one's weight is gone after 13.
_BURST_MEMORY = 0.95


@dataclass(frozen=True)
class Gaps:
    """A histogram of idle times: how many in each bin, and their seconds; both decay."""

    counts: tuple[float, ...] = (0.0,) * _BINS
    seconds: tuple[float, ...] = (0.0,) * _BINS

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

    @cached_property
    def hazards(self) -> tuple[float, ...]:
        """For each bin: ends a second of an idle time that has come so far."""
        longer = self.total
        found = []
        for index, (lower, count, seconds) in enumerate(
            zip(_LOWER_EDGES, self.counts, self.seconds, strict=True)
        ):
            longer -= count
            width = EDGES_SECONDS[index] - lower if index < _BINS - 1 else 0.0
            middle = lower + width / 2 if width else 1.5 * lower
            lived = longer * width + max(0.0, seconds - count * lower)
            prior = PRIOR_ENDS / middle
            found.append((count + PRIOR_WEIGHT) / (max(0.0, lived) + PRIOR_WEIGHT / prior))
        return tuple(found)


@dataclass(frozen=True)
class Turnout:
    """Idle times that ended at some time of the day or week, and how many were expected to."""

    seen: float = 0.0
    expected: float = 0.0

    def having(self, seen: float, expected: float) -> Turnout:
        """More of both; what was before fades by what was expected."""
        kept = max(0.0, 1.0 - expected / _TURNOUT_MEMORY)
        return Turnout(self.seen * kept + seen, self.expected * kept + expected)

    def risk(self, borrowed: float) -> float:
        """How often against what was expected; 1 as long as little is known."""
        return (self.seen + borrowed) / (self.expected + borrowed)


_UNKNOWN = Turnout()


@dataclass(frozen=True)
class Bursts:
    """What came at the end of idle times: decaying sums.

    `request_seconds`: what the requests would have waited had it slept, beyond the free wait.
    `useful_seconds`: of the lead time, those in which requests kept coming, so that an endpoint
    that was awake would have been paid as well.
    """

    count: float = 0.0
    request_seconds: float = 0.0
    useful_seconds: float = 0.0

    def having(self, request_seconds: float, useful_seconds: float, usual: float) -> Bursts:
        """One burst more; one far beyond the usual counts as MOST_SURPRISING of them."""
        request_seconds = min(request_seconds, max(MOST_SURPRISING * usual, 3600.0))
        return Bursts(
            self.count * _BURST_MEMORY + 1,
            self.request_seconds * _BURST_MEMORY + request_seconds,
            self.useful_seconds * _BURST_MEMORY + useful_seconds,
        )

    def mean_waiting(self, borrowed: float, prior: float) -> float:
        """Request-seconds of one."""
        return (self.request_seconds + borrowed * prior) / (self.count + borrowed)

    def mean_useful(self, borrowed: float, prior: float) -> float:
        """Seconds of one."""
        return (self.useful_seconds + borrowed * prior) / (self.count + borrowed)


@dataclass(frozen=True)
class Pattern:
    """Everything that was learned of an endpoint's idle times. Slots and hours are local."""

    gaps: Gaps = Gaps()
    by_slot: Mapping[int, Turnout] = field(default_factory=dict)  # ten minutes of the day
    by_hour: Mapping[int, Turnout] = field(default_factory=dict)  # hours of the week
    slot_evidence: tuple[float, ...] = (0.0,) * len(_SLOT_BORROWS)
    hour_evidence: float = 0.0
    bursts: Bursts = Bursts()
    bursts_by_age: tuple[Bursts, ...] = (Bursts(),) * (len(AGES_SECONDS) + 1)
    bursts_by_slot: Mapping[int, Bursts] = field(default_factory=dict)
    upper_gaps: tuple[Gaps, ...] = ()  # times in which the second, third … copy was not needed
    shortages: Bursts = Bursts()  # of requests that came while such a copy was missing

    def with_gap(self, began: datetime, ended: datetime) -> Pattern:
        """The pattern after one gap more; both moments in the zone whose clock counts."""
        length = _lasted(began, ended)
        if length < LEAST_GAP:
            return self
        by_slot, by_hour = dict(self.by_slot), dict(self.by_hour)
        for_slots = [_EVIDENCE_MEMORY * one for one in self.slot_evidence]
        for_hours = _EVIDENCE_MEMORY * self.hour_evidence
        for slot, hour, expected in self._laid(began, ended):
            of_slot, of_hour = self._slot_risks(slot), self._hour_risk(hour)
            believed = _believed(of_slot, self.slot_evidence)
            for_slots = [
                one - expected * (r - 1) for one, r in zip(for_slots, of_slot, strict=True)
            ]
            for_hours -= expected * believed * (of_hour - 1)
            _add(by_slot, slot, 0.0, expected)
            _add(by_hour, hour, 0.0, expected * believed)
        if length >= LAID_FROM:
            slot, hour = clock_of(ended)
            for_slots = [
                one + log(r) for one, r in zip(for_slots, self._slot_risks(slot), strict=True)
            ]
            for_hours += log(self._hour_risk(hour))
            _add(by_slot, slot, 1.0, 0.0)
            _add(by_hour, hour, 1.0, 0.0)
        return replace(
            self,
            gaps=self.gaps.with_gap(length.total_seconds()),
            by_slot=by_slot,
            by_hour=by_hour,
            slot_evidence=tuple(for_slots),
            hour_evidence=for_hours,
        )

    def _laid(self, began: datetime, ended: datetime) -> Iterator[tuple[int, int, float]]:
        """(slot, hour, ends expected by the gap's age alone) for the time that it lasted."""
        hazards, zone = self.gaps.hazards, began.tzinfo
        began = began.astimezone(UTC)
        at = began + LAID_FROM
        stop = min(ended.astimezone(UTC), began + _LONGEST_LAID)
        while at < stop:
            local = at.astimezone(zone)
            past = (local.minute * 60 + local.second) % SLOT_SECONDS + local.microsecond / 1e6
            until = min(stop, at + timedelta(seconds=SLOT_SECONDS - past))
            ages = (at - began).total_seconds(), (until - began).total_seconds()
            yield (*clock_of(local), expected_ends(hazards, *ages))
            at = until

    def risk(self, slot: int, hour: int) -> float:
        """How often idle times end at that time, against what their length alone says."""
        known = self._risks.get((slot, hour))
        if known is None:
            of_slot = _believed(self._slot_risks(slot), self.slot_evidence)
            of_hour = _believed((self._hour_risk(hour),), (self.hour_evidence,))
            known = self._risks[slot, hour] = of_slot * of_hour
        return known

    @cached_property
    def _risks(self) -> dict[tuple[int, int], float]:
        """What was reckoned already: a look each minute asks for the same hours again."""
        return {}

    def _slot_risks(self, slot: int) -> tuple[float, ...]:
        turnout = self.by_slot.get(slot, _UNKNOWN)
        return tuple(turnout.risk(borrowed) for borrowed in _SLOT_BORROWS)

    def _hour_risk(self, hour: int) -> float:
        return self.by_hour.get(hour, _UNKNOWN).risk(_HOUR_BORROWS)

    def with_burst(
        self, at: datetime, age: float, request_seconds: float, useful_seconds: float
    ) -> Pattern:
        """The pattern after a gap's end, with what its requests would have waited for a start."""
        slot, _ = clock_of(at)
        usual = self.bursts.mean_waiting(1.0, 0.0)
        own = self.bursts_by_slot.get(slot, Bursts())
        local = max(usual, own.mean_waiting(1.0, 0.0))
        own = own.having(request_seconds, useful_seconds, local)
        by_age = list(self.bursts_by_age)
        which = bisect_right(AGES_SECONDS, age)
        by_age[which] = by_age[which].having(request_seconds, useful_seconds, usual)
        return replace(
            self,
            bursts=self.bursts.having(request_seconds, useful_seconds, usual),
            bursts_by_age=tuple(by_age),
            bursts_by_slot={**self.bursts_by_slot, slot: own},
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
        usual = self.shortages.mean_waiting(1.0, 0.0)
        return replace(self, shortages=self.shortages.having(request_seconds, 0.0, usual))


def _lasted(began: datetime, ended: datetime) -> timedelta:
    """The time between, over a change of the clocks too: Python subtracts two moments of one zone
    as their clocks show them."""
    return ended.astimezone(UTC) - began.astimezone(UTC)


def clock_of(moment: datetime) -> tuple[int, int]:
    """Slot of the day and hour of the week by the moment's own clock."""
    slot = (moment.hour * 3600 + moment.minute * 60) // SLOT_SECONDS
    return slot, moment.weekday() * 24 + moment.hour


def expected_ends(hazards: tuple[float, ...], first: float, last: float) -> float:
    """Ends expected between two ages, in seconds, of one idle time that does not end."""
    index = bisect_right(EDGES_SECONDS, first)
    found, at = 0.0, first
    while at < last:
        edge = EDGES_SECONDS[index] if index < _BINS - 1 else last
        until = min(edge, last)
        found += hazards[index] * (until - at)
        at, index = until, index + 1
    return found


def _believed(risks: Sequence[float], evidence: Sequence[float]) -> float:
    """The risk as far as each way to read the clock has earned belief; 1 is not to believe it.

    `evidence` is the logarithm of how much better a way foretold the ends so far than their lengths
    alone did (Bayesian model averaging).
    """
    best = max(0.0, *evidence)
    none, weights = exp(-best), [exp(one - best) for one in evidence]
    total = none + sum(weights)
    return (none + sum(w * r for w, r in zip(weights, risks, strict=True))) / total


def _add(known: dict[int, Turnout], key: int, seen: float, expected: float) -> None:
    known[key] = known.get(key, Turnout()).having(seen, expected)
