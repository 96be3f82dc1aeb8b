"""What a person may ask for until some time: a hold, sleep, warmth, no scale-in.

One of each kind at a time; it expires by itself, and another of its kind takes its place only when
that is said. Two that contradict each other are refused, with who asked for the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..alerts.events.base import Event
from ..alerts.events.life import HoldEnded, HoldSet
from ..alerts.events.overrides import OverrideEnded, OverrideSet
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus, HistoryEntry
from ..policy.types import Hold, Override, OverrideKind, Phase
from ..policy.wording import counted
from .asked_by import named
from .in_force import Kind, in_force, sentence, who_keeps_copies
from .purse import barred, capped
from .telling import tell, telling
from .wishes import entry, may_not_wake, request_wake
from .world import OrderError, World, find

LONGEST = timedelta(days=366)


_ADVERSE = {
    Kind.SLEEP_UNTIL: (Kind.HOLD, Kind.KEEP_WARM, Kind.PAUSE_SCALE_IN),
    Kind.HOLD: (Kind.SLEEP_UNTIL,),
    Kind.KEEP_WARM: (Kind.SLEEP_UNTIL,),
    Kind.PAUSE_SCALE_IN: (Kind.SLEEP_UNTIL,),
}


@dataclass(frozen=True)
class Asked:
    """Who asks, for how long, why, and whether it may take the place of one of its kind."""

    duration: timedelta
    reason: str
    author: str
    replace: bool = False


def hold(world: World, name: str, min_copies: int, asked: Asked) -> EndpointStatus:
    """Keeps at least so many copies."""
    record = find(world, name)
    highest = record.spec.highest_max_copies
    if not 0 <= min_copies <= highest:
        raise OrderError(f"min_copies {min_copies} is not within 0..{highest}, {name}'s bounds")
    now = world.clock.now()
    if min_copies and (bar := barred(record, now)):
        raise OrderError(f"a hold would keep no copy of {name} awake: {bar.reason.text}")
    until = _until(record.status, Kind.HOLD, asked, now)
    held = Hold(until=until, min_copies=min_copies, reason=asked.reason, author=asked.author)
    least = counted(min_copies, "copy")
    text = f"{asked.author} holds at least {least} until {until:%Y-%m-%d %H:%M} UTC: "
    told = HoldSet(
        endpoint=name,
        generation=record.status.generation,
        at=now,
        min_copies=min_copies,
        until=until,
        author=asked.author,
        reason=asked.reason,
    )
    status = record.status.model_copy(update={"hold": held})
    return _taken(world, record, status, told, text + asked.reason, min_copies, Cause.HOLD)


def override(
    world: World, name: str, kind: OverrideKind, asked: Asked, *, even_for_requests: bool = False
) -> EndpointStatus:
    """Puts to sleep, keeps warm, or keeps from scaling in."""
    record, now = find(world, name), world.clock.now()
    if even_for_requests and kind is not OverrideKind.SLEEP_UNTIL:
        raise OrderError(f"even_for_requests is for sleep_until, not for {kind}")
    if kind is OverrideKind.KEEP_WARM and (bar := barred(record, now)):
        raise OrderError(f"no copy of {name} can be kept warm: {bar.reason.text}")
    until = _until(record.status, Kind(kind.value), asked, now)
    one = Override(kind, now, until, asked.reason, asked.author, even_for_requests)
    others = tuple(other for other in record.status.overrides if other.kind is not kind)
    told = OverrideSet(
        endpoint=name,
        generation=record.status.generation,
        at=now,
        kind=kind,
        until=until,
        author=asked.author,
        reason=asked.reason,
        even_for_requests=even_for_requests,
    )
    status = record.status.model_copy(update={"overrides": (*others, one)})
    text = f"{sentence(Kind(kind.value), one)}."
    warm = kind is OverrideKind.KEEP_WARM and _may_wake_now(record.having(status), now)
    copies = 1 if warm else 0
    return _taken(world, record, status, told, text[:1].upper() + text[1:], copies, Cause.PERSON)


def _may_wake_now(record: EndpointRecord, now: datetime) -> bool:
    """Whether its budget, and what else keeps a request from waking it, let it wake; the tick
    wakes it when they do."""
    return not capped(record, now) and not may_not_wake(record, now)


def _until(status: EndpointStatus, kind: Kind, asked: Asked, now: datetime) -> datetime:
    """When it ends; OrderError if it may not begin."""
    if asked.duration <= timedelta(0):
        raise OrderError(f"a {kind.replace('_', '-')} must last longer than nothing: --for 2h")
    if asked.duration > LONGEST:
        raise OrderError(f"a {kind.replace('_', '-')} lasts {LONGEST.days} days at most")
    found = in_force(status, now)
    name = status.name
    for other in _ADVERSE[kind]:
        if other in found:
            raise OrderError(
                f"{name} is {sentence(other, found[other])}; the two contradict each other, so "
                f"release it first: autoscaler release {name}"
            )
    if kind in found and not asked.replace:
        raise OrderError(
            f"{name} is {sentence(kind, found[kind])}; add --replace to put this in its place"
        )
    return now + asked.duration


def _taken(
    world: World,
    record: EndpointRecord,
    status: EndpointStatus,
    told: Event,
    text: str,
    copies: int,
    cause: Cause,
) -> EndpointStatus:
    """Stored and told; what asks for copies wakes it at once, not with the next tick."""
    lines = [entry(status, told.at, text)]
    saved = tell(world, world.store.save(telling(status, told), entries=lines))
    if copies and saved.phase in (Phase.ASLEEP, Phase.SLEEPING):
        who = named([who_keeps_copies(saved, told.at)])
        return request_wake(world, record.having(saved), cause, copies, text, who).status
    return saved


def release(world: World, name: str, author: str, kind: Kind | None = None) -> EndpointStatus:
    """Ends what is in force before its time: one kind, or all."""
    record, now = find(world, name), world.clock.now()
    before = record.status
    ending = [one for one in in_force(before, now) if kind in (None, one)]
    if not ending:
        return before
    events: list[Event] = []
    lines: list[HistoryEntry] = []
    status = before
    for one in ending:
        status = _without(status, one)
        events.append(_ended(status, one, now, author))
        what = "the hold" if one is Kind.HOLD else one.replace("_", "-")
        lines.append(_line(status, now, len(lines), f"{author} released {what}."))
    return tell(world, world.store.save(telling(status, *events), entries=lines))


def expired(
    status: EndpointStatus, now: datetime, events: list[Event], lines: list[HistoryEntry]
) -> EndpointStatus:
    """The status without what is over; adds what is to be told and noted of that."""
    there, still = in_force(status, datetime.min.replace(tzinfo=now.tzinfo)), in_force(status, now)
    for kind in (one for one in there if one not in still):
        status = _without(status, kind)
        events.append(_ended(status, kind, now, None))
        what = "The hold" if kind is Kind.HOLD else f"{kind.replace('_', '-').capitalize()}"
        lines.append(_line(status, now, len(lines), f"{what} expired."))
    return status


def _without(status: EndpointStatus, kind: Kind) -> EndpointStatus:
    if kind is Kind.HOLD:
        return status.model_copy(update={"hold": None})
    left = tuple(one for one in status.overrides if one.kind.value != kind.value)
    return status.model_copy(update={"overrides": left})


def _ended(status: EndpointStatus, kind: Kind, now: datetime, author: str | None) -> Event:
    who: dict[str, Any] = {"endpoint": status.name, "generation": status.generation, "at": now}
    if kind is Kind.HOLD:
        return HoldEnded(**who, author=author)
    return OverrideEnded(**who, kind=OverrideKind(kind.value), author=author)


def _line(status: EndpointStatus, now: datetime, before: int, text: str) -> HistoryEntry:
    """Lines of one moment are kept by their time: each gets one of its own."""
    return entry(status, now + timedelta(microseconds=before), text)
