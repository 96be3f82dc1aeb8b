"""The comparison of the account with the table, both ways. Pure.

An *orphan* is a resource of AWS that belongs to no endpoint in the table; a *gap* is something that
an endpoint in the table needs and AWS does not have. What may be removed is decided here, and only
by tags: a name alone never removes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from ..catalog.prices import PriceBook, bundled
from ..endpoints.names import (
    ALARM_SUFFIXES,
    DEAD_LETTERS_SUFFIX,
    LATER_SUFFIX,
    ResourceNames,
    shared_endpoint,
)
from ..endpoints.tags import ENDPOINT, SHARED, STACK, is_ours, may_be_deleted

# A creation makes its resources within minutes of each other, and a retirement forgets the endpoint
# when it has seen them gone: what is younger may be on its way.
GRACE = timedelta(minutes=30)
# Between two sweeps that see the same orphan before it may go: no race with a deploy lasts longer.
TWICE_AFTER = timedelta(minutes=30)
# What was not seen for so long is seen for the first time again.
FORGOTTEN_AFTER = timedelta(hours=3)


class Kind(StrEnum):
    """What the stack makes for an endpoint, in the order in which it is removed."""

    MAPPING = "event source mapping"
    TARGET = "scalable target"
    COMPONENT = "inference component"
    ENDPOINT = "endpoint"
    CONFIG = "endpoint config"
    MODEL = "model"
    QUEUE = "queue"
    ALARM = "alarm"


ORDER = tuple(Kind)
_SAGEMAKER = frozenset({Kind.COMPONENT, Kind.ENDPOINT, Kind.CONFIG, Kind.MODEL})


@dataclass(frozen=True)
class Resource:
    """One thing that was found. `tags` None: not looked up, because it belongs to an endpoint.

    `parent` is what it hangs on: a component's endpoint, a mapping's queue, a target's component,
    an endpoint's config.
    """

    kind: Kind
    name: str
    arn: str = ""
    parent: str = ""
    created_at: datetime | None = None
    tags: Mapping[str, str] | None = None
    status: str = ""
    instances: Mapping[str, int] = field(default_factory=dict)  # of an endpoint, by type
    messages: int = 0  # in a queue

    @property
    def key(self) -> str:
        """Another one of the same name is another one."""
        return f"{self.kind}#{self.name}#{self.created_at.isoformat() if self.created_at else ''}"


class Verdict(StrEnum):
    """Whether an orphan goes now, or why not."""

    DELETE = "is removed"
    FOREIGN = "does not carry the stack's tag: the sweep never removes it"
    UNMARKED = "is not marked autoscaler:deletable=true"
    HOLDS_REQUESTS = "holds requests: read or purge them first"
    NEEDED = "goes after what hangs on it"
    WITH_COMPONENT = "goes with what it scales"
    BUSY = "is being changed by SageMaker: looked at again by the next sweep"
    SEEN_ONCE = "goes if a sweep at least 30 minutes later sees it too"
    OVER_CAP = "goes with a later sweep: this one has reached its cap"
    INCOMPLETE = "stays, because the account could not be listed completely"


@dataclass(frozen=True)
class Orphan:
    """A resource of nobody, and what becomes of it."""

    resource: Resource
    verdict: Verdict
    prices: PriceBook = field(default_factory=bundled)

    @property
    def usd_per_hour(self) -> Decimal | None:
        """Of its instances; None: a price is unknown."""
        machines = self.resource.instances.items()
        prices = [(self.prices.usd_per_hour(kind), count) for kind, count in machines]
        if any(price is None for price, _ in prices):
            return None
        return sum((price * count for price, count in prices if price is not None), Decimal(0))

    def usd_until(self, now: datetime) -> Decimal | None:
        """What it has cost if it always had the instances that it has now."""
        created, machines = self.resource.created_at, self.resource.instances.items()
        if created is None:
            return None if self.usd_per_hour is None or self.usd_per_hour else Decimal(0)
        each = [(self.prices.usd(kind, created, now), count) for kind, count in machines]
        if any(money is None for money, _ in each):
            return None
        return sum((money * count for money, count in each if money is not None), Decimal(0))


@dataclass(frozen=True)
class Gap:
    """What an endpoint of the table lacks in AWS."""

    endpoint: str
    lacks: str
    what_to_do: str
    command: str = ""  # that does it

    @property
    def key(self) -> str:
        return f"{self.endpoint}#{self.lacks}"


@dataclass(frozen=True)
class Sighting:
    """An orphan that was seen before."""

    key: str
    first_seen: datetime
    last_seen: datetime

    def counts(self, now: datetime) -> bool:
        return now - self.last_seen < FORGOTTEN_AFTER


@dataclass(frozen=True)
class Fleet:
    """The names in the table (but for what is retired), and those whose execution still runs."""

    prefix: str
    names: frozenset[str]
    busy: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()  # the machines that they share

    def owns(self, resource: Resource) -> bool:
        """By its name, by what it hangs on, or by its tag: one of them is enough to keep it."""
        hangs_on = resource.kind in (Kind.COMPONENT, Kind.MAPPING, Kind.TARGET)
        if resource.kind is Kind.ENDPOINT and resource.name in self._shared_endpoints:
            return True
        if resource.kind is Kind.CONFIG and (resource.tags or {}).get(SHARED) in self.shared:
            return True
        return (
            resource.name in self._own_names
            or (hangs_on and resource.parent in self._own_names)
            or (resource.tags or {}).get(ENDPOINT) in self._kept
        )

    @cached_property
    def _kept(self) -> frozenset[str]:
        return self.names | self.busy

    @cached_property
    def _shared_endpoints(self) -> frozenset[str]:
        return frozenset(shared_endpoint(self.prefix, one) for one in self.shared)

    @cached_property
    def _own_names(self) -> frozenset[str]:
        every = [ResourceNames(self.prefix, name) for name in self._kept]
        return frozenset(
            own
            for names in every
            for own in (
                names.base, names.dead_letter_queue, names.later_queue, *names.alarms,
            )
        )  # fmt: skip


def endpoint_of(resource: Resource, prefix: str) -> str:
    """The endpoint, or the shared machines, that it was made for, as far as its tag or its name
    tells."""
    if resource.tags and resource.tags.get(ENDPOINT):
        return resource.tags[ENDPOINT]
    if resource.tags and resource.tags.get(SHARED):
        return resource.tags[SHARED]
    name = resource.parent if resource.kind in (Kind.MAPPING, Kind.TARGET) else resource.name
    for suffix in (DEAD_LETTERS_SUFFIX, LATER_SUFFIX, *ALARM_SUFFIXES):
        if resource.kind in (Kind.QUEUE, Kind.ALARM, Kind.MAPPING):
            name = name.removesuffix(suffix)
    return name.removeprefix(f"{prefix}-")


def is_orphan(resource: Resource, fleet: Fleet, now: datetime) -> bool:
    """False for what has an owner, is the stack's own or another stack's, or is young."""
    tags = resource.tags or {}
    if fleet.owns(resource) or tags.get(STACK, fleet.prefix) != fleet.prefix:
        return False
    # Queues and alarms of the controller itself have no endpoint; SageMaker has nothing of its own.
    if resource.kind not in _SAGEMAKER and is_ours(tags, fleet.prefix) and ENDPOINT not in tags:
        return False
    return resource.created_at is None or now - resource.created_at >= GRACE


def sentenced(
    found: Sequence[Resource],
    fleet: Fleet,
    seen: Iterable[Sighting],
    now: datetime,
    *,
    cap: int,
    complete: bool,
    prices: PriceBook | None = None,
) -> tuple[Orphan, ...]:
    """The orphans among what was found, in the order in which they go, each with its verdict.

    `found` holds everything, for what hangs on what; `cap` is the most that one sweep removes.
    """
    earlier = {one.key: one for one in seen if one.counts(now)}
    orphans: list[Orphan] = []
    left = cap
    for resource in sorted(found, key=lambda one: (ORDER.index(one.kind), one.name)):
        if not is_orphan(resource, fleet, now):
            continue
        verdict = _kept(resource, found, fleet) or _timely(resource, earlier, now)
        if verdict is Verdict.DELETE and not complete:
            verdict = Verdict.INCOMPLETE
        if verdict is Verdict.DELETE and left < 1:
            verdict = Verdict.OVER_CAP
        left -= verdict is Verdict.DELETE
        orphans.append(Orphan(resource, verdict, prices or bundled()))
    return tuple(orphans)


def _kept(resource: Resource, found: Sequence[Resource], fleet: Fleet) -> Verdict | None:
    """Why it must stay whatever the time; None: it may go."""
    if resource.kind is Kind.TARGET:
        return Verdict.WITH_COMPONENT
    tags = resource.tags or {}
    if not is_ours(tags, fleet.prefix):
        return Verdict.FOREIGN
    if not may_be_deleted(tags, fleet.prefix):
        return Verdict.UNMARKED
    if resource.messages:
        return Verdict.HOLDS_REQUESTS
    if resource.status in ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting"):
        return Verdict.BUSY
    return Verdict.NEEDED if any(_hangs_on(other, resource) for other in found) else None


def _hangs_on(other: Resource, resource: Resource) -> bool:
    """Whether `other` must go before: what is in its place in the order, of the same name too."""
    if ORDER.index(other.kind) >= ORDER.index(resource.kind):
        feeds = other.name.removesuffix(LATER_SUFFIX) + DEAD_LETTERS_SUFFIX
        return other.kind is Kind.QUEUE and resource.name == feeds
    if resource.kind is Kind.QUEUE:
        return other.kind is Kind.MAPPING and other.parent == resource.name
    if resource.kind not in _SAGEMAKER or other.kind not in _SAGEMAKER:
        return False
    return resource.name in (other.parent, other.name)


def _timely(resource: Resource, earlier: Mapping[str, Sighting], now: datetime) -> Verdict:
    before = earlier.get(resource.key) if resource.created_at else None
    if before is None or now - before.first_seen < TWICE_AFTER:
        return Verdict.SEEN_ONCE
    return Verdict.DELETE


def remembered(
    seen: Iterable[Sighting], orphans: Sequence[Orphan], now: datetime
) -> tuple[Sighting, ...]:
    """What the next sweep knows: the orphans of this one, each since when it is seen."""
    earlier = {one.key: one for one in seen if one.counts(now)}
    return tuple(
        Sighting(key, earlier[key].first_seen if key in earlier else now, now)
        for key in (orphan.resource.key for orphan in orphans)
    )
