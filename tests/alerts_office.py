"""An office in memory: its stores keep, its sinks are as busy or as broken as they are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from autoscaler.alerts.message import Message
from autoscaler.alerts.office import Held, Office
from autoscaler.alerts.routing import Target
from autoscaler.alerts.secret import AlertConfig, Place
from autoscaler.alerts.sinks import Sink

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GPU = Place(channel="#gpu")


class DiedError(BaseException):
    """The function was ended here, as by its time-out: no handler of ours runs."""


@dataclass
class MemorySeen:
    """SeenStore; `dies_at` names the step at which the function is ended."""

    now: datetime = NOON
    holders: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    dies_at: str = ""

    def first_time(self, key: str, ttl: timedelta, holder: str) -> bool:
        known, until = self.holders.get(key, ("", self.now))
        if known not in ("", holder) and until > self.now:
            return False
        self.holders[key] = (holder, self.now + ttl)
        self._step("marked")
        return True

    def keep(self, key: str, ttl: timedelta) -> None:
        self._step("keep")
        self.holders[key] = ("told", self.now + ttl)

    def forget(self, key: str) -> None:
        if self.dies_at:
            return  # who was ended forgets nothing
        del self.holders[key]

    def _step(self, name: str) -> None:
        if self.dies_at == name:
            raise DiedError(name)


@dataclass
class MemoryHeld:
    items: dict[str, Held] = field(default_factory=dict)
    dies_at: str = ""

    def hold(self, held: Held) -> None:
        self.items[held.key] = held
        if self.dies_at == "held":
            raise DiedError

    def all(self) -> list[Held]:
        return list(self.items.values())

    def drop(self, held: Sequence[Held]) -> None:
        if self.dies_at == "drop":
            raise DiedError
        for one in held:
            self.items.pop(one.key, None)


@dataclass
class MemorySink:
    """Raises what it is told to, once each; `down` for as long as it stands."""

    errors: list[Exception] = field(default_factory=list)
    down: Exception | None = None
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.errors:
            raise self.errors.pop(0)
        if self.down is not None:
            raise self.down
        self.sent.append(message)

    @property
    def titles(self) -> list[str]:
        return [message.title for message in self.sent]


@dataclass
class MemoryConfigs:
    config: AlertConfig
    fresh: AlertConfig | None = None  # what a new look finds
    rereads: int = 0

    def current(self) -> AlertConfig:
        return self.config

    def reread(self) -> AlertConfig:
        self.rereads += 1
        self.config = self.fresh or self.config
        return self.config


class MemoryOffice:
    """`sinks` by what is shown of their place; `office` is what the code is given."""

    def __init__(self, config: AlertConfig | None = None) -> None:
        self.now = NOON
        self.teams: dict[str, str] = {}
        self.seen, self.held = MemorySeen(), MemoryHeld()
        self.configs = MemoryConfigs(config or AlertConfig(token="xoxb-1", default=GPU))
        self.sinks: dict[str, MemorySink] = {}
        self.last = MemorySink()
        self.refusals = 0
        self.office = Office(
            configs=self.configs,
            seen=self.seen,
            held=self.held,
            sink_of=self._sink_of,
            last_resort=self.last,
            team_of=lambda endpoint: self.teams.get(endpoint, ""),
            now=lambda: self.now,
            refused=self._refused,
        )

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)
        self.seen.now = self.now

    def sink(self, channel: str = "#gpu") -> MemorySink:
        return self.sinks.setdefault(f"Slack channel {channel}", MemorySink())

    def _sink_of(self, target: Target, config: AlertConfig) -> Sink:
        return self.sinks.setdefault(target.shown, MemorySink())

    def _refused(self) -> None:
        self.refusals += 1
