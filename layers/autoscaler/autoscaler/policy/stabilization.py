"""Steps that do not flap: growth is limited per step, shrinking waits for a quiet window.

As in the Kubernetes HPA, copies fall only to the highest recommendation of the stabilization
window. A recommendation holds until the next one, so only changes are remembered, and a gap in the
ticks counts as what was last asked for. Where memory does not reach back over the whole window, the
copies that are desired now stand for what is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..spec import EndpointSpec, format_duration
from .demand import Demand
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
    spec: EndpointSpec,
    observation: Observation,
    history: History,
    demand: Demand,
    floor: int,
    now: datetime,
) -> Sized:
    """Returns the size of an awake endpoint: at least `floor`, one step from what it is."""
    if demand.copies > observation.desired_copies:
        return limit_step(max(observation.desired_copies, floor), demand.copies)
    return _shrink(spec, observation, history, max(demand.copies, floor), now)


def limit_step(desired: int, wanted: int) -> Sized:
    """Lets copies at most double or grow by four in one step, whichever is more."""
    most = max(2 * desired, desired + MOST_ADDED)
    if wanted <= most:
        return Sized(max(wanted, desired))
    text = f"{counted(wanted, 'copy')} are wanted: one step goes from {desired} to {most}."
    return Sized(most, (Reason(ReasonCode.STABILIZING, text),))


def _shrink(
    spec: EndpointSpec, observation: Observation, history: History, wanted: int, now: datetime
) -> Sized:
    desired = observation.desired_copies
    window = spec.scaling.stabilization_window
    highest = highest_recommended(history, wanted, desired, window, now)
    span = format_duration(window)
    if wanted < desired <= highest:
        text = f"Demand fell to {counted(wanted, 'copy')}: {desired} stay until that held for "
        return Sized(desired, (Reason(ReasonCode.STABILIZING, f"{text}{span}."),))
    if highest < desired:
        text = f"Demand asked for at most {counted(highest, 'copy')} in the last {span}: "
        return Sized(highest, (Reason(ReasonCode.DEMAND_FELL, f"{text}down from {desired}."),))
    return Sized(max(wanted, desired))


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
