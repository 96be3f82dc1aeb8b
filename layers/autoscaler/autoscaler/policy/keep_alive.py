"""When an idle endpoint goes to sleep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..spec import format_duration
from .allowance import Allowance
from .demand import Demand
from .types import Observation, Reason, ReasonCode
from .wording import counted


@dataclass(frozen=True)
class Idleness:
    """Whether an awake endpoint shall sleep now, and why (not)."""

    sleep: bool
    reasons: tuple[Reason, ...] = ()


def judge(
    allowance: Allowance, demand: Demand, observation: Observation, now: datetime
) -> Idleness:
    """Sleep needs a minimum of 0, no hold, and zeros that were seen, for the whole keep-alive."""
    if allowance.min_copies > 0 or allowance.held or not demand.known:
        return Idleness(sleep=False)
    if observation.backlog or observation.in_flight:
        return _no(ReasonCode.STILL_BUSY, _busy_text(observation))
    idle = max(now - idle_since(observation), timedelta(0))
    after = format_duration(allowance.keep_alive)
    if idle < allowance.keep_alive:
        text = f"No request for {format_duration(idle)}: it sleeps after {after} without one."
        return _no(ReasonCode.KEPT_ALIVE, text)
    text = f"No request for {format_duration(idle)}, keep-alive is {after}: it goes to sleep."
    return Idleness(sleep=True, reasons=(Reason(ReasonCode.IDLE, text),))


def idle_since(observation: Observation) -> datetime:
    """The later of the last activity and the moment at which it came awake.

    A start that was just paid for is kept for at least one keep-alive, even if what asked for it
    has vanished.
    """
    return max(observation.last_active_at or observation.phase_since, observation.phase_since)


def _no(code: ReasonCode, text: str) -> Idleness:
    return Idleness(sleep=False, reasons=(Reason(code, text),))


def _busy_text(observation: Observation) -> str:
    if observation.backlog:
        return f"It stays awake until {counted(observation.backlog, 'request')} are answered."
    return f"It stays awake: {observation.in_flight:,.3g} requests are in flight."
