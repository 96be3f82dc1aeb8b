"""What a person asked for until some time, beside a hold: to sleep, to stay warm, to lose no copy.

Which of them wins: a hold (bounds.py) over everything; a spent budget over keep-warm; sleep-until
over the schedule and keep-warm. `control` takes no two that contradict each other. A closed window
works as a sleep-until for requests too (closing.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ..spec import EndpointSpec
from .allowance import Allowance
from .budget import is_spent
from .closing import Closure, closure
from .types import History, Observation, Override, OverrideKind, Phase, Reason, ReasonCode
from .wording import at_utc, counted


def in_force(observation: Observation, kind: OverrideKind, now: datetime) -> Override | None:
    """The override of a kind; None: there is none, or it is over."""
    mine = (one for one in observation.overrides if one.kind is kind and one.until > now)
    return next(mine, None)


def within_opening(
    allowance: Allowance,
    spec: EndpointSpec,
    observation: Observation,
    history: History,
    now: datetime,
) -> Allowance:
    """No minimum, and no wake for requests, while a closed window is in force."""
    shut = closure(spec, history, observation, now, tick=observation.tick)
    if shut is None:
        return allowance
    text = f"{shut.text[0].upper()}{shut.text[1:]}; requests wait."
    return replace(allowance, min_copies=0, closed=shut).because(ReasonCode.CLOSED, text)


def as_asked(allowance: Allowance, observation: Observation, now: datetime) -> Allowance:
    """No minimum while it shall sleep, at least one copy while it shall stay warm; both before a
    budget has its say. A hold that is in force takes a sleep out of force."""
    sleep = in_force(observation, OverrideKind.SLEEP_UNTIL, now)
    held = observation.hold is not None and observation.hold.until > now
    if sleep is not None and not held:
        asleep = replace(allowance, min_copies=0, sleeper=sleep)
        requests = "requests wait" if sleep.even_for_requests else "requests wake it"
        text = f"Put to sleep {_by(sleep)}; {requests}."
        return asleep.because(ReasonCode.PUT_TO_SLEEP, text)
    warm = in_force(observation, OverrideKind.KEEP_WARM, now)
    if warm is None:
        return allowance
    kept = replace(allowance, min_copies=max(1, allowance.min_copies))
    return kept.because(ReasonCode.KEPT_WARM, f"Kept warm {_by(warm)}.")


def without_scale_in(
    allowance: Allowance, spec: EndpointSpec, observation: Observation, now: datetime
) -> Allowance:
    """No copy of an endpoint that serves goes, also by Application Auto Scaling, and it does not
    sleep. As with a hold, not beyond a spent budget, nor beyond the highest maximum."""
    pause = in_force(observation, OverrideKind.PAUSE_SCALE_IN, now)
    if pause is None:
        return allowance
    ceiling = allowance.max_copies if is_spent(spec, observation) else spec.highest_max_copies
    there = observation.desired_copies if observation.phase is Phase.AWAKE else 0
    copies = max(allowance.min_copies, min(there, ceiling))
    kept = replace(
        allowance,
        min_copies=copies,
        max_copies=max(allowance.max_copies, copies),
        paused=True,
    )
    return kept.because(ReasonCode.SCALE_IN_PAUSED, f"No copy is taken away {_by(pause)}.")


def held_back(allowance: Allowance, wanted: int, observation: Observation) -> Reason | None:
    """Returns why what asks for copies does not wake it: it shall sleep even for requests, or is
    closed."""
    bar = allowance.bar
    if bar is None or not wanted:
        return None
    waiting = counted(observation.backlog or 0, "request")
    ends = (
        f"when window {bar.window} ends" if isinstance(bar, Closure) else "or until it is released"
    )
    text = f"{waiting} wait until {at_utc(bar.until)}, {ends}."
    return Reason(ReasonCode.REQUESTS_HELD_BACK, text)


def _by(override: Override) -> str:
    until = at_utc(override.until)
    return f"until {until} by {override.author}: {override.reason.rstrip('.')}"
