"""How many alarms an endpoint of a kind makes, for the report: each is paid for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec import EndpointSpec
from . import kinds
from .bursts import bursts
from .scaling import TRACKING_ALARMS_PER_ENDPOINT, scales


@dataclass(frozen=True)
class AlarmCount:
    """`fine`: of high resolution, at three times the price."""

    usual: int
    fine: int


def alarms_of(spec: EndpointSpec, *, asleep: bool) -> AlarmCount:
    """Those that the stack makes for it, and those that target tracking makes by its policy: fine
    ones where SageMaker publishes the metric every 10 s, usual ones where it is once a minute.

    What sleeps has only those of its queue and its capacity: its target is removed with the others,
    and the wake makes it again. So has what never has a second copy.
    """
    kind = spec.kind
    watched = 1 if kinds.manner(kind).uncovered is None else 2
    if asleep or not scales(spec):
        return AlarmCount(watched, 0)
    burst = 1 if bursts(spec) else 0
    if kinds.manner(kind).tracked is None:
        return AlarmCount(watched + TRACKING_ALARMS_PER_ENDPOINT, burst)
    return AlarmCount(watched, TRACKING_ALARMS_PER_ENDPOINT + burst)
