"""Whether an idle endpoint had better stay, sleep, or start before anyone asks.

One calculation answers all three. Let nothing come for some hours and look at each moment of that
time: the chance that the next request comes then, given that none did before, is known from the
endpoint's own idle times (pattern.py). Backwards from the end, being asleep and being awake get
their expected costs until that request: awake pays the copy's price; asleep pays, when the request
comes, the start and the waiting of its burst; falling asleep pays the release; a start ahead pays
the start and is awake after the lead time. This is the ski-rental problem with a known
distribution (Karlin, Manasse, McGeoch, Owicki: "Competitive randomized algorithms for nonuniform
problems", 1994), extended by the clock and by starts ahead of time, and solved by dynamic
programming (Bellman, 1957).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp
from zoneinfo import ZoneInfo

from ..spec import EndpointSpec
from .economy import FREE_WAIT, Economy
from .pattern import (
    AGES_SECONDS,
    HOURS_OF_WEEK,
    SLOT_SECONDS,
    SLOTS_OF_DAY,
    Bursts,
    Pattern,
    expected_ends,
)
from .schedule import zone_of

HORIZON_SECONDS = 2 * 3600.0
_LEAST_STEP, _MOST_STEP = 60.0, 300.0
# Before any burst was seen: as many as this with one request; of an age, as many as of all; and of
# a slot, as many as of its age.
_BURST_BORROWS = 3.0
_AGE_BURST_BORROWS = 5.0
_SLOT_BURST_BORROWS = 2.0
# A start ahead must save more than it costs, by so much.
_MARGIN = 1.05
_NO_BURSTS = Bursts()


@dataclass(frozen=True)
class Outlook:
    """What the next hours of an idle endpoint are worth."""

    sleep: bool  # if awake: sleeping now costs less than staying
    start: bool  # if asleep: starting now costs less than waiting for a request
    stays_seconds: float | None  # if awake: until sleeping costs less; None: not in sight
    chance: float  # that the next request comes within `within_seconds`
    within_seconds: float  # the lead time and one slot


@dataclass(frozen=True)
class _Course:
    """The next hours in steps, if nothing comes: in each the chance that it ends, and the dollars
    that a start at that request would bill for nothing and make wait."""

    step: float
    chances: Sequence[float]
    billed: Sequence[float]
    waiting: Sequence[float]


def look_ahead(
    spec: EndpointSpec, pattern: Pattern, prices: Economy, idle_from: datetime, now: datetime
) -> Outlook:
    """Returns the cheapest way to rest from `now` on, idle since `idle_from`."""
    step = min(_MOST_STEP, max(_LEAST_STEP, prices.lead_seconds / 2))
    steps = int(max(HORIZON_SECONDS, 4 * prices.lead_seconds) / step)
    local = now.astimezone(ZoneInfo(zone_of(spec)))
    course = _course(pattern, prices, (now - idle_from).total_seconds(), local, step, steps)
    return _cheapest(course, prices)


def _cheapest(course: _Course, prices: Economy) -> Outlook:
    """Backwards: what being asleep and being awake cost from each step on."""
    lead = max(1, round(prices.lead_seconds / course.step))
    release = prices.copy_usd * prices.release_seconds
    copy = prices.copy_usd * course.step
    steps = len(course.chances)
    asleep = course.billed[-1] + course.waiting[-1]
    awake = [asleep + release] * (steps + lead + 1)
    first_sleep: int | None = None
    waits = starts = asleep
    for k in range(steps - 1, -1, -1):
        chance = course.chances[k]
        waits = chance * (course.billed[k] + course.waiting[k]) + (1 - chance) * asleep
        starts = _MARGIN * _start_ahead(course, prices, k, lead, awake[k + lead])
        asleep = min(waits, starts)
        stays = copy * (1 - chance / 2) + (1 - chance) * awake[k + 1]
        sleeps = release + asleep
        if sleeps < stays:
            first_sleep = k
        awake[k] = min(stays, sleeps)
    near = lead + round(SLOT_SECONDS / course.step)
    return Outlook(
        sleep=first_sleep == 0,
        start=starts < waits,
        stays_seconds=None if first_sleep is None else first_sleep * course.step,
        chance=_chance(course.chances[:near]),
        within_seconds=near * course.step,
    )


def _start_ahead(course: _Course, prices: Economy, k: int, lead: int, awake_then: float) -> float:
    """Dollars of a start at step k: a request that comes during it waits for what is left of it."""
    usd, lasting = prices.copy_usd * prices.lead_seconds, 1.0
    for j in range(lead):
        at = min(k + j, len(course.chances) - 1)
        usd += lasting * course.chances[at] * course.waiting[at] * (1 - (j + 0.5) / lead)
        lasting *= 1 - course.chances[at]
    return usd + lasting * awake_then


def _chance(chances: Sequence[float]) -> float:
    lasting = 1.0
    for chance in chances:
        lasting *= 1 - chance
    return 1 - lasting


def _course(
    pattern: Pattern, prices: Economy, age: float, local: datetime, step: float, steps: int
) -> _Course:
    hazards = pattern.gaps.hazards
    clock = _Clock(local, steps * step)
    wakes = _Wakes(pattern, prices)
    chances, billed, waiting = [], [], []
    known, risk, wake = (-1, -1), 1.0, (0.0, 0.0)
    for k in range(steps):
        middle = (k + 0.5) * step
        second = clock.second_of_week(middle)
        slot = int(second // SLOT_SECONDS) % SLOTS_OF_DAY
        old = bisect_right(AGES_SECONDS, age + middle)
        if (slot, old) != known:
            hour = int(second // 3600) % HOURS_OF_WEEK
            known, risk, wake = (slot, old), pattern.risk(slot, hour), wakes.at(slot, old)
        ends = expected_ends(hazards, age + k * step, age + (k + 1) * step)
        chances.append(1.0 - exp(-risk * ends))
        billed.append(wake[0])
        waiting.append(wake[1])
    return _Course(step, chances, billed, waiting)


class _Clock:
    """What the local clock shows in the next hours, in which it may be changed once."""

    def __init__(self, local: datetime, horizon: float) -> None:
        time = local.hour * 3600 + local.minute * 60 + local.second
        self._now = local.weekday() * 86400 + time
        self._changes_in, self._moved_by = horizon, 0.0
        utc, zone, offset = local.astimezone(UTC), local.tzinfo, local.utcoffset()
        if (utc + timedelta(seconds=horizon)).astimezone(zone).utcoffset() == offset:
            return
        for minute in range(int(horizon // 60) + 2):
            then = (utc + timedelta(minutes=minute)).astimezone(zone).utcoffset()
            if then != offset and then is not None and offset is not None:
                self._changes_in = minute * 60.0 - local.second
                self._moved_by = (then - offset).total_seconds()
                return

    def second_of_week(self, ahead: float) -> float:
        """So many seconds from now; may be beyond the week's end."""
        moved = self._moved_by if ahead >= self._changes_in else 0.0
        return self._now + ahead + moved


class _Wakes:
    """What a start at a request costs, by the slot in which it comes."""

    def __init__(self, pattern: Pattern, prices: Economy) -> None:
        single = max(0.0, prices.lead_seconds - FREE_WAIT.total_seconds())
        self._pattern, self._prices = pattern, prices
        self._waiting = pattern.bursts.mean_waiting(_BURST_BORROWS, single)
        self._useful = pattern.bursts.mean_useful(_BURST_BORROWS, 0.0)

    def at(self, slot: int, old: int) -> tuple[float, float]:
        """(dollars billed that an endpoint which was awake would not have, dollars of waiting)."""
        of_age = self._pattern.bursts_by_age[old]
        useful = of_age.mean_useful(_AGE_BURST_BORROWS, self._useful)
        waiting = of_age.mean_waiting(_AGE_BURST_BORROWS, self._waiting)
        own = self._pattern.bursts_by_slot.get(slot, _NO_BURSTS)
        billed = max(0.0, self._prices.lead_seconds - own.mean_useful(_SLOT_BURST_BORROWS, useful))
        waiting = own.mean_waiting(_SLOT_BURST_BORROWS, waiting)
        return self._prices.copy_usd * billed, self._prices.waiting_usd * waiting
