"""A dispatcher's desk in memory, and the messages that tests put on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from autoscaler.control.desk import Desk
from autoscaler.control.dispatch import dispatch as dispatch_batch
from autoscaler.control.messages import Message
from autoscaler.ports import Answer, KeptAnswer
from autoscaler.spec import Kind
from tests.memory import NOON, MemoryWorld, memory_world

NAME = "llama"


@dataclass
class ScriptedModel:
    """Answers, or raises what the test put into `errors`."""

    errors: list[Exception] = field(default_factory=list)
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def ask(self, name: str, body: Mapping[str, Any], kind: Kind, shared: str = "") -> Answer:
        self.asked.append(body)
        if self.errors:
            raise self.errors.pop(0)
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


@dataclass
class MemoryRequests:
    postponed: list[timedelta] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def postpone(self, name: str, receipt_handle: str, delay: timedelta) -> None:
        self.postponed.append(delay)

    def refuse(self, name: str, message_id: str, body: str, reason: str) -> None:
        self.refused.append(reason)


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


def memory_desk() -> TestDesk:
    world = memory_world()
    return TestDesk(
        world,
        ScriptedModel(),
        MemoryResults(),
        MemoryRequests(),
        MemoryAsked(world),
        MemoryLate(),
        kept=MemoryKept(),
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
