"""Many events of a kind as one message, and what was held back at night as one digest. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from ..policy.wording import at_utc
from .console import Console
from .events.base import Event, Severity
from .message import Message, message_of
from .routing import at_least

_LINES = 20  # of a group; a section of Slack's holds 3,000 characters
_NAMES = 12  # in a line of a digest

# "30 endpoints are awake": what is told in numbers. Anything else is "30 times: <its first title>".
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
    "WakeDelayed": "endpoints have to wait before they wake",
    "SignalMissing": "endpoints are missing a signal",
    "BudgetReached": "endpoints have passed a step of their budget",
    "RequestRefused": "endpoints cannot answer requests",
    "HoldSet": "endpoints are held",
    "HoldEnded": "endpoints are held no longer",
}


def grouped(events: Sequence[Event], console: Console | None = None) -> Message:
    """One event as itself; several of one kind as a list with their sentences, oldest first."""
    if len(events) == 1:
        return message_of(events[0], console)
    ordered = sorted(events, key=lambda event: (event.at, event.endpoint))
    messages = [message_of(event, console) for event in ordered]
    lines = [f"• *{one.title}*: {one.body}" for one in messages[:_LINES]]
    if len(messages) > _LINES:
        lines.append(f"… and {len(messages) - _LINES} more, each in the stack's history.")
    first, last = ordered[0], ordered[-1]
    return Message(
        severity=worst(events),
        title=_counted(ordered),
        body="\n".join(lines),
        facts=(),
        context=f"{worst(events)} · {first.detail_type} · {_span(first.at, last.at)}",
        kind=first.detail_type,
    )


def digest(events: Sequence[Event]) -> Message:
    """What happened while it was quiet: a line for each kind, with whom."""
    ordered = sorted(events, key=lambda event: (event.at, event.endpoint))
    kinds = list(dict.fromkeys(event.detail_type for event in ordered))
    lines = [_line([e for e in ordered if e.detail_type == kind]) for kind in kinds]
    return Message(
        severity=worst(events),
        title=f"While it was quiet: {len(ordered)} messages",
        body="\n".join(lines),
        facts=(),
        context=f"{worst(events)} · held back · {_span(ordered[0].at, ordered[-1].at)}",
        kind="Digest",
    )


def worst(events: Sequence[Event]) -> Severity:
    severities = [event.severity for event in events]
    return next(
        one
        for one in (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
        if any(at_least(severity, one) for severity in severities)
    )


def _line(events: Sequence[Event]) -> str:
    if len(events) == 1:
        return f"• {message_of(events[0]).title}, at {at_utc(events[0].at)}"
    names = Counter(event.endpoint for event in events if event.endpoint)
    shown = [f"{n} ({times}×)" if times > 1 else n for n, times in names.most_common(_NAMES)]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"• *{_counted(events)}*: {', '.join(shown)}{more}"


def _counted(events: Sequence[Event]) -> str:
    kind, names = events[0].detail_type, {event.endpoint for event in events}
    if kind not in _PLURALS or len(names) == 1:
        return f"{len(events)} times: {message_of(events[0]).title}"
    again = f" ({len(events)} times)" if len(events) > len(names) else ""
    return f"{len(names)} {_PLURALS[kind]}{again}"


def _span(first: datetime, last: datetime) -> str:
    return at_utc(first) if first == last else f"{at_utc(first)} to {at_utc(last)}"
