"""A message on its way out: to its place, and when that place takes nothing any more, elsewhere.

A place that refuses for good (its webhook was revoked, its channel is archived, its token is void)
is tried again with the secret read anew. Then a person is told once a day by another way, and the
message itself goes there too, with a line that says why. What no way takes stays with the caller:
in the queue, and in its dead-letter queue at last, from where it can be sent again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from .events.base import Severity
from .message import Message, own_message
from .office import Office
from .routing import DEFAULT, Target, at_least, default_target, target_named
from .secret import AlertConfig
from .sinks import SinkRejectedError

_TOLD_AGAIN = timedelta(days=1)


def deliver(office: Office, target: Target, message: Message) -> None:
    """Raises RetryLater, or SinkRejectedError when no way takes it."""
    config = office.configs.current()
    try:
        _send(office, config, target, message)
    except SinkRejectedError as rejected:
        if not rejected.lasting:
            raise
        fresh = office.configs.reread()
        again = target_named(fresh, target.name)
        try:
            if (fresh.token, again.place) == (config.token, target.place):
                raise rejected
            _send(office, fresh, again, message)
        except SinkRejectedError as still:
            _elsewhere(office, fresh, again, message, still)


def _send(office: Office, config: AlertConfig, target: Target, message: Message) -> None:
    # To the default, since it has what a wrong route lost; without one, to whoever is told.
    if target.name == DEFAULT or config.default is None:
        message = message.noting(*complaints(config))
    office.sink_of(target, config).send(message)


def complaints(config: AlertConfig) -> tuple[str, ...]:
    """What is wrong in the secret, as one line below a message."""
    if not config.problems:
        return ()
    first, *others = config.problems
    more = f" (and {len(others)} more)" if others else ""
    return (f"The alerts' secret is wrong in one place and goes by the rest. {first}{more}",)


def _elsewhere(
    office: Office,
    config: AlertConfig,
    target: Target,
    message: Message,
    rejected: SinkRejectedError,
) -> None:
    office.refused()
    why = f"It was meant for {target.shown}, which did not take it: {rejected}"
    _say_so(office, config, target, rejected)
    for place, least in _other_ways(config, target):
        if not at_least(message.severity, least):
            continue
        try:
            _by(office, config, place, message.noting(why, *complaints(config)))
            return
        except SinkRejectedError as too:
            rejected.add_note(f"nor did another way: {too}")
    raise rejected


def _say_so(
    office: Office, config: AlertConfig, target: Target, rejected: SinkRejectedError
) -> None:
    """Once a day; what nobody hears is said again with the next message."""
    key, holder = f"SINK#{target.name}", "delivery"
    if not office.seen.first_time(key, timedelta(seconds=1), holder):
        return
    told = own_message(
        Severity.CRITICAL,
        f"Alerts do not reach {target.shown}",
        f"{rejected}. Until then its alerts come here as far as they can; the others wait in the "
        "dead-letter queue of notify for 14 days and can be sent again (docs/alerts.md).",
        office.now(),
    )
    for place, _ in _other_ways(config, target):
        try:
            _by(office, config, place, told)
        except SinkRejectedError:
            continue  # the next way
        office.seen.keep(key, _TOLD_AGAIN)
        return


def _other_ways(config: AlertConfig, target: Target) -> Iterator[tuple[Target | None, Severity]]:
    """The default takes all; the last resort is somebody's mailbox: no mere news."""
    default = default_target(config)
    if default.place is not None and default.place != target.place:
        yield default, Severity.INFO
    yield None, Severity.WARNING


def _by(office: Office, config: AlertConfig, place: Target | None, message: Message) -> None:
    (office.last_resort if place is None else office.sink_of(place, config)).send(message)
