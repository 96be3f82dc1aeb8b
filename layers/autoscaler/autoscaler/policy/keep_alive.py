"""When an idle endpoint goes to sleep: after a fixed time, or after the one that it learned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..spec import EndpointSpec, format_duration
from .allowance import Allowance
from .demand import Demand
from .economy import FREE_WAIT, Economy
from .pattern import BORROWED_GAPS, EDGES_SECONDS, Gaps, Pattern, Waits, hours_of
from .types import History, Observation, Reason, ReasonCode
from .wording import counted

# While there is too little history, and where the price of a copy is not known.
FALLBACK = timedelta(minutes=10)
# "Never by one noisy gap": fewer than this say nothing.
LEAST_GAPS = 6.0
# What a wake is thought to cost in waiting before any was seen: this many wakes with one request.
_BORROWED_WAKES = 3.0
_NEVER = float("inf")
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
    """Sleep needs a minimum of 0, no hold, and zeros that were seen, for the whole keep-alive."""
    if allowance.min_copies > 0 or allowance.held or not demand.known:
        return Idleness(sleep=False)
    if observation.backlog or observation.in_flight:
        return _no(ReasonCode.STILL_BUSY, _busy_text(observation))
    since = idle_since(observation)
    idle = max(now - since, timedelta(0))
    keep = KeepAlive(allowance.keep_alive, "") if allowance.keep_alive else _learned(
        pattern, prices, since
    )  # fmt: skip
    keep = _paced(keep, spec, observation, now)
    if idle < keep.time:
        after = format_duration(keep.time)
        text = f"No request for {format_duration(idle)}: it sleeps after {after} without one"
        return _no(ReasonCode.KEPT_ALIVE, f"{text}{keep.source}.")
    text = f"No request for {format_duration(idle)}, keep-alive is {format_duration(keep.time)}"
    reason = Reason(ReasonCode.IDLE, f"{text}{keep.source}: it goes to sleep.")
    return Idleness(sleep=True, reasons=(reason,))


def _paced(
    keep: KeepAlive, spec: EndpointSpec, observation: Observation, now: datetime
) -> KeepAlive:
    """When two thirds of the day's wakes are spent, the others are spread over the rest of the day:
    after the last one requests would have to wait until midnight."""
    most, spent = spec.budget.wakes_per_day, observation.wakes_today
    if 3 * spent < 2 * most:
        return keep
    utc = now.astimezone(UTC)
    midnight = (utc + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    pace = min((midnight - utc) / (max(0, most - spent) + 1), LONGEST_STAY)
    if pace <= keep.time:
        return keep
    return KeepAlive(pace, f", because {spent} of {most} wakes are spent today")


def idle_since(observation: Observation) -> datetime:
    """The later of the last activity and the moment at which it came awake.

    A start that was just paid for is kept for at least one keep-alive, even if what asked for it
    has vanished.
    """
    return max(observation.last_active_at or observation.phase_since, observation.phase_since)


def _learned(pattern: Pattern, prices: Economy | None, since: datetime) -> KeepAlive:
    """The keep-alive of least expected cost for a gap that began at `since`."""
    if prices is None:
        return KeepAlive(FALLBACK, " (the price of a copy is not known)")
    if pattern.all_gaps.total < LEAST_GAPS:
        return KeepAlive(FALLBACK, " (its idle times are not known yet)")
    day, week = hours_of(since)
    sleeps = expected_start(pattern, prices) + expected_waiting(pattern, prices, day)
    chain = (
        pattern.all_gaps,
        pattern.by_hour_of_day.get(day, Gaps()),
        pattern.by_hour_of_week.get(week, Gaps()),
    )
    seconds = cheapest(chain, prices.copy_usd, sleeps)
    source = f", learned from {pattern.all_gaps.total:.0f} idle times"
    return KeepAlive(timedelta(seconds=seconds), source)


def stays(
    spec: EndpointSpec, history: History, prices: Economy | None, copies: int
) -> tuple[timedelta, ...]:
    """How long the second, third … of `copies` stays when it is not needed: the spec's
    stabilization window, or longer where its own pauses say that it will be needed again."""
    window = spec.scaling.stabilization_window
    if prices is None:
        return (window,) * (copies - 1)
    half = spec.serving.concurrency_per_copy * prices.lead_seconds / 2
    missing = prices.waiting_usd * _mean(history.pattern.upper_waits, _BORROWED_WAKES, half)
    known = history.pattern.upper_gaps
    found: list[timedelta] = []
    for n in range(copies - 1):
        own = known[n] if n < len(known) else Gaps()
        again_usd = prices.start_usd + missing
        if own.total < LEAST_GAPS:
            seconds = again_usd / prices.copy_usd  # at most twice what foresight would pay
        else:
            seconds = cheapest((own,), prices.copy_usd, again_usd)
        found.append(max(window, min(timedelta(seconds=seconds), LONGEST_STAY)))
    return tuple(found)


def expected_start(pattern: Pattern, prices: Economy) -> float:
    """Dollars that a wake bills and an endpoint that had stayed awake would not have."""
    useful = pattern.waits.useful_seconds / (pattern.waits.wakes + _BORROWED_WAKES)
    return prices.start_usd - prices.copy_usd * min(useful, prices.lead_seconds)


def expected_waiting(pattern: Pattern, prices: Economy, hour: int) -> float:
    """Dollars that the requests of one wake wait, as seen at this hour and at all."""
    single = max(0.0, prices.lead_seconds - FREE_WAIT.total_seconds())
    overall = _mean(pattern.waits, _BORROWED_WAKES, single)
    at_hour = _mean(pattern.waits_by_hour.get(hour, Waits()), _BORROWED_WAKES, overall)
    return prices.waiting_usd * at_hour


def _mean(waits: Waits, borrowed: float, prior: float) -> float:
    return (waits.request_seconds + borrowed * prior) / (waits.wakes + borrowed)


def cheapest(chain: tuple[Gaps, ...], copy_usd: float, sleep_usd: float) -> float:
    """Returns the keep-alive in seconds, one of the bins' edges, of least expected cost.

    Each histogram of the chain borrows from the one before as long as it has seen little itself.
    """
    shares = _shares(chain)
    longer = sum(share for share, _ in shares)
    shorter_seconds, best, best_usd = 0.0, EDGES_SECONDS[-1], _NEVER
    for edge, (share, seconds) in zip(EDGES_SECONDS, shares, strict=False):
        longer -= share
        shorter_seconds += seconds
        usd = copy_usd * (shorter_seconds + edge * longer) + sleep_usd * longer
        if usd < best_usd:
            best, best_usd = edge, usd
    return best


def _shares(chain: tuple[Gaps, ...]) -> list[tuple[float, float]]:
    """For each bin its share of the gaps and of their seconds, mixed along the chain.

    It begins with one gap longer than any bin: that none was seen yet does not mean that none
    will come, and an endpoint without long gaps would stay awake for ever in its first.
    """
    mixed = [(0.0, 0.0)] * len(EDGES_SECONDS) + [(1.0, 2 * EDGES_SECONDS[-1])]
    borrowed = 1.0
    for own in chain:
        weight = own.total + borrowed
        mixed = [
            ((c + borrowed * mc) / weight, (s + borrowed * ms) / weight)
            for c, s, (mc, ms) in zip(own.counts, own.seconds, mixed, strict=True)
        ]
        borrowed = BORROWED_GAPS
    return mixed


def _no(code: ReasonCode, text: str) -> Idleness:
    return Idleness(sleep=False, reasons=(Reason(code, text),))


def _busy_text(observation: Observation) -> str:
    if observation.backlog:
        return f"It stays awake until {counted(observation.backlog, 'request')} are answered."
    return f"It stays awake: {observation.in_flight:,.3g} requests are in flight."
