"""Requests beside their models: bodies, results, replies, tenants' places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from ..spec import ReplyTo, Tenant


class BodyError(RuntimeError):
    """There is no body where a message says; the message says why."""


class RequestBodies(Protocol):
    """Bodies too large for a message, in the results bucket under `requests/<endpoint>/`."""

    def get(self, endpoint: str, uri: str) -> bytes:
        """Raises BodyError for another place, for nothing there and for too much."""


class ReplyError(RuntimeError):
    """An answer could not be sent where its sender wanted it; says why, without the address."""


class Outlets(Protocol):
    """Queues and callbacks of the stack's allow-lists, to which answers are sent."""

    def problem(self, to: ReplyTo) -> str | None:
        """Why nothing may be sent there; None: it may."""

    def send(self, to: ReplyTo, endpoint: str, request_id: str, document: bytes) -> None:
        """Raises ReplyError."""


class ResultStore(Protocol):
    """Answers, kept until they expire. Keys are `<endpoint>/<request id>`."""

    def find(self, endpoint: str, request_id: str) -> str | None:
        """Where the answer lies (s3 URI); None without one. An error that was stored is none:
        a request that was refused may be sent again."""

    def put_once(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str | None:
        """Returns where it lies (s3 URI), unless an answer is there already: then None, and that
        one stays. An error gives way to whatever comes."""

    def get(self, endpoint: str, request_id: str) -> Mapping[str, Any] | None:
        """What is stored, an answer or an error; None: nothing."""


@dataclass(frozen=True)
class KeptAnswer:
    """A model's answer that was kept for the next request that is the same."""

    body: Mapping[str, Any]
    kept_at: datetime


class KeptAnswers(Protocol):
    """Answers of deterministic requests, by the digest of all that an answer depends on."""

    def find(self, endpoint: str, digest: str) -> KeptAnswer | None: ...

    def put(self, endpoint: str, digest: str, answer: KeptAnswer) -> bool:
        """Whether it was kept: one that is too large is not."""


class TenantLeases(Protocol):
    """What the tenants of an endpoint have at work, over all dispatchers."""

    def running(self, endpoint: str, now: datetime) -> dict[str, int]:
        """Leases by tenant."""

    def take(
        self,
        endpoint: str,
        tenant: str,
        wanted: Sequence[str],
        limits: Tenant | None,
        now: datetime,
        until: datetime,
    ) -> list[str]:
        """Those of `wanted` that hold a lease, and the first that the limits leave room for
        besides; each is leased until then."""

    def give_back(self, endpoint: str, tenant: str, lease: str) -> None:
        """Before its end; one that has ended is success."""


class Requests(Protocol):
    """What the dispatcher does with a message besides answering it."""

    def postpone(
        self, name: str, receipt_handle: str, delay: timedelta, later: bool = False
    ) -> None:
        """`later`: it is in the queue of requests that may wait."""

    def move(self, name: str, body: str, sent_at: datetime) -> bool:
        """Puts a request that may wait into the queue of those; False: the endpoint has none, or
        it does not take the message."""

    def refuse(self, name: str, message_id: str, body: str, reason: str) -> None:
        """Puts the message into the dead-letter queue with its reason."""
