"""A dispatcher's desk in memory, and the messages that tests put on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from autoscaler.control.desk import Desk
from autoscaler.control.dispatch import dispatch as dispatch_batch
from autoscaler.control.fairness import within
from autoscaler.control.messages import Message
from autoscaler.ports import Answer, BodyError, KeptAnswer
from autoscaler.spec import Kind, ReplyTo, Tenant
from tests.memory import NOON, MemoryWorld, StandingClock, memory_world

NAME = "llama"


@dataclass
class ScriptedModel:
    """Answers, or raises what the test put into `errors`. An answer takes as long as `takes` says,
    and `meanwhile` happens."""

    errors: list[Exception] = field(default_factory=list)
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    takes: timedelta = timedelta(0)
    meanwhile: Callable[[], None] | None = None
    clock: StandingClock | None = None

    def ask(self, name: str, body: Mapping[str, Any], kind: Kind, shared: str = "") -> Answer:
        self.asked.append(body)
        if self.errors:
            raise self.errors.pop(0)
        if self.takes and self.clock:
            self.clock.moment = max(self.clock.moment, NOON + self.takes)
        if self.meanwhile:
            self.meanwhile()
        if self.answers:
            return self.answers.pop(0)
        return Answer({"choices": [{"message": {"content": "because"}}]}, 7, 3)


@dataclass
class MemoryResults:
    stored: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    broken_for: set[str] = field(default_factory=set)

    def find(self, endpoint: str, request_id: str) -> str | None:
        found = self.stored.get(f"{endpoint}/{request_id}")
        return f"s3://results/{endpoint}/{request_id}" if found and "answer" in found else None

    def put(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str:
        if request_id in self.broken_for:
            raise ConnectionError("S3 does not answer, as the test ordered")
        self.stored[f"{endpoint}/{request_id}"] = result
        return f"s3://results/{endpoint}/{request_id}"

    def put_once(self, endpoint: str, request_id: str, result: Mapping[str, Any]) -> str | None:
        taken = self.find(endpoint, request_id) is not None
        return None if taken else self.put(endpoint, request_id, result)

    def get(self, endpoint: str, request_id: str) -> Mapping[str, Any] | None:
        return self.stored.get(f"{endpoint}/{request_id}")


@dataclass
class MemoryRequests:
    postponed: list[timedelta] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    moved: list[tuple[str, datetime]] = field(default_factory=list)
    later: bool = True  # whether there is a queue of requests that may wait

    def postpone(
        self, name: str, receipt_handle: str, delay: timedelta, later: bool = False
    ) -> None:
        self.postponed.append(delay)

    def move(self, name: str, body: str, sent_at: datetime) -> bool:
        if self.later:
            self.moved.append((body, sent_at))
        return self.later

    def refuse(self, name: str, message_id: str, body: str, reason: str) -> None:
        self.refused.append(reason)


@dataclass
class MemoryBodies:
    """Bodies by URI."""

    stored: dict[str, bytes] = field(default_factory=dict)

    def get(self, endpoint: str, uri: str) -> bytes:
        if uri not in self.stored:
            raise BodyError(f"nothing lies at {uri}")
        return self.stored[uri]


@dataclass
class MemoryOutlets:
    """Takes everything but what `refused` names; the next sends fail with `errors`."""

    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)

    def problem(self, to: ReplyTo) -> str | None:
        place = str(to.queue or to.url)
        return f"{place} is not in the list" if place in self.refused else None

    def send(self, to: ReplyTo, endpoint: str, request_id: str, document: bytes) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append((str(to.queue or to.url), json.loads(document)))


@dataclass
class MemoryTenants:
    """Leases by endpoint and tenant, and how many each began in which minute."""

    leases: dict[tuple[str, str], dict[str, datetime]] = field(default_factory=dict)
    begun: dict[tuple[str, str, int], int] = field(default_factory=dict)
    given_back: list[str] = field(default_factory=list)

    def running(self, endpoint: str, now: datetime) -> dict[str, int]:
        mine = {tenant: found for (name, tenant), found in self.leases.items() if name == endpoint}
        return {tenant: sum(end > now for end in found.values()) for tenant, found in mine.items()}

    def take(
        self,
        endpoint: str,
        tenant: str,
        wanted: Sequence[str],
        limits: Tenant | None,
        now: datetime,
        until: datetime,
    ) -> list[str]:
        found = self.leases.setdefault((endpoint, tenant), {})
        minute = (endpoint, tenant, int(now.timestamp() // 60))
        held = {one for one, end in found.items() if end > now}
        new = within(limits, wanted, held, self.begun.get(minute, 0))
        taken = [one for one in wanted if one in held or one in new]
        found |= dict.fromkeys(taken, until)
        self.begun[minute] = self.begun.get(minute, 0) + len(new)
        return taken

    def give_back(self, endpoint: str, tenant: str, lease: str) -> None:
        self.leases.get((endpoint, tenant), {}).pop(lease, None)
        self.given_back.append(lease)


@dataclass
class MemoryAsked:
    """Marks that expire by the world's clock."""

    world: MemoryWorld
    marks: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def first_time(self, key: str, ttl: timedelta, holder: str) -> bool:
        now = self.world.clock.now()
        until, by = self.marks.get(key, (now, holder))
        if until > now and by != holder:
            return False
        self.marks[key] = (now + ttl, holder)
        return True

    def forget(self, key: str) -> None:
        self.marks.pop(key, None)


@dataclass
class MemoryLate:
    """A model that answers when the test says so: `come` holds answers and errors by request."""

    errors: list[Exception] = field(default_factory=list)
    come: dict[str, Answer | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def look(self, name: str, request_id: str) -> Answer | None:
        found = self.come.get(f"{name}/{request_id}")
        if isinstance(found, Exception):
            raise found
        return found

    def ask(self, name: str, request_id: str, body: Mapping[str, Any]) -> None:
        self.asked.append(f"{name}/{request_id}")
        if self.errors:
            raise self.errors.pop(0)

    def was_asked(self, name: str, request_id: str) -> bool:
        return f"{name}/{request_id}" in self.asked

    def forget(self, name: str, request_id: str) -> None:
        self.come.pop(f"{name}/{request_id}", None)
        self.forgotten.append(f"{name}/{request_id}")


@dataclass
class MemoryKept:
    """Kept answers; `broken`: what every call raises."""

    kept: dict[str, KeptAnswer] = field(default_factory=dict)
    broken: Exception | None = None
    looked: int = 0

    def find(self, endpoint: str, digest: str) -> KeptAnswer | None:
        self.looked += 1
        if self.broken:
            raise self.broken
        return self.kept.get(f"{endpoint}/{digest}")

    def put(self, endpoint: str, digest: str, answer: KeptAnswer) -> bool:
        if self.broken:
            raise self.broken
        self.kept[f"{endpoint}/{digest}"] = answer
        return True


class TestDesk(Desk):
    __test__ = False
    world: MemoryWorld
    models: ScriptedModel
    results: MemoryResults
    requests: MemoryRequests
    late: MemoryLate
    kept: MemoryKept
    bodies: MemoryBodies
    outlets: MemoryOutlets
    tenants: MemoryTenants


def memory_desk() -> TestDesk:
    world = memory_world()
    return TestDesk(
        world,
        ScriptedModel(clock=world.clock),
        MemoryResults(),
        MemoryRequests(),
        MemoryAsked(world),
        MemoryLate(),
        kept=MemoryKept(),
        bodies=MemoryBodies(),
        outlets=MemoryOutlets(),
        tenants=MemoryTenants(),
    )


def message(number: int = 1, body: Any = None, waited: float = 4) -> Message:
    if body is None:
        body = {"id": f"r-{number}", "messages": [{"role": "user", "content": "why?"}]}
    text = body if isinstance(body, str) else json.dumps(body)
    return Message(f"m-{number}", f"h-{number}", text, NOON - timedelta(seconds=waited))


def dispatch(desk: TestDesk, name: str, messages: list[Message]) -> list[str]:
    """The ids of the messages that stay; nothing may have gone wrong besides."""
    done = dispatch_batch(desk, name, messages)
    assert done.troubles == []
    return done.stay
