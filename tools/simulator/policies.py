"""All policies by the names that the command line knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from autoscaler.replay.engine import Controller
from autoscaler.replay.ours import Ours
from autoscaler.replay.world import ORIGIN
from autoscaler.spec import EndpointSpec

from .baselines.keda import Keda
from .baselines.knative import Knative
from .baselines.native import Native
from .baselines.simple import AlwaysOn, KeepAlive, OfficeHours

OURS = "ours"
# What a user could have instead; the others show what a knob does.
REAL = ("always-on", "native", "keda", "keda-cron", "knative", "office-hours")
FIXED_MINUTES = (2, 5, 10, 15, 20, 30)
FIXED = tuple(f"keep-alive-{minutes}" for minutes in FIXED_MINUTES)


@dataclass(frozen=True)
class Setting:
    """What a policy is made for."""

    spec: EndpointSpec
    fleet: int  # the copies of somebody who never scales
    origin: datetime = ORIGIN


class UnknownPolicyError(ValueError):
    """There is no policy of that name; the message lists those that are there."""


def _fixed(minutes: float, _: Setting) -> Controller:
    return KeepAlive(minutes)


_MAKERS: dict[str, Callable[[Setting], Controller]] = {
    OURS: lambda setting: Ours(setting.spec, setting.origin),
    "always-on": lambda setting: AlwaysOn(setting.fleet),
    "native": lambda _: Native(),
    "native-no-retries": lambda _: Native(retry_seconds=None),
    "keda": lambda _: Keda(),
    "keda-cron": lambda setting: Keda(cron=True, origin=setting.origin),
    "knative": lambda _: Knative(),
    "office-hours": lambda setting: OfficeHours(setting.fleet, origin=setting.origin),
    **{f"keep-alive-{minutes}": partial(_fixed, minutes) for minutes in FIXED_MINUTES},
}
ALL = tuple(_MAKERS)


def make(name: str, setting: Setting) -> Controller:
    """A fresh controller for one run; raises UnknownPolicyError."""
    try:
        return _MAKERS[name](setting)
    except KeyError:
        raise UnknownPolicyError(f"{name!r} is no policy: there are {', '.join(ALL)}") from None
