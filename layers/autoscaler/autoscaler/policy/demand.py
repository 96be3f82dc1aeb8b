"""How many copies the requests themselves ask for.

Two measures, of which the larger counts: the backlog, which must be worked off within the drain
target, and the concurrency, which the spec's target keeps below what a copy takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ..spec import EndpointSpec, format_duration
from .types import Observation, Phase, Reason, ReasonCode
from .wording import counted

DEFAULT_SECONDS_PER_REQUEST = 10.0
_SERVING = {Phase.AWAKE, Phase.WAKING, Phase.CREATING}
_ROUNDING = 1e-9  # 0.1 + 0.2 must not buy a copy


@dataclass(frozen=True)
class Demand:
    """Copies by demand alone, not yet bounded, and the part of them that the backlog asks for."""

    copies: int
    backlog_copies: int
    known: bool
    reasons: tuple[Reason, ...]


def measure(spec: EndpointSpec, observation: Observation) -> Demand:
    """Returns the demand; while a signal is missing, never less than is desired now."""
    missing = _missing(observation)
    by_backlog = _by_backlog(spec, observation)
    by_concurrency = _by_concurrency(spec, observation)
    copies = max(by_backlog, by_concurrency)
    reasons = [
        *_backlog_reason(spec, observation, by_backlog),
        *_concurrency_reason(spec, observation, by_backlog, by_concurrency),
    ]
    if missing:
        kept = _kept_while_missing(observation)
        reasons.append(_missing_reason(missing, kept))
        copies = max(copies, kept)
    # A backlog that cannot be seen keeps the bound that an earlier one may have raised.
    held_bound = observation.bounds.min_copies if observation.backlog is None else by_backlog
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


def _by_backlog(spec: EndpointSpec, observation: Observation) -> int:
    per_copy = backlog_per_copy(spec, observation.seconds_per_request)
    backlog = observation.backlog or 0
    return max(_round_up(backlog / per_copy), 1 if backlog else 0)


def _by_concurrency(spec: EndpointSpec, observation: Observation) -> int:
    # On the way down and below, what is in flight is being finished, not asking for a copy.
    if observation.phase not in _SERVING:
        return 0
    return _round_up((observation.in_flight or 0) / spec.target_concurrency)


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
        f"{observation.in_flight:,.0f} requests are in flight and one copy shall have "
        f"{spec.target_concurrency:g}: {counted(by_concurrency, 'copy')}."
    )
    return [Reason(ReasonCode.CONCURRENCY_HIGH, text)]
