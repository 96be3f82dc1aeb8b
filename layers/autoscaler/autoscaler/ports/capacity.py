"""What is measured of endpoints, and what exists of them and is moved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ..endpoints.container_log import LogLine
from ..policy.types import Bounds
from ..spec import Kind


@dataclass(frozen=True)
class Minute:
    """What metrics tell of a minute that is over."""

    end: datetime
    concurrency_per_copy: float
    invocations: float = 0.0


@dataclass(frozen=True)
class Load:
    """An endpoint's queue and model as measured; None: the signal is missing."""

    backlog: int | None
    concurrency_per_copy: float | None  # as it was told last
    invocations: float | None = None  # requests of the last minutes, from whomever
    seconds_per_request: float | None = None
    served_per_second: float | None = None  # in the busiest of the last minutes
    invoked_at: datetime | None = None  # the end of the last minute that had a request
    taken: int = 0  # messages that a dispatcher has and may answer without a copy: no backlog
    deferrable: int = 0  # requests that may wait, which are no part of the backlog
    trouble: str | None = None  # what AWS answered in place of a signal that is missing
    unread: bool = False  # its metrics were left out: those that were read last stand for them
    minutes: tuple[Minute, ...] = ()  # of its metrics, since they were read last; oldest first


class SignalError(RuntimeError):
    """A signal that a decision cannot do without was refused by AWS; it passes."""


class LoadReader(Protocol):
    """Reads the demand on many endpoints at once."""

    def read(
        self,
        names: Sequence[str],
        now: datetime,
        kinds: Mapping[str, Kind],
        resting: Collection[str] = (),
        quiet: Collection[str] = (),
        since: Mapping[str, datetime] | None = None,
        unasked: Collection[str] = (),
    ) -> Mapping[str, Load]:
        """By the metrics that each of the `kinds` has. One endpoint's trouble is told in its own
        Load. Of those `resting` only the queue is read: they have no copy, and metrics are paid
        for by the query. Of those that are `quiet` too, unless something waits. Others' minutes
        begin where they were read last (`since`). Those `unasked` are taken to have no requests
        that may wait."""

    def backlog(self, name: str) -> int:
        """Waiting and in-flight messages of one queue, from SQS itself."""

    def deferrable(self, name: str) -> int:
        """As `backlog`, of the requests that may wait."""

    def untaken(self, name: str) -> int:
        """Of the backlog, the messages that lie there for whoever reads the queue."""

    def dead_letters(self, name: str) -> int:
        """Messages in its dead-letter queue, from SQS itself."""


UNKNOWN_TYPE = ""


@dataclass(frozen=True)
class Capacity:
    """What SageMaker says exists. `exists` False: it answered that there is no such endpoint.
    Of instances whose type nobody tells any more it is UNKNOWN_TYPE."""

    exists: bool
    desired_copies: int = 0
    current_copies: int = 0
    instances_by_type: Mapping[str, int] = field(default_factory=dict)
    status: str = ""
    failure: str | None = None
    changed_at: datetime | None = None  # when SageMaker last modified it, by its own clock

    @property
    def instances(self) -> int:
        return sum(self.instances_by_type.values())

    @property
    def copies(self) -> int:
        """Those that are there or shall be, whichever are more."""
        return max(self.desired_copies, self.current_copies)


class Scaler(Protocol):
    """Looks at an endpoint's capacity and moves it."""

    def look(self, name: str, kind: Kind, shared: str = "") -> Capacity:
        """`shared`: the machines that it shares, of which all instances are told."""

    def set_bounds(self, name: str, bounds: Bounds, kind: Kind) -> None: ...

    def set_copies(self, name: str, copies: int, kind: Kind) -> None:
        """Raises ConflictError while somebody else moves it: look again."""


class QueueReaders(Protocol):
    """How many dispatchers at a time an endpoint's queue may call, and whether its other one, of
    requests that may wait, is read at all."""

    def set(self, name: str, most: int) -> bool:
        """False: nothing reads its queue (yet, or any more)."""

    def read_later(self, name: str, wanted: bool) -> bool:
        """False: that cannot be changed now; the next look tries again."""


class ContainerLogs(Protocol):
    """What the containers of an endpoint say while they start."""

    def read(self, name: str, since: datetime, kind: Kind) -> list[LogLine]:
        """Lines from that time on, oldest first, bounded; none when nothing was said yet."""
