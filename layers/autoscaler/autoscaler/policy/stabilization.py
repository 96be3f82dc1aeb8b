"""Steps that do not flap: growth is limited per step, shrinking waits for a quiet window.

As in the Kubernetes HPA, copies fall only to the highest recommendation of the stabilization
window. A recommendation holds until the next one, so only changes are remembered, and a gap in the
ticks counts as what was last asked for. Where memory does not reach back over the whole window, the
copies that are desired now stand for what is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..spec import format_duration
from .types import History, Observation, Reason, ReasonCode, Recommendation
from .wording import counted

MOST_REMEMBERED = 200
MOST_ADDED = 4  # or doubled, whichever is more: as the HPA's default behaviour


@dataclass(frozen=True)
class Sized:
    """Copies after one stage, and why."""

    copies: int
    reasons: tuple[Reason, ...] = ()


def steady(
    observation: Observation,
    history: History,
    wanted: int,
    floor: int,
    stays: Sequence[timedelta],
    now: datetime,
) -> Sized:
    """Returns the size of an awake endpoint: at least `floor`, one step from what it is.

    `wanted` copies are asked for now. The second, third … goes when it was not asked for during
    the first, second … of `stays`.
    """
    if wanted > observation.desired_copies:
        return limit_step(max(observation.desired_copies, floor), wanted)
    return _shrink(observation, history, max(wanted, floor), stays, now)


def limit_step(desired: int, wanted: int) -> Sized:
    """Lets copies at most double or grow by four in one step, whichever is more."""
    most = max(2 * desired, desired + MOST_ADDED)
    if wanted <= most:
        return Sized(max(wanted, desired))
    text = f"{counted(wanted, 'copy')} are wanted: one step goes from {desired} to {most}."
    return Sized(most, (Reason(ReasonCode.STABILIZING, text),))


def _shrink(
    observation: Observation,
    history: History,
    wanted: int,
    stays: Sequence[timedelta],
    now: datetime,
) -> Sized:
    desired = observation.desired_copies
    kept = _kept(history, wanted, desired, stays, now)
    if wanted < desired <= kept:
        span = format_duration(stays[desired - 2])
        text = f"Demand fell to {counted(wanted, 'copy')}: {desired} stay until that held for "
        return Sized(desired, (Reason(ReasonCode.STABILIZING, f"{text}{span}."),))
    if kept < desired:
        span = format_duration(stays[desired - 2])
        text = f"Demand asked for at most {counted(kept, 'copy')} in the last {span}: "
        return Sized(kept, (Reason(ReasonCode.DEMAND_FELL, f"{text}down from {desired}."),))
    return Sized(max(wanted, desired))


def _kept(
    history: History, wanted: int, desired: int, stays: Sequence[timedelta], now: datetime
) -> int:
    """The highest copy that was asked for within its own time."""
    for copy in range(desired, max(wanted, 1), -1):
        if highest_recommended(history, wanted, desired, stays[copy - 2], now) >= copy:
            return copy
    return wanted


def highest_recommended(
    history: History, wanted: int, desired: int, window: timedelta, now: datetime
) -> int:
    """Returns the most copies that were asked for at any time of the window, `wanted` included."""
    if not window:
        return wanted
    start = now - window
    before = [one for one in history.recommendations if one.at <= start]
    at_start = max(before, key=_order).copies if before else desired
    return max(wanted, at_start, *(one.copies for one in history.recommendations if one.at > start))


def remember(
    history: History, recommendation: Recommendation | None, window: timedelta, now: datetime
) -> History:
    """Returns the history with one recommendation more, pruned to what the window needs.

    Idempotent, in any order of arrival, and never longer than MOST_REMEMBERED.
    """
    arrived = () if recommendation is None else (recommendation,)
    known = sorted({*history.recommendations, *arrived}, key=_order)
    kept = _changes(known)
    while len(kept) > 1 and kept[1].at <= now - window:
        kept = kept[1:]
    return replace(history, recommendations=tuple(_shortened(kept)))


def _changes(known: Iterable[Recommendation]) -> list[Recommendation]:
    kept: list[Recommendation] = []
    for one in known:
        if not kept or kept[-1].copies != one.copies:
            kept.append(one)
    return kept


def _shortened(kept: list[Recommendation]) -> list[Recommendation]:
    surplus = len(kept) - MOST_REMEMBERED
    if surplus <= 0:
        return kept
    merged = max(one.copies for one in kept[: surplus + 1])
    return [Recommendation(kept[0].at, merged), *kept[surplus + 1 :]]


def _order(one: Recommendation) -> tuple[datetime, int]:
    # Of two at the same moment the higher is the one that stays in force.
    return one.at, one.copies
