"""Who is told: each route that matches, and the default for what no route takes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .events.base import Severity
from .secret import AlertConfig, Place, Route

DEFAULT = "default"
_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True)
class Target:
    """One place under a name that stays; no place: the secret names none that can be used."""

    name: str
    place: Place | None

    @property
    def shown(self) -> str:
        return self.place.shown if self.place else "the default of the alerts' secret"


def at_least(severity: Severity, least: Severity) -> bool:
    """Whether it is as bad as that or worse."""
    return _RANK[severity] >= _RANK[least]


def targets(config: AlertConfig, team: str, severity: Severity) -> tuple[Target, ...]:
    """Every route that takes it, each place once; else the default. Never nobody."""
    found: list[Target] = []
    for name, route in _named(config):
        if route.team not in (None, team) or not at_least(severity, route.min_severity):
            continue
        place = Place(**route.model_dump(include=set(Place.model_fields)))
        if all(place != other.place for other in found):
            found.append(Target(name, place))
    return tuple(found) or (default_target(config),)


def default_target(config: AlertConfig) -> Target:
    return Target(DEFAULT, config.default)


def target_named(config: AlertConfig, name: str) -> Target:
    """As it is now, for what was held back; the default when there is none of this name now."""
    for known, route in _named(config):
        if known == name:
            return Target(name, Place(**route.model_dump(include=set(Place.model_fields))))
    return default_target(config)


def _named(config: AlertConfig) -> Iterator[tuple[str, Route]]:
    """Each route under a name of its own: two webhooks of one team differ only by their order."""
    seen: Counter[str] = Counter()
    for route in config.routes:
        seen[route.name] += 1
        again = seen[route.name]
        yield (route.name if again == 1 else f"{route.name}/{again}"), route
