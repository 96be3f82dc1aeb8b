"""The decision: the order of its stages, and nothing else.

What has to be at zero (by the kill switch, or a budget that ends in sleep) is, whatever is asked
for. Else schedule → foresight → closed windows → overrides → budget → hold → pause → capacity give
what is allowed; demand gives what is asked for; the phase says which of keep-alive, stabilization
and bounds then have their say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from ..spec import EndpointSpec
from .allowance import Allowance, scheduled
from .bounds import ZERO, bounds_awake, capped, clamp, floor_awake, with_hold
from .budget import halted, is_spent, obstacle_to_wake, within_budget
from .capacity import within_reach
from .deferral import worth_a_wake
from .demand import Demand, measure, staffed
from .economy import Economy, economy, lead_time
from .foresight import foreseen, pattern_ahead
from .keep_alive import judge, stays, wakes_run_short
from .overrides import as_asked, held_back, within_opening, without_scale_in
from .schedule import next_edge
from .stabilization import steady
from .types import (
    Bounds,
    Decision,
    History,
    Observation,
    Phase,
    Reason,
    ReasonCode,
    Recommendation,
    Transition,
)
from .wording import at_utc, counted

# Phases in which copies are there, asked for, or might be.
_STEERED = {Phase.AWAKE, Phase.ASLEEP, Phase.SLEEPING, Phase.WAKING, Phase.CREATING}


@dataclass(frozen=True)
class _Case:
    """Everything that the stages of one decision look at."""

    spec: EndpointSpec
    observation: Observation
    history: History
    now: datetime
    allowance: Allowance
    demand: Demand
    prices: Economy | None

    def decided(
        self,
        bounds: Bounds,
        copies: int,
        transition: Transition | None = None,
        reasons: tuple[Reason, ...] = (),
    ) -> Decision:
        return Decision(
            bounds=bounds,
            copies=copies,
            transition=transition,
            reasons=(*self._given(), *reasons),
            recommendation=Recommendation(self.now, self.asked),
            next_edge=next_edge(self.spec, self.now),
        )

    @property
    def asked(self) -> int:
        """What shall be remembered as asked for: demand, and the copies that must not go yet.

        Those are the ones that the present rate of arrivals will want again in a moment, and
        those that still start although demand asked for them lately: what was just paid for is
        not given back before it has served.
        """
        seen, asked = self.observation, self.demand.copies
        if seen.phase is not Phase.AWAKE:
            return asked
        busy = min(seen.desired_copies, staffed(self.spec, seen))
        return max(asked, busy, self._starting_copies())

    def _starting_copies(self) -> int:
        seen = self.observation
        if seen.observed_copies >= seen.desired_copies:
            return 0
        recently = self.now - 2 * lead_time(self.history)
        lately = [one.copies for one in self.history.recommendations if one.at > recently]
        return min(seen.desired_copies, max(lately, default=0))

    def _given(self) -> tuple[Reason, ...]:
        """What asks for copies comes first: schedule and hold, unless they ask for none."""
        allowed, asked = self.allowance.reasons, self.demand.reasons
        return (*allowed, *asked) if self.allowance.min_copies else (*asked, *allowed)


def decide(
    spec: EndpointSpec, observation: Observation, history: History, now: datetime
) -> Decision:
    """Returns what shall be, with its reasons. Pure; raises ValueError for a naive `now`."""
    allowance = _allowed(spec, observation, history, now)
    prices = economy(spec, observation, history)
    demand = measure(spec, observation, prices, allowance.max_copies)
    case = _Case(spec, observation, history, now, allowance, demand, prices)
    if observation.phase in _STEERED and (halt := halted(spec, observation, now)):
        return _at_zero(case, halt.reason)
    match observation.phase:
        case Phase.AWAKE:
            return _awake(case)
        case Phase.ASLEEP | Phase.SLEEPING:
            return _resting(case)
        case Phase.WAKING | Phase.CREATING:
            return _starting(case)
        case Phase.STAGING | Phase.UPDATING | Phase.RETIRING | Phase.RETIRED | Phase.FAILED:
            return _untouched(case)
        case unknown:
            assert_never(unknown)


def _allowed(
    spec: EndpointSpec, observation: Observation, history: History, now: datetime
) -> Allowance:
    allowance = scheduled(spec, now)
    awake = observation.phase is Phase.AWAKE
    allowance = foreseen(allowance, spec, history, now, tick=observation.tick, awake=awake)
    allowance = within_opening(allowance, spec, observation, history, now)
    allowance = as_asked(allowance, observation, now)
    allowance = within_budget(allowance, spec, observation)
    allowance = with_hold(allowance, spec, observation, now)
    allowance = without_scale_in(allowance, spec, observation, now)
    return within_reach(allowance, observation, now) if awake else allowance


def _at_zero(case: _Case, halt: Reason) -> Decision:
    """No work, hold or window speaks against it: requests wait in their queue."""
    awake = case.observation.phase is Phase.AWAKE
    return Decision(
        bounds=ZERO,
        copies=0,
        transition=Transition.SLEEP if awake else None,
        reasons=(halt, *case.demand.reasons),
        next_edge=next_edge(case.spec, case.now),
    )


def _awake(case: _Case) -> Decision:
    idleness = judge(
        case.spec,
        case.allowance,
        case.demand,
        case.observation,
        case.history.pattern,
        case.prices,
        case.now,
    )
    if idleness.sleep:
        return case.decided(ZERO, 0, Transition.SLEEP, idleness.reasons)
    floor = floor_awake(case.allowance)
    desired = case.observation.desired_copies
    spans = stays(case.spec, case.history, case.prices, desired)
    sized = steady(case.observation, case.history, case.asked, floor, spans, case.now)
    copies = clamp(sized.copies, case.allowance)
    reasons = (*sized.reasons, *capped(case.allowance, case.demand), *idleness.reasons)
    return case.decided(bounds_awake(case.allowance, case.demand, copies), copies, None, reasons)


def _resting(case: _Case) -> Decision:
    wanted = max(case.allowance.min_copies, case.demand.copies)
    ahead = None if wanted else _worth_starting(case)
    if not (wanted or ahead):
        return _rest(case, _resting_reason(case))
    if waits := held_back(case.allowance, wanted, case.observation):
        return _rest(case, waits)
    if obstacle := obstacle_to_wake(case.allowance, case.spec, case.observation, case.now):
        return _rest(case, obstacle)
    copies = clamp(wanted, case.allowance)
    reasons = (ahead,) if ahead else capped(case.allowance, case.demand)
    bounds = Bounds(copies, case.allowance.max_copies)
    return case.decided(bounds, copies, Transition.WAKE, reasons)


def _worth_starting(case: _Case) -> Reason | None:
    """Why an endpoint that sleeps, and that nobody asks for, shall start all the same."""
    spec, seen, history = case.spec, case.observation, case.history
    sleeper = case.allowance.sleeper
    if seen.phase is not Phase.ASLEEP or case.allowance.bar:
        return None
    if deferred := worth_a_wake(spec, seen, history, case.now):
        # Put to sleep it wakes for what is asked for, not for what would only be cheap now.
        return deferred if not sleeper or deferred.code is ReasonCode.DEFERRED_DUE else None
    # A person who fixed the keep-alive, or holds it as it is, decides; what is scarce is kept for
    # requests.
    decided = case.allowance.keep_alive is not None or case.allowance.held or sleeper is not None
    if decided or is_spent(spec, seen) or wakes_run_short(spec, seen):
        return None
    return pattern_ahead(spec, seen, history, case.prices, case.now)


def _rest(case: _Case, reason: Reason) -> Decision:
    falling_asleep = case.observation.phase is Phase.SLEEPING
    bounds = ZERO if falling_asleep else Bounds(0, case.allowance.max_copies)
    return case.decided(bounds, 0, None, (reason,))


def _resting_reason(case: _Case) -> Reason:
    if case.observation.phase is Phase.SLEEPING:
        return _in_transition(case)
    return Reason(ReasonCode.NOTHING_TO_DO, "Nothing asks for a copy: it stays asleep.")


def _starting(case: _Case) -> Decision:
    desired = case.observation.desired_copies
    wanted = max(case.allowance.min_copies, case.demand.copies)
    copies = clamp(max(wanted, desired), case.allowance)
    reasons = [*capped(case.allowance, case.demand), _in_transition(case)]
    if wanted <= desired:
        text = f"Its size stays {counted(copies, 'copy')} until it is awake."
        reasons.append(Reason(ReasonCode.SIZE_FROZEN, text))
    return case.decided(Bounds(copies, case.allowance.max_copies), copies, None, tuple(reasons))


def _untouched(case: _Case) -> Decision:
    return Decision(
        bounds=case.observation.bounds,
        copies=case.observation.desired_copies,
        transition=None,
        reasons=(_in_transition(case),),
        next_edge=next_edge(case.spec, case.now),
    )


def _in_transition(case: _Case) -> Reason:
    phase, since = case.observation.phase, at_utc(case.observation.phase_since)
    return Reason(ReasonCode.IN_TRANSITION, f"{phase} since {since}: no other transition now.")
