"""Executions of state machines, and events on the stack's bus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Flow(StrEnum):
    """The state machines that carry out a wish."""

    DEPLOY = "deploy_endpoint"
    WAKE = "wake_endpoint"
    SLEEP = "sleep_endpoint"
    RETIRE = "retire_endpoint"
    REMOVE = "remove_capacity"
    UPDATE = "update_endpoint"


class FlowState(StrEnum):
    """What became of an execution."""

    ABSENT = "absent"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class FlowReport:
    state: FlowState
    cause: str | None = None
    began_at: datetime | None = None  # None: there is none, or nobody said


class Flows(Protocol):
    """Starts and looks at executions, named `<endpoint>-<generation>`."""

    def start(self, flow: Flow, name: str, generation: int) -> None:
        """Idempotent: an execution of that name that exists already is success."""

    def look(self, flow: Flow, name: str, generation: int) -> FlowReport: ...

    def stop(self, flow: Flow, name: str, generation: int, why: str) -> None:
        """Ends an execution that was overtaken; one that is over already is success."""


class Announcer(Protocol):
    """Puts a typed event on the stack's bus. `event` is a model of `alerts.events`."""

    def announce(self, event: Any) -> None: ...

    def announce_all(self, events: Sequence[Any]) -> None: ...
