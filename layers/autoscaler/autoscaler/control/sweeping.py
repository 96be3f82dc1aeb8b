"""The sweep: look at the account, compare it with the table, report, remove little and late.

AWS is listed before the table is read: whatever is seen there has had its record before, because a
wish is stored before anything is made. An error or a partial listing removes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from ..alerts.events.costs import GapFound, OrphanLine, OrphanRemoved, OrphansFound
from ..alerts.wording import usd
from ..endpoints.tags import SHARED
from ..policy.types import Phase
from ..policy.wording import at_utc
from ..ports import Flow, FlowState
from .gaps import gaps
from .sharing import sharers
from .sweep import (
    Fleet,
    Gap,
    Orphan,
    Resource,
    Sighting,
    Verdict,
    endpoint_of,
    remembered,
    sentenced,
)
from .world import World

TELL_AGAIN_AFTER = timedelta(days=1)
# Of an event, which EventBridge refuses above 256 KB: some 1,120 lines.
MOST_LINES = 100


@dataclass(frozen=True)
class Look:
    """What a look at the account found; with a problem it is incomplete."""

    resources: tuple[Resource, ...]
    problems: tuple[str, ...] = ()


class NotOursError(RuntimeError):
    """Its tags are not any more what they were when its removal was decided."""


class Account(Protocol):
    """What of the account could belong to the stack: by its name's prefix or by its tag."""

    def look(self) -> Look:
        """All of it, without tags, instances and messages."""

    def describe(self, resources: Sequence[Resource]) -> Look:
        """The same with all that is known of them; what has gone meanwhile is left out."""

    def remove(self, resource: Resource) -> None:
        """Asks AWS to delete it after another look at its tags; absent is as good as removed.

        Raises NotOursError when they do not allow it any more."""


@dataclass(frozen=True)
class Memory:
    """What one sweep leaves to the next."""

    sightings: tuple[Sighting, ...] = ()
    told: frozenset[str] = frozenset()  # keys of the orphans that were announced last
    told_at: datetime | None = None
    swept_at: datetime | None = None
    usd_per_hour: Decimal = Decimal(0)  # of the orphans that were left, as far as it is known
    unpriced: int = 0
    gaps: frozenset[str] = frozenset()  # that were there, and told
    gaps_told_at: datetime | None = None


class MemoryStore(Protocol):
    """Keeps it until it is out of date."""

    def load(self) -> Memory: ...

    def save(self, memory: Memory) -> None: ...


@dataclass(frozen=True)
class Swept:
    """What a sweep saw, did and met."""

    at: datetime
    orphans: tuple[Orphan, ...]
    gaps: tuple[Gap, ...]
    problems: tuple[str, ...]
    removed: tuple[Resource, ...] = ()
    listed: bool = True  # the whole account, so that what was not seen is not there

    @property
    def usd_per_hour(self) -> Decimal:
        """Of the orphans whose price is known."""
        return sum((one.usd_per_hour or Decimal(0) for one in self.orphans), Decimal(0))

    @property
    def usd_so_far(self) -> Decimal:
        return sum((one.usd_until(self.at) or Decimal(0) for one in self.orphans), Decimal(0))

    @property
    def unpriced(self) -> int:
        return sum(one.usd_per_hour is None for one in self.orphans)


def inspect(world: World, account: Account, memory: MemoryStore, prefix: str, cap: int) -> Swept:
    """What a sweep would see and do now; changes nothing, remembers nothing."""
    seen = account.look()
    records = world.store.load_all()
    live = frozenset(r.status.name for r in records if r.status.phase is not Phase.RETIRED)
    machines = (r.spec.instances.shared for r in records if r.status.name in live)
    fleet = Fleet(prefix, live, shared=frozenset(one for one in machines if one))
    strays = [one for one in seen.resources if not fleet.owns(one)]
    described = account.describe(strays)
    found = [one for one in seen.resources if fleet.owns(one)] + list(described.resources)
    fleet = replace(fleet, busy=_busy(world, described.resources, prefix))
    problems = seen.problems + described.problems
    now = world.clock.now()
    sightings, prices = memory.load().sightings, world.store.prices()
    orphans = sentenced(found, fleet, sightings, now, cap=cap, complete=not problems, prices=prices)
    listed = not seen.problems
    lacking = gaps(records, found, prefix, now) if listed else ()
    return Swept(now, orphans, lacking, problems, listed=listed)


def sweep(world: World, account: Account, memory: MemoryStore, prefix: str, cap: int) -> Swept:
    """Looks, removes what may go, remembers what it saw, and announces what is new."""
    seen = inspect(world, account, memory, prefix, cap)
    removed, problems = _remove(world, account, seen, prefix)
    done = replace(seen, removed=removed, problems=seen.problems + problems)
    before = memory.load()
    after = _remembering(before, done)
    memory.save(after)  # first: what nobody could be told of was seen all the same
    for resource in removed:
        world.announcer.announce(
            OrphanRemoved(
                endpoint=endpoint_of(resource, prefix),
                at=done.at,
                kind=resource.kind,
                name=resource.name,
            )
        )
    memory.save(_told(world, before, after, done))
    return done


def _busy(world: World, strays: Iterable[Resource], prefix: str) -> frozenset[str]:
    """Forgotten endpoints whose last execution has not ended yet."""
    names = {endpoint_of(one, prefix) for one in strays} - {""}
    generations = {name: world.store.last_generation(name) for name in sorted(names)}
    return frozenset(
        name
        for name, generation in generations.items()
        if generation
        and any(
            world.flows.look(flow, name, generation).state is FlowState.RUNNING
            for flow in (Flow.RETIRE, Flow.REMOVE)
        )
    )


def _remove(
    world: World, account: Account, seen: Swept, prefix: str
) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """One after the other; the first error ends it, because then nothing is certain."""
    removed: list[Resource] = []
    for orphan in seen.orphans:
        if orphan.verdict is not Verdict.DELETE:
            continue
        resource = orphan.resource
        try:
            _check_still_nobodys(world, resource, prefix)
            account.remove(resource)
        except Exception as error:  # noqa: BLE001 - told; the next sweep looks again
            why = f"{resource.kind} {resource.name} was not removed: {error}"
            return tuple(removed), (why,)
        removed.append(resource)
    return tuple(removed), ()


def _check_still_nobodys(world: World, resource: Resource, prefix: str) -> None:
    machines = (resource.tags or {}).get(SHARED)
    if machines:  # an endpoint may well be called as machines are
        for one in sharers(world.store, machines, but=""):
            raise NotOursError(f"{one.status.name} was applied meanwhile, and shares it")
        return
    named = replace(resource, tags=None)
    for owner in {endpoint_of(resource, prefix), endpoint_of(named, prefix)}:
        record = world.store.load(owner)
        if record is not None and record.status.phase is not Phase.RETIRED:
            raise NotOursError(f"{owner} was applied meanwhile")


def _left(done: Swept) -> Swept:
    """With the orphans that were not removed."""
    gone = {resource.key for resource in done.removed}
    return replace(done, orphans=tuple(o for o in done.orphans if o.resource.key not in gone))


def _remembering(before: Memory, done: Swept) -> Memory:
    """What was seen now, and told before. The sums are of all orphans that are left."""
    rest = _left(done)
    seen = remembered(before.sightings, rest.orphans, done.at)
    if done.problems:  # an incomplete look has not seen that anything is gone
        fresh = {one.key for one in seen}
        seen += tuple(one for one in before.sightings if one.key not in fresh)
    return replace(
        before,
        sightings=seen,
        swept_at=done.at,
        usd_per_hour=rest.usd_per_hour,
        unpriced=rest.unpriced,
    )


def _told(world: World, before: Memory, after: Memory, done: Swept) -> Memory:
    """Announces a new orphan at once and old ones once a day; what is remembered then."""
    rest, told_at = _left(done), before.told_at
    keys = frozenset(one.resource.key for one in rest.orphans)
    due = told_at is None or done.at - told_at >= TELL_AGAIN_AFTER
    if keys and (due or keys - before.told):
        world.announcer.announce(found_event(rest))
        told_at = done.at
    # What SageMaker still deletes is no news to the next sweep; an incomplete look forgets nothing.
    told = frozenset(one.resource.key for one in done.orphans)
    told |= before.told if done.problems else frozenset()
    gaps_told, gaps_told_at = _tell_gaps(world, before, done)
    return replace(after, told=told, told_at=told_at, gaps=gaps_told, gaps_told_at=gaps_told_at)


def _tell_gaps(world: World, before: Memory, done: Swept) -> tuple[frozenset[str], datetime | None]:
    """Announces a new one at once and old ones once a day; an incomplete look has seen none."""
    if not done.listed:
        return before.gaps, before.gaps_told_at
    due = before.gaps_told_at is None or done.at - before.gaps_told_at >= TELL_AGAIN_AFTER
    keys = frozenset(gap.key for gap in done.gaps)
    news = [gap for gap in done.gaps if due or gap.key not in before.gaps]
    if news:
        world.announcer.announce_all([gap_event(gap, done.at) for gap in news])
    return keys, done.at if keys and due else before.gaps_told_at


def remark(memory: Memory) -> str | None:
    """For the cost report: the ledger has no line for what belongs to no endpoint."""
    if memory.swept_at is None or not (memory.usd_per_hour or memory.unpriced):
        return None
    unknown = f"; the price of {memory.unpriced} is not known" if memory.unpriced else ""
    return (
        "Not in these figures: instances that belong to no endpoint, seen "
        f"{at_utc(memory.swept_at)} at {usd(memory.usd_per_hour)} an hour{unknown}. "
        "`autoscaler sweep` shows them."
    )


def found_event(swept: Swept) -> OrphansFound:
    """With a line for each that may matter; the sums are of all of them."""
    foremost = sorted(swept.orphans, key=_by_weight)[:MOST_LINES]
    return OrphansFound(
        at=swept.at,
        usd_per_hour=swept.usd_per_hour,
        usd_so_far=swept.usd_so_far,
        unpriced=swept.unpriced,
        lines=tuple(line_of(one, swept.at) for one in foremost),
        others=len(swept.orphans) - len(foremost),
    )


def _by_weight(orphan: Orphan) -> tuple[bool, bool, Decimal]:
    """What bills comes first, dearest first; a price that is not known may be any."""
    hourly = orphan.usd_per_hour
    bills = any(orphan.resource.instances.values())
    return (not bills, hourly is not None, -(hourly or Decimal(0)))


def gap_event(gap: Gap, now: datetime) -> GapFound:
    return GapFound(
        endpoint=gap.endpoint,
        at=now,
        lacks=gap.lacks,
        what_to_do=gap.what_to_do,
        command=gap.command,
    )


def line_of(orphan: Orphan, now: datetime) -> OrphanLine:
    resource = orphan.resource
    return OrphanLine(
        kind=resource.kind,
        name=resource.name,
        instances=dict(resource.instances),
        since=resource.created_at,
        usd_per_hour=orphan.usd_per_hour,
        usd_so_far=orphan.usd_until(now),
        verdict=orphan.verdict,
    )
