"""Many events of a kind as one message, and what was held back at night as one digest. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import singledispatch

from ..endpoints.status import Cause
from ..policy.wording import at_utc, counted
from .console import Console
from .events.base import Event, Severity
from .events.capacity import CopiesChanged
from .events.life import EndpointAwoke, EndpointSlept, WakeRequested
from .message import Message, in_force_of, message_of
from .routing import at_least
from .sentences.life import BECAUSE, for_whom
from .tamed import tamed
from .wording import spoken, usd

_FEW = 6  # names with a figure each
_MANY = 40  # names
_LINES = 20  # of a group
_ROOM, _ROOM_FOR_NAMES = 2900, 800  # a section of Slack's holds 3,000 characters
_LONGEST = 600  # characters of one line
_NAMES = 12  # in a line of a digest

# "30 endpoints are awake". A kind that is not here is "30 endpoints: <its name in words>".
_PLURALS = {
    "EndpointCreated": "endpoints are ready",
    "WakeRequested": "endpoints are waking",
    "EndpointAwoke": "endpoints are awake",
    "EndpointSlept": "endpoints are asleep",
    "EndpointUpdated": "endpoints are updated",
    "UpdateFailed": "endpoints could not be updated",
    "EndpointRetired": "endpoints are retired",
    "CopiesChanged": "endpoints changed their copies",
    "BoundsChanged": "endpoints have new bounds",
    "CapacityMissing": "endpoints could not be woken",
    "CopiesMissing": "endpoints serve with fewer copies than they need",
    "ScalingMissing": "endpoints are awake without all of their scaling",
    "GapFound": "endpoints lack something that they need",
    "WakeDelayed": "endpoints have to wait before they wake",
    "SignalMissing": "endpoints are missing a signal",
    "BudgetReached": "endpoints have passed a step of their budget",
    "RequestRefused": "endpoints cannot answer requests",
    "ChangeWithheld": "endpoints would be changed (the stack only observes)",
    "HoldSet": "endpoints are held",
    "HoldEnded": "endpoints are held no longer",
}


def grouped(events: Sequence[Event], console: Console | None = None) -> Message:
    """One event as itself; several of one kind as one message, oldest first: of news the names
    with their one figure, of what is worse each one's sentences."""
    if len(events) == 1:
        return message_of(events[0], console)
    ordered = sorted(map(tamed, events), key=lambda event: (event.at, event.endpoint))
    first, last = ordered[0], ordered[-1]
    return Message(
        severity=worst(events),
        title=_counted(ordered),
        body=_named(ordered) if worst(events) is Severity.INFO else _listed(ordered, console),
        facts=(),
        context=f"{worst(events)} · {first.detail_type} · {_span(first.at, last.at)}",
        kind=first.detail_type,
        in_force=in_force_of(ordered),
    )


def digest(events: Sequence[Event]) -> Message:
    """What happened while it was quiet: a line for each kind, with whom."""
    ordered = sorted(map(tamed, events), key=lambda event: (event.at, event.endpoint))
    kinds = list(dict.fromkeys(event.detail_type for event in ordered))
    groups = [[e for e in ordered if e.detail_type == kind] for kind in kinds]
    for names in (_NAMES, _NAMES // 4, 0):  # fewer of them until all kinds are there
        lines = [_line(group, names) for group in groups]
        if sum(map(_size, lines)) <= _ROOM:
            break
    return Message(
        severity=worst(events),
        title=f"While it was quiet: {len(ordered)} messages",
        body="\n".join(lines),
        facts=(),
        context=f"{worst(events)} · held back · {_span(ordered[0].at, ordered[-1].at)}",
        kind="Digest",
        in_force=in_force_of(ordered),
    )


def worst(events: Sequence[Event]) -> Severity:
    severities = [event.severity for event in events]
    return next(
        one
        for one in (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
        if any(at_least(severity, one) for severity in severities)
    )


def _named(events: Sequence[Event]) -> str:
    """A few: `a (4 min 40 s), b (4 min 47 s)`. Many: names, and from where to where their lead
    times go. Below it why, if it is the same for all."""
    few = len(events) <= _FEW
    known = [(_who(event), brief(event) if few else "") for event in events]
    shown = [f"{name} ({figure})" if figure else name for name, figure in known[:_MANY]]
    more = f" and {len(known) - _MANY} more" if len(known) > _MANY else ""
    below = [_each_because(events), "" if few else _lead_times(events)]
    return "\n".join([", ".join(shown) + more, " ".join(filter(None, below))]).rstrip()


def _each_because(events: Sequence[Event]) -> str:
    causes = {getattr(event, "cause", getattr(event, "reason", None)) for event in events}
    cause = causes.pop() if len(causes) == 1 else None
    return f"Each because {BECAUSE[cause]}." if isinstance(cause, Cause) else ""


def _lead_times(events: Sequence[Event]) -> str:
    leads = [event.lead_seconds for event in events if isinstance(event, EndpointAwoke)]
    return f"Lead times {spoken(min(leads))} to {spoken(max(leads))}." if leads else ""


def _listed(events: Sequence[Event], console: Console | None) -> str:
    messages = [message_of(event, console) for event in events]
    lines = [_cut(f"• *{one.title}*: {one.body}") for one in messages[:_LINES]]
    left = _ROOM if len(lines) == len(messages) else _ROOM - _ROOM_FOR_NAMES
    if sum(map(_size, lines)) > left:
        left = _ROOM - _ROOM_FOR_NAMES
        shown = [left := left - _size(line) for line in lines]
        lines = lines[: sum(1 for rest in shown if rest >= 0)]
    if rest := events[len(lines) :]:
        lines.append(f"… and {len(rest)} more: {_names(rest)}")
    return "\n".join(lines)


def _names(events: Sequence[Event]) -> str:
    """As many as there is room for: who is in trouble is not cut off unsaid."""
    names = list(dict.fromkeys(map(_who, events)))
    shown = names
    while sum(map(_size, shown)) + len(shown) > _ROOM_FOR_NAMES - 60:
        shown = shown[:-1]
    more = f" and {len(names) - len(shown)} others" if len(names) > len(shown) else ""
    return ", ".join(shown) + more


def _who(event: Event) -> str:
    return event.endpoint or "the stack"


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _size(line: str) -> int:
    """Characters in Slack, with its escapes and the line's end."""
    return len(line) + 1 + 4 * sum(map(line.count, "&<>"))


@singledispatch
def brief(event: Event) -> str:
    """The one figure of an event that is worth its place in a list."""
    return ""


@brief.register
def _(event: EndpointAwoke) -> str:
    return spoken(event.lead_seconds) + for_whom(event.cause, event.asked_by)


@brief.register
def _(event: WakeRequested) -> str:
    return f"in {spoken(event.expected_seconds)}{for_whom(event.cause, event.asked_by)}"


@brief.register
def _(event: EndpointSlept) -> str:
    return usd(event.cost_usd) if event.cost_usd is not None else ""


@brief.register
def _(event: CopiesChanged) -> str:
    return f"{event.before} to {event.after}"


def _line(events: Sequence[Event], most: int) -> str:
    if len(events) == 1:
        return f"• {message_of(events[0]).title}, at {at_utc(events[0].at)}"
    names = Counter(map(_who, events))
    shown = [f"{n} ({times}×)" if times > 1 else n for n, times in names.most_common(most)]
    if not shown or not any(event.endpoint for event in events):
        return f"• *{_counted(events)}*"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"• *{_counted(events)}*: {', '.join(shown)}{more}"


def _counted(events: Sequence[Event]) -> str:
    kind, names = events[0].detail_type, {event.endpoint for event in events}
    if len(names) == 1:
        return f"{len(events)} times: {message_of(events[0]).title}"
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", kind).lower()
    said = _PLURALS.get(kind, f"endpoints: {words}").removeprefix("endpoints")
    again = f" ({len(events)} times)" if len(events) > len(names) else ""
    who = f"{len(names)} endpoints"
    if "" in names:  # the stack's own, a budget for one, is of no endpoint
        who = f"{counted(len(names) - 1, 'endpoint')} and the stack"
    return f"{who}{said}{again}"


def _span(first: datetime, last: datetime) -> str:
    begun, ended = at_utc(first), at_utc(last)
    return begun if begun == ended else f"{begun} to {ended}"
