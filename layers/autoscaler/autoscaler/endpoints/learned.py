"""The learned pattern of an endpoint as it is stored: only the bins that hold something.

Beside the status, since it is some kilobytes and changes only when an idle time or a burst ends.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ..policy.pattern import AGES_SECONDS, EDGES_SECONDS, Bursts, Gaps, Pattern, Turnout

Bins = dict[int, tuple[float, float]]  # by bin: how many, and their seconds
Pairs = dict[int, tuple[float, float]]  # by slot or hour: ends that were seen, and expected
Sums = tuple[float, float, float]  # bursts, request-seconds, useful seconds

_BINS = len(EDGES_SECONDS) + 1
_AGES = len(AGES_SECONDS) + 1


class StoredPattern(BaseModel):
    """Keys of `by_slot` are ten minutes of the day, of `by_hour` hours of the week, both by the
    clock of the endpoint's schedule. `edges` are those of the bins: a version that has others
    learns anew."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    edges: tuple[float, ...] = ()
    gaps: Bins = {}
    by_slot: Pairs = {}
    by_hour: Pairs = {}
    slot_evidence: tuple[float, ...] = ()
    hour_evidence: float = 0.0
    bursts: Sums = (0.0, 0.0, 0.0)
    bursts_by_age: tuple[Sums, ...] = ()
    bursts_by_slot: dict[int, Sums] = {}
    upper_gaps: tuple[Bins, ...] = ()
    shortages: Sums = (0.0, 0.0, 0.0)

    @classmethod
    def of(cls, pattern: Pattern) -> StoredPattern:
        """Rounded to what decisions could notice."""
        return cls(
            edges=EDGES_SECONDS,
            gaps=_bins(pattern.gaps),
            by_slot={slot: _pair(turnout) for slot, turnout in pattern.by_slot.items()},
            by_hour={hour: _pair(turnout) for hour, turnout in pattern.by_hour.items()},
            slot_evidence=tuple(round(one, 3) for one in pattern.slot_evidence),
            hour_evidence=round(pattern.hour_evidence, 3),
            bursts=_sums(pattern.bursts),
            bursts_by_age=tuple(_sums(bursts) for bursts in pattern.bursts_by_age),
            bursts_by_slot={slot: _sums(one) for slot, one in pattern.bursts_by_slot.items()},
            upper_gaps=tuple(_bins(gaps) for gaps in pattern.upper_gaps),
            shortages=_sums(pattern.shortages),
        )

    def pattern(self) -> Pattern:
        """The policy's own value."""
        if self.edges != EDGES_SECONDS:
            return Pattern()
        ages = [Bursts(*sums) for sums in self.bursts_by_age]
        return Pattern(
            gaps=_gaps(self.gaps),
            by_slot={slot: Turnout(*pair) for slot, pair in self.by_slot.items()},
            by_hour={hour: Turnout(*pair) for hour, pair in self.by_hour.items()},
            slot_evidence=self.slot_evidence,
            hour_evidence=self.hour_evidence,
            bursts=Bursts(*self.bursts),
            bursts_by_age=tuple([*ages, *[Bursts()] * _AGES][:_AGES]),
            bursts_by_slot={slot: Bursts(*sums) for slot, sums in self.bursts_by_slot.items()},
            upper_gaps=tuple(_gaps(bins) for bins in self.upper_gaps),
            shortages=Bursts(*self.shortages),
        )


def _bins(gaps: Gaps) -> Bins:
    pairs = enumerate(zip(gaps.counts, gaps.seconds, strict=True))
    return {index: (round(c, 3), round(s, 1)) for index, (c, s) in pairs if round(c, 3)}


def _pair(turnout: Turnout) -> tuple[float, float]:
    return round(turnout.seen, 3), round(turnout.expected, 4)


def _sums(bursts: Bursts) -> Sums:
    seconds = round(bursts.request_seconds, 1), round(bursts.useful_seconds, 1)
    return round(bursts.count, 3), *seconds


def _gaps(bins: Bins) -> Gaps:
    counts, seconds = [0.0] * _BINS, [0.0] * _BINS
    for index, (count, length) in bins.items():
        counts[index], seconds[index] = count, length
    return Gaps(tuple(counts), tuple(seconds))
