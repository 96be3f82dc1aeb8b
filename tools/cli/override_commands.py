"""The commands that override the policy for a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from tools.cli import output
from tools.cli.client import RefusedError, StackClient
from tools.cli.times import checked_reason, hold_seconds

Endpoint = Annotated[str, typer.Argument(help="The endpoint's name.")]
For = Annotated[str | None, typer.Option("--for", help="How long: 90m, 2h, 1d.")]
Until = Annotated[str | None, typer.Option(help='Until when: 18:00, "2026-11-24 18:00".')]
Reason = Annotated[str, typer.Option(help="Why, for your colleagues.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Take the place of one of its kind that is in force.")
]
_NO_REASON = "no reason given"
KINDS = ("hold", "sleep-until", "keep-warm", "pause-scale-in")
Telling = Callable[[Callable[..., None]], Callable[..., None]]


def register(app: typer.Typer, tells: Telling) -> None:
    """Adds the commands."""
    app.command()(tells(hold))
    app.command("sleep-until")(tells(sleep_until))
    app.command("keep-warm")(tells(keep_warm))
    app.command("pause-scale-in")(tells(pause_scale_in))
    app.command()(tells(release))


def hold(
    context: typer.Context,
    endpoint: Endpoint,
    duration: For = None,
    until: Until = None,
    copies: Annotated[int, typer.Option(min=0, max=100, help="At least so many copies.")] = 1,
    reason: Reason = _NO_REASON,
    replace: Replace = False,
) -> None:
    """Keeps copies awake against the policy, until it expires by itself."""
    _override(context, "hold", endpoint, duration, until, reason, replace, min_copies=copies)


def sleep_until(
    context: typer.Context,
    endpoint: Endpoint,
    duration: For = None,
    until: Until = None,
    even_for_requests: Annotated[
        bool, typer.Option("--even-for-requests", help="Requests wait too, and are told why.")
    ] = False,
    reason: Reason = _NO_REASON,
    replace: Replace = False,
) -> None:
    """Keeps it asleep whatever its schedule says; requests still wake it."""
    more = {"kind": "sleep_until", "even_for_requests": even_for_requests}
    _override(context, "override", endpoint, duration, until, reason, replace, **more)


def keep_warm(
    context: typer.Context,
    endpoint: Endpoint,
    duration: For = None,
    until: Until = None,
    reason: Reason = _NO_REASON,
    replace: Replace = False,
) -> None:
    """Keeps one copy at least, as its budget allows; a hold goes beyond the day's wakes."""
    _override(context, "override", endpoint, duration, until, reason, replace, kind="keep_warm")


def pause_scale_in(
    context: typer.Context,
    endpoint: Endpoint,
    duration: For = None,
    until: Until = None,
    reason: Reason = _NO_REASON,
    replace: Replace = False,
) -> None:
    """Takes no copy away and lets it not sleep."""
    _override(
        context, "override", endpoint, duration, until, reason, replace, kind="pause_scale_in"
    )


def release(
    context: typer.Context,
    endpoint: Endpoint,
    only: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(KINDS)}; else all in force.")
    ] = None,
) -> None:
    """Ends what is in force before its time: holds and other overrides."""
    if only is not None and only not in KINDS:
        raise RefusedError([f"--only: {only!r} is none of {', '.join(KINDS)}"])
    more = {"kind": only.replace("-", "_")} if only else {}
    _tell(context.obj.command("release", endpoint=endpoint, **more))


def _override(
    context: typer.Context,
    command: str,
    endpoint: str,
    duration: str | None,
    until: str | None,
    reason: str,
    replace: bool,
    **more: Any,
) -> None:
    client: StackClient = context.obj
    seconds, reason = hold_seconds(duration, until, client.now()), checked_reason(reason)
    more |= {"replace": True} if replace else {}
    _tell(client.command(command, endpoint=endpoint, seconds=seconds, reason=reason, **more))


def _tell(result: Mapping[str, Any]) -> None:
    told = f"{result['endpoint']} is {output.phase(result['phase'])}"
    output.console.print(told, soft_wrap=True)
