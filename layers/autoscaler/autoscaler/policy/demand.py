"""How many copies the requests themselves ask for.

Three measures, of which the largest counts: the backlog, which must be worked off within the drain
target; the concurrency, which the spec's target keeps below what a copy takes; and what waiting
costs, where that is more than another copy would.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

from ..spec import EndpointSpec, format_duration
from .economy import Economy
from .types import Observation, Phase, Reason, ReasonCode
from .wording import counted
from .worth import flow_of, worthwhile

DEFAULT_SECONDS_PER_REQUEST = 10.0
_SERVING = {Phase.AWAKE, Phase.WAKING, Phase.CREATING}
# From so many copies on an endpoint serves a crowd, whose rushes are met at once and come in runs.
CROWD = 3
_ROUNDING = 1e-9  # 0.1 + 0.2 must not buy a copy


@dataclass(frozen=True)
class Demand:
    """Copies by demand alone, not yet bounded, and the part of them that the backlog asks for."""

    copies: int
    backlog_copies: int
    known: bool
    reasons: tuple[Reason, ...]


def measure(
    spec: EndpointSpec, observation: Observation, prices: Economy | None = None, most: int = 0
) -> Demand:
    """Returns the demand; while a signal is missing, never less than is desired now.

    `most` limits the copies that are weighed against waiting.
    """
    missing = _missing(observation)
    by_backlog = _by_backlog(spec, observation)
    by_concurrency = _by_concurrency(spec, observation)
    by_worth = _by_worth(spec, observation, prices, most)
    copies = max(by_backlog, by_concurrency, by_worth)
    reasons = [
        *_backlog_reason(spec, observation, by_backlog),
        *_concurrency_reason(spec, observation, by_backlog, by_concurrency),
        *_worth_reason(observation, by_worth, max(by_backlog, by_concurrency)),
    ]
    if missing:
        kept = _kept_while_missing(observation)
        reasons.append(_missing_reason(missing, kept))
        copies = max(copies, kept)
    # A backlog that cannot be seen keeps the bound that an earlier one may have raised.
    crowd = by_concurrency if _at_once(observation) > (observation.in_flight or 0) else 0
    by_queue = max(by_backlog, by_worth, crowd)
    held_bound = observation.bounds.min_copies if observation.backlog is None else by_queue
    return Demand(copies, held_bound, not missing, tuple(reasons))


def backlog_per_copy(spec: EndpointSpec, seconds_per_request: float | None) -> float:
    """Returns how many requests one copy works off within the drain target.

    At least its concurrency: those are all being answered at once, and another copy would not
    make them faster, however long a request takes.
    """
    concurrency = spec.serving.concurrency_per_copy
    measured = seconds_per_request is not None and seconds_per_request > 0
    seconds = (seconds_per_request if measured else None) or DEFAULT_SECONDS_PER_REQUEST
    return max(concurrency / seconds * spec.scaling.drain_target.total_seconds(), concurrency)


def staffed(spec: EndpointSpec, observation: Observation) -> int:
    """Copies for the work that arrives, with a margin for its randomness: the square-root rule
    (Halfin and Whitt, 1981), load + √load slots. 0 where rate or service time are not known."""
    rate, seconds = observation.arrivals_per_second, observation.seconds_per_request
    if not rate or not seconds:
        return 0
    load = rate * seconds
    return _round_up((load + sqrt(load)) / spec.serving.concurrency_per_copy)


def _by_backlog(spec: EndpointSpec, observation: Observation) -> int:
    per_copy = backlog_per_copy(spec, observation.seconds_per_request)
    backlog = observation.backlog or 0
    return max(_round_up(backlog / per_copy), 1 if backlog else 0)


def _by_concurrency(spec: EndpointSpec, observation: Observation) -> int:
    # On the way down and below, what is in flight is being finished, not asking for a copy.
    if observation.phase not in _SERVING:
        return 0
    return _round_up(_at_once(observation) / spec.target_concurrency)


def _at_once(observation: Observation) -> float:
    """Requests that shall have a place now. Where several copies serve, those that wait too: one
    copy more is little there, and a rush seldom ends with its first minute."""
    in_flight = observation.in_flight or 0.0
    if observation.phase is not Phase.AWAKE or observation.desired_copies < CROWD:
        return in_flight
    return max(in_flight, float(observation.backlog or 0))


def _by_worth(
    spec: EndpointSpec, observation: Observation, prices: Economy | None, most: int
) -> int:
    """More copies than now if they cost less than waiting for those that are there; else 0."""
    if prices is None or not observation.backlog:
        return 0
    seconds = observation.seconds_per_request or DEFAULT_SECONDS_PER_REQUEST
    copies = worthwhile(
        flow_of(spec, observation, seconds),
        prices,
        serving=observation.observed_copies,
        desired=observation.desired_copies,
        most=most,
        stabilization_seconds=spec.scaling.stabilization_window.total_seconds(),
    )
    return copies if copies > observation.desired_copies else 0


def _worth_reason(observation: Observation, by_worth: int, otherwise: int) -> list[Reason]:
    if by_worth <= max(otherwise, 1):
        return []
    text = (
        f"{counted(observation.backlog or 0, 'request')} and those to come would wait for longer "
        f"than another copy costs: {counted(by_worth, 'copy')}."
    )
    return [Reason(ReasonCode.WAITING_COSTS_MORE, text)]


def _round_up(copies: float) -> int:
    return ceil(copies - _ROUNDING)


def _missing(observation: Observation) -> list[str]:
    names = ["backlog"] if observation.backlog is None else []
    # Without a copy that serves SageMaker publishes no concurrency: that is no missing signal.
    if observation.in_flight is None and observation.phase is Phase.AWAKE:
        names.append("concurrency")
    return names


def _kept_while_missing(observation: Observation) -> int:
    return observation.desired_copies if observation.phase in _SERVING else 0


def _missing_reason(names: list[str], kept: int) -> Reason:
    verb = "is" if len(names) == 1 else "are"
    keeps = f"it keeps its {counted(kept, 'copy')}" if kept else "that wakes nothing"
    text = f"The {' and the '.join(names)} {verb} not known: {keeps}."
    return Reason(ReasonCode.SIGNAL_MISSING, text)


def _backlog_reason(spec: EndpointSpec, observation: Observation, copies: int) -> list[Reason]:
    if not observation.backlog:
        return []
    per_copy = int(backlog_per_copy(spec, observation.seconds_per_request) + _ROUNDING)
    verb = "is" if observation.backlog == 1 else "are"
    text = (
        f"{counted(observation.backlog, 'request')} {verb} waiting and one copy works off "
        f"{per_copy:,} in {format_duration(spec.scaling.drain_target)}: {counted(copies, 'copy')}."
    )
    return [Reason(ReasonCode.BACKLOG_WAITING, text)]


def _concurrency_reason(
    spec: EndpointSpec, observation: Observation, by_backlog: int, by_concurrency: int
) -> list[Reason]:
    if by_concurrency <= max(by_backlog, observation.desired_copies):
        return []
    text = (
        f"{_at_once(observation):,.0f} requests are in flight{_or_wait(observation)} and one copy "
        "shall have "
        f"{spec.target_concurrency:g}: {counted(by_concurrency, 'copy')}."
    )
    return [Reason(ReasonCode.CONCURRENCY_HIGH, text)]


def _or_wait(observation: Observation) -> str:
    return " or wait" if _at_once(observation) > (observation.in_flight or 0) else ""
