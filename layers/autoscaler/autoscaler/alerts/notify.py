"""From an event to people: each is told once, or stays in the queue until it could be told.

News of one kind are held for a minute and become one message; what quiet hours hold back becomes
one digest. Both lie in the table meanwhile and are told by the next `flush`, which looks at the
clock anew each time: a function that dies at any point loses nothing. It may tell something twice
if it dies after the sink took a message and before that was noted. What was told and cannot be
removed from the table is noted, and told no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from .delivery import deliver
from .events.base import Event, Severity
from .grouping import digest, grouped
from .message import Message, message_of
from .office import Held, Office, SeenStore
from .quiet import waits_for_morning
from .routing import DEFAULT, Target, target_named, targets
from .secret import AlertConfig
from .sinks import RetryLater, Sink, SinkRejectedError

__all__ = ["RetryLater", "SeenStore", "Sink", "SinkRejectedError", "Told", "flush", "notify"]

# Longer than a message is out of sight of its queue (360 s): whoever claimed it and died has had
# it again by then, and one that was sent again from a dead-letter queue finds the claim over.
CLAIM = timedelta(minutes=15)
# Of what was held and told: longer than it can stay in the table (14 days, aws/held.py), from which
# DynamoDB removes what expired "within a few days".
_TOLD = timedelta(days=45)
# What could not be told for so long beyond its time is a person's matter.
OVERDUE = timedelta(minutes=10)


class Told(StrEnum):
    """What became of an event."""

    SENT = "sent"
    HELD = "held"  # told later, with others
    REPEATED = "repeated"
    NOT_FOR_PEOPLE = "not_for_people"


def notify(event: Event, office: Office, holder: str) -> Told:
    """Tells everybody whom the event concerns, unless they were told already.

    Raises what a sink raises; the mark is then taken back, so that the next delivery is the first
    again for whoever was not told.
    """
    if not event.told:
        return Told.NOT_FOR_PEOPLE
    event = _with_team(event, office)
    config, ends = office.configs.current(), [Told.REPEATED]
    failed: Exception | None = None
    for target in targets(config, event.team, event.severity):
        try:
            ends.append(_notify_one(event, office, config, target, holder))
        except Exception as error:  # noqa: BLE001 - raised below; the others are told all the same
            failed = failed or error
    if failed:
        raise failed
    return next(end for end in (Told.SENT, Told.HELD, Told.REPEATED) if end in ends)


def _notify_one(
    event: Event, office: Office, config: AlertConfig, target: Target, holder: str
) -> Told:
    seen, key = office.seen, _key(event, target)
    if not seen.first_time(key, CLAIM, holder):
        return Told.REPEATED
    now = office.now()
    try:
        quiet = waits_for_morning(config.quiet_hours, event.severity, now)
        if quiet or _waits_for_others(event, office, config, target, holder):
            office.held.hold(Held(target.name, now, quiet, event, key))
            end = Told.HELD
        else:
            deliver(office, target, message_of(event, office.console))
            end = Told.SENT
    except BaseException:
        seen.forget(key)
        raise
    seen.keep(key, timedelta(seconds=event.repeat_seconds))
    return end


def _waits_for_others(
    event: Event, office: Office, config: AlertConfig, target: Target, holder: str
) -> bool:
    """News wait for their like. The first warning of a kind is told at once and its like after it
    wait; nothing critical ever waits."""
    if not event.grouped or not config.group_seconds or event.severity is Severity.CRITICAL:
        return False
    if event.severity is Severity.INFO:
        return True
    ttl = timedelta(seconds=config.group_seconds)
    return not office.seen.first_time(f"GROUP#{target.name}#{event.detail_type}", ttl, holder)


def _with_team(event: Event, office: Office) -> Event:
    if event.team or not event.endpoint:
        return event
    return event.model_copy(update={"team": office.team_of(event.endpoint)})


def _key(event: Event, target: Target) -> str:
    own = event.dedupe_key
    return own if target.name == DEFAULT else f"{own}@{target.name}"


@dataclass
class Flushed:
    """What a flush told, what waits on, and what went wrong with the rest. `overdue`: events that
    should have been told long ago."""

    messages: int = 0
    events: int = 0
    waiting: int = 0
    overdue: int = 0
    troubles: list[Exception] = field(default_factory=list)


def flush(office: Office, holder: str) -> Flushed:
    """Tells what has been held long enough. One group's trouble never touches the others; what
    could not be told stays held."""
    done, now = Flushed(), office.now()
    held = office.held.all()
    if not held:
        return done
    config = office.configs.current()
    for group in _groups(held):
        if not _is_due(group, config, now):
            done.waiting += len(group)
            continue
        told: int | None = None
        try:
            told = _tell(office, config, group, holder)
            office.held.drop(group)
        except Exception as error:  # noqa: BLE001 - told by the caller; it stays held
            done.troubles.append(error)
            done.waiting += len(group)
        done.messages += bool(told)
        done.events += told or 0
        if told is None and _is_due(group, config, now - OVERDUE):
            done.overdue += len(group)
    return done


def _tell(office: Office, config: AlertConfig, group: Sequence[Held], holder: str) -> int:
    """How many were told now: not those that were told before, and stayed only in the table."""
    untold = [one for one in group if office.seen.first_time(_mark(one), timedelta(0), holder)]
    if untold:
        deliver(office, target_named(config, group[0].target), _message(untold, office))
    for one in untold:
        office.seen.keep(_mark(one), _TOLD)
    return len(untold)


def _mark(held: Held) -> str:
    return f"HELD#{held.key}#{held.at.isoformat()}"


def _groups(held: Sequence[Held]) -> list[list[Held]]:
    found: dict[tuple[str, ...], list[Held]] = {}
    for one in held:
        if not one.event.grouped:
            group: tuple[str, ...] = (one.target, one.key)
        elif one.quiet:
            group = (one.target, "")
        else:
            group = (one.target, one.event.detail_type, one.event.severity)
        found.setdefault(group, []).append(one)
    return list(found.values())


def _is_due(group: Sequence[Held], config: AlertConfig, now: datetime) -> bool:
    if any(waits_for_morning(config.quiet_hours, one.event.severity, now) for one in group):
        return False
    waited = now - min(one.at for one in group)
    return group[0].quiet or waited >= timedelta(seconds=config.group_seconds)


def _message(group: Sequence[Held], office: Office) -> Message:
    events = [one.event for one in group]
    kinds = {event.detail_type for event in events}
    return grouped(events, office.console) if len(kinds) == 1 else digest(events)
