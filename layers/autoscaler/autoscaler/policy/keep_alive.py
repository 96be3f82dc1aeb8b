"""When an idle endpoint goes to sleep: after a fixed time, or when staying costs more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp

from ..spec import EndpointSpec, format_duration
from .allowance import Allowance
from .budget import is_spent
from .demand import CROWD, Demand
from .economy import TICK, Economy
from .pattern import EDGES_SECONDS, Gaps, Pattern
from .resting import HORIZON_SECONDS, look_ahead
from .types import History, Observation, Reason, ReasonCode
from .wording import counted

# Where the price of a copy is not known.
FALLBACK = timedelta(minutes=10)
# Fewer idle times of a copy beyond the first than this say nothing.
_LEAST_GAPS = 6.0
# The third copy and those beyond stay at least so long: the rushes that need them come in runs.
_CROWD_STAYS = timedelta(minutes=10)
# What a missing copy is thought to cost in waiting before that was seen: as often as this, half of
# its slots wait for half a start.
_BORROWED_SHORTAGES = 3.0
# The memory of what was asked for must reach so far back.
LONGEST_STAY = timedelta(hours=1)


@dataclass(frozen=True)
class KeepAlive:
    """How long to stay awake when idle, and where that comes from."""

    time: timedelta
    source: str


@dataclass(frozen=True)
class Idleness:
    """Whether an awake endpoint shall sleep now, and why (not)."""

    sleep: bool
    reasons: tuple[Reason, ...] = ()


def judge(
    spec: EndpointSpec,
    allowance: Allowance,
    demand: Demand,
    observation: Observation,
    pattern: Pattern,
    prices: Economy | None,
    now: datetime,
) -> Idleness:
    """Sleep needs a minimum of 0, no hold, and zeros that were seen, for the whole keep-alive; who
    is put to sleep sleeps as soon as nothing runs, or at once if requests shall wait too: then
    nothing hangs on what is seen of them."""
    if allowance.min_copies > 0 or allowance.held or allowance.paused:
        return Idleness(sleep=False)
    if allowance.bar:
        return Idleness(sleep=True)
    if not demand.known:
        return Idleness(sleep=False)
    sleeper = allowance.sleeper
    if observation.backlog or observation.in_flight:
        return _no(ReasonCode.STILL_BUSY, _busy_text(observation))
    if observation.deferrable and not sleeper and not is_spent(spec, observation):
        these = counted(observation.deferrable, "request")
        return _no(ReasonCode.STILL_BUSY, f"It stays awake for {these} that may wait.")
    since = idle_since(observation)
    if sleeper and since <= sleeper.since:  # what woke it since then is kept as always
        return Idleness(sleep=True)
    idle = max(now - since, timedelta(0))
    keep = _fixed_or_learned(spec, allowance, pattern, prices, observation, now)
    if idle < keep.time:
        after = format_duration(keep.time)
        text = f"No request for {format_duration(idle)}: it sleeps after {after} without one"
        return _no(ReasonCode.KEPT_ALIVE, f"{text}{keep.source}.")
    text = f"No request for {format_duration(idle)}, keep-alive is {format_duration(keep.time)}"
    reason = Reason(ReasonCode.IDLE, f"{text}{keep.source}: it goes to sleep.")
    return Idleness(sleep=True, reasons=(reason,))


def _fixed_or_learned(
    spec: EndpointSpec,
    allowance: Allowance,
    pattern: Pattern,
    prices: Economy | None,
    observation: Observation,
    now: datetime,
) -> KeepAlive:
    if allowance.keep_alive:
        return KeepAlive(allowance.keep_alive, "")
    if prices is None:
        keep = KeepAlive(FALLBACK, " (the price of a copy is not known)")
    else:
        keep = _learned(spec, pattern, prices, observation, now)
    return _paced(keep, spec, observation, now)


def _learned(
    spec: EndpointSpec, pattern: Pattern, prices: Economy, observation: Observation, now: datetime
) -> KeepAlive:
    """Until the moment at which sleeping begins to cost less, if nothing comes."""
    idle = max(now - idle_since(observation), timedelta(0))
    active = observation.last_active_at or observation.phase_since
    ahead = look_ahead(spec, pattern, prices, active, now)
    known = counted(round(pattern.gaps.total), "idle time")
    source = f", learned from {known}" if pattern.gaps.total >= 1 else ", where a start breaks even"
    if ahead.sleep:
        return KeepAlive(idle, source)
    stays = HORIZON_SECONDS if ahead.stays_seconds is None else ahead.stays_seconds
    return KeepAlive(idle + max(timedelta(seconds=stays), TICK), source)


def _paced(
    keep: KeepAlive, spec: EndpointSpec, observation: Observation, now: datetime
) -> KeepAlive:
    """When two thirds of the day's wakes are spent, the others are spread over the rest of the day:
    after the last one requests would have to wait until midnight."""
    most, spent = spec.budget.wakes_per_day, observation.wakes_today
    if not wakes_run_short(spec, observation):
        return keep
    utc = now.astimezone(UTC)
    midnight = (utc + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    pace = min((midnight - utc) / (max(0, most - spent) + 1), LONGEST_STAY)
    if pace <= keep.time:
        return keep
    return KeepAlive(pace, f", because {spent} of {most} wakes are spent today")


def wakes_run_short(spec: EndpointSpec, observation: Observation) -> bool:
    """True when two thirds of the day's wakes are spent."""
    return 3 * observation.wakes_today >= 2 * spec.budget.wakes_per_day


def idle_since(observation: Observation) -> datetime:
    """The later of the last activity and the moment at which it came awake.

    A start that was just paid for is kept for at least one keep-alive, even if what asked for it
    has vanished.
    """
    return max(observation.last_active_at or observation.phase_since, observation.phase_since)


def stays(
    spec: EndpointSpec,
    history: History,
    prices: Economy | None,
    copies: int,
) -> tuple[timedelta, ...]:
    """How long the second, third … of `copies` stays when it is not needed: the spec's
    stabilization window, or longer where its own pauses say that it will be needed again."""
    window = spec.scaling.stabilization_window
    if prices is None:
        return (window,) * (copies - 1)
    half = spec.serving.concurrency_per_copy * prices.lead_seconds / 2
    waits = history.pattern.shortages.mean_waiting(_BORROWED_SHORTAGES, half)
    again_usd = prices.start_usd + prices.waiting_usd * waits
    known = history.pattern.upper_gaps
    found: list[timedelta] = []
    for n in range(copies - 1):
        own = known[n] if n < len(known) else Gaps()
        if own.total < _LEAST_GAPS:
            seconds = again_usd / prices.copy_usd  # at most twice what foresight would pay
        else:
            seconds = cheapest(own, prices.copy_usd, again_usd)
        least = max(window, _CROWD_STAYS) if n + 2 >= CROWD else window
        found.append(max(least, min(timedelta(seconds=seconds), LONGEST_STAY)))
    return tuple(found)


def cheapest(gaps: Gaps, copy_usd: float, again_usd: float) -> float:
    """Returns the time to stay, in seconds, one of the bins' edges, of least expected cost."""
    best, best_usd, so_far, lasting, lower = 0.0, again_usd, 0.0, 1.0, 0.0
    for edge, hazard in zip(EDGES_SECONDS, gaps.hazards, strict=False):
        ends = 1.0 - exp(-hazard * (edge - lower))
        so_far += lasting * copy_usd * (edge - lower) * (1.0 - ends / 2)
        lasting *= 1.0 - ends
        if so_far + again_usd * lasting < best_usd:
            best, best_usd = edge, so_far + again_usd * lasting
        lower = edge
    return best


def _no(code: ReasonCode, text: str) -> Idleness:
    return Idleness(sleep=False, reasons=(Reason(code, text),))


def _busy_text(observation: Observation) -> str:
    if observation.backlog:
        are = "is" if observation.backlog == 1 else "are"
        return f"It stays awake until {counted(observation.backlog, 'request')} {are} answered."
    if observation.in_flight == 1:
        return "It stays awake: 1 request is in flight."
    return f"It stays awake: {observation.in_flight:,.3g} requests are in flight."
