"""The wakes of an endpoint: how many there were, for what, and how long they took to answer.

A line of history says of each wake that it was wished and for what, and another that it answered
and after how long. Lines of release 0.1.0 say neither cause nor lead time; of those wakes the
status has the last 20 as cold starts, which go when the file or the endpoint does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..endpoints.status import ColdStart, EndpointRecord, HistoryEntry
from ..policy.types import Phase
from ..ports import EndpointStore
from .figures import Wakes
from .periods import Period

# A wake that began before an edge of the period may answer, or be tried again, after it.
_LONGEST = timedelta(days=1)


@dataclass(frozen=True)
class _Wake:
    began: datetime
    cause: str | None
    lead_seconds: float | None
    asked_by: str | None = None


def wake_lines(store: EndpointStore, name: str, period: Period) -> list[HistoryEntry]:
    """What the history has of the period's wakes."""
    lines = store.history_within(name, period.start - _LONGEST, period.end + _LONGEST)
    return [line for line in lines if _is_of_a_wake(line)]


def wakes_of(
    record: EndpointRecord | None, lines: Iterable[HistoryEntry], start: datetime, until: datetime
) -> Wakes:
    """A wake is a generation that was WAKING; it counts where it was wished."""
    starts = record.status.cold_starts if record else ()
    known = _with(starts, [_wake(one) for one in _by_generation(lines)])
    wakes = [wake for wake in known if start <= wake.began < until]
    causes = Counter(w.cause for w in wakes if w.cause is not None)
    return Wakes(
        count=len(wakes),
        causes=dict(causes.most_common()),
        asked_by=dict(Counter(w.asked_by for w in wakes if w.asked_by).most_common()),
        lead_seconds=tuple(sorted(w.lead_seconds for w in wakes if w.lead_seconds is not None)),
    )


def _is_of_a_wake(line: HistoryEntry) -> bool:
    return line.phase is Phase.WAKING or line.lead_seconds is not None


def _by_generation(lines: Iterable[HistoryEntry]) -> list[list[HistoryEntry]]:
    found: dict[int, list[HistoryEntry]] = {}
    for line in lines:
        if _is_of_a_wake(line):
            found.setdefault(line.generation, []).append(line)
    return list(found.values())


def _wake(lines: Sequence[HistoryEntry]) -> _Wake:
    return _Wake(
        began=min(line.at - timedelta(seconds=line.lead_seconds or 0) for line in lines),
        cause=next((line.cause for line in lines if line.cause is not None), None),
        lead_seconds=next((s for line in lines if (s := line.lead_seconds) is not None), None),
        asked_by=next((line.asked_by for line in lines if line.asked_by), None),
    )


def _with(starts: Sequence[ColdStart], wakes: Sequence[_Wake]) -> list[_Wake]:
    """The wakes, oldest first, and of those without figures what the cold starts say: a cold start
    was asked for when its wake was wished. One without any line is a wake that history forgot."""
    told = {start.requested_at: _measured(start) for start in starts}
    begun = {wake.began for wake in wakes}
    known = [told.get(w.began, w) if w.lead_seconds is None else w for w in wakes]
    known += [wake for began, wake in told.items() if began not in begun]
    return sorted(known, key=lambda wake: wake.began)


def _measured(start: ColdStart) -> _Wake:
    return _Wake(start.requested_at, start.cause.value, start.lead_time.total_seconds())
