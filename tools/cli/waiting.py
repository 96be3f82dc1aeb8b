"""Waits for a request's result, and says meanwhile what it waits for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.markup import escape
from rich.status import Status

from autoscaler.spec import format_duration
from tools.cli import output
from tools.cli.client import CliError, RefusedError, StackClient
from tools.cli.mailbox import Found, Mailbox

_SOONEST, _LATEST = 0.25, 2.0  # seconds between two looks for the result
_PHASE_SOONEST, _PHASE_LATEST = 2.0, 15.0  # and between two at the endpoint, a call of a function
_STARTING = {"WAKING", "CREATING", "STAGING"}


def wait_for_result(
    client: StackClient, mailbox: Mailbox, request_id: str, but: Found | None = None
) -> dict[str, Any]:
    """The result, whenever it comes, `but` for one that lay there before. Raises CliError when it
    cannot come any more."""
    pause, looks = _SOONEST, _Looks(client, mailbox.endpoint)
    with ExitStack() as shown:
        display = _Display(shown)
        while True:
            found = mailbox.look(request_id)
            if found is not None and found != but:
                return found.document
            if looks.gone:
                raise CliError(
                    f"{mailbox.endpoint} was removed, and its queue with it: {request_id} has no "
                    "result and gets none any more"
                )
            if looks.are_due():
                looks.look()
            if looks.phase:
                display.tell(looks.sentence(), looks.phase)
            time.sleep(pause)
            pause = min(pause * 1.5, _LATEST)


class _Looks:
    """What `get` says of the endpoint, as long as the caller may ask it."""

    def __init__(self, client: StackClient, endpoint: str) -> None:
        self._client, self._endpoint = client, endpoint
        self._pause = _PHASE_SOONEST
        self._next = time.monotonic() + self._pause
        self._seen: Mapping[str, Any] = {}
        self._trouble = ""
        self.gone = False

    def are_due(self) -> bool:
        return time.monotonic() >= self._next

    def look(self) -> None:
        try:
            answer = self._client.command("get", endpoint=self._endpoint)
            self._seen, self._trouble = answer["endpoints"][0], ""
        except RefusedError:
            self.gone = True  # one look more: whatever waited was refused before the queue went
        except CliError as error:
            self._trouble = str(error)
        self._pause = min(self._pause * 1.5, _PHASE_LATEST)
        self._next = time.monotonic() + self._pause

    @property
    def phase(self) -> str:
        return "unknown" if self._trouble else str(self._seen.get("phase", ""))

    def sentence(self) -> str:
        if self._trouble:
            return f"waiting; how {self._endpoint} does cannot be seen: {self._trouble}"
        return expectation(self._seen, self._client.now())


class _Display:
    """On a terminal one line that changes, elsewhere one for each phase; on the standard error."""

    def __init__(self, shown: ExitStack) -> None:
        self._shown, self._began, self._told = shown, time.monotonic(), ""
        self._status: Status | None = None

    def tell(self, sentence: str, phase: str) -> None:
        if output.errors.is_terminal:
            waited = format_duration(timedelta(seconds=time.monotonic() - self._began))
            line = f"{escape(sentence)} [dim]· waited {waited}[/]"
            if self._status is None:
                self._status = self._shown.enter_context(output.errors.status(line))
            self._status.update(line)
        elif phase != self._told:
            output.errors.print(sentence, highlight=False, markup=False, soft_wrap=True)
        self._told = phase


def expectation(one: Mapping[str, Any], now: datetime) -> str:
    """What a request waits for and how long that should take, from what `get` tells."""
    name, phase = one["name"], one["phase"]
    lead = timedelta(seconds=round(one["lead_time_seconds"]))
    said = f"{name} is {phase}"
    fallback = (one.get("ladder") or {}).get("fallback")
    also = f"; {fallback} answers for it meanwhile" if fallback else ""
    if phase in _STARTING:
        return f"{said}, {_remaining(one, lead, now)}{also}"
    if barred := one.get("barred"):
        return f"{said}: {barred['reason']} The request waits in its queue{also}"
    if phase in ("ASLEEP", "SLEEPING"):
        return f"{said}, {_until_a_wake(one, lead, now)}{also}"
    if phase == "FAILED":
        why = f": {one['failure']}" if one.get("failure") else ""
        return f"{said}{why}; the request waits in its queue until it is mended{also}"
    waiting = one.get("backlog")
    if waiting == 1:
        return f"{said}, 1 request waits or is worked on"
    return f"{said}, {waiting:,} requests wait or are worked on" if waiting else said


def _remaining(one: Mapping[str, Any], lead: timedelta, now: datetime) -> str:
    left = datetime.fromisoformat(one["wished_at"]) + lead - now
    if left <= timedelta(0):
        return f"it takes longer than the usual {format_duration(lead)}"
    return f"ready in about {format_duration(left)}"


def _until_a_wake(one: Mapping[str, Any], lead: timedelta, now: datetime) -> str:
    for one_of in one.get("overrides") or ():
        if one_of["even_for_requests"]:
            until = datetime.fromisoformat(one_of["until"]).astimezone(UTC)
            return (
                f"even for requests until {until:%Y-%m-%d %H:%M} UTC, as {one_of['author']} "
                f"asked: {one_of['reason']}"
            )
    if shut := one.get("closed"):
        until = datetime.fromisoformat(shut["until"]).astimezone(UTC)
        return f"closed by window {shut['window']} until {until:%Y-%m-%d %H:%M} UTC"
    takes = f"a wake takes about {format_duration(lead)}"
    retry_at = datetime.fromisoformat(one["retry_at"]) if one.get("retry_at") else now
    if retry_at > now:
        return f"the next try comes in {format_duration(retry_at - now)}; {takes}"
    return takes
