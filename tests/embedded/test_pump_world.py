"""An account without servers or processes, for the tests of the pump and the metrics."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tools.embedded.pump import Pump
from tools.embedded.types import ACCOUNT_ID, Invocation

START = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC).timestamp()  # a Monday noon
REGION = "us-east-1"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:"


class FakeClock:
    """Runs with the wall, `speed` times as fast, from START; can be moved forward."""

    def __init__(self, speed: float = 1.0, start: float = START) -> None:
        self.speed = speed
        self._wall = time.monotonic()
        self._from = start

    def time(self) -> float:
        return self._from + (time.monotonic() - self._wall) * self.speed

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def jump(self, seconds: float) -> None:
        self._from += seconds

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> bool:
        end = self.time() + seconds
        stop = stop or threading.Event()
        while self.time() < end:
            if stop.wait(min(0.02, max(0.0, (end - self.time()) / self.speed))):
                return True
        return stop.is_set()


class FakeFunctions:
    """Functions are Python callables of the event; what they were asked is kept."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Any], Any]] = {}
        self.calls: list[tuple[str, Any, float]] = []
        self.came = threading.Condition()

    def invoke(self, function: str, payload: bytes) -> Invocation:
        name = function.split(":function:")[-1]
        event = json.loads(payload)
        with self.came:
            self.calls.append((name, event, time.monotonic()))
            self.came.notify_all()
        handler = self.handlers.get(name)
        if handler is None:
            raise LookupError(name)
        try:
            answer = handler(event)
        except AssertionError as error:
            return Invocation("r", json.dumps({"errorMessage": str(error)}).encode(), "Unhandled")
        return Invocation("r", answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def invoke_async(self, function: str, payload: bytes) -> None:
        if function.split(":function:")[-1] not in self.handlers:
            raise LookupError(function)
        self.invoke(function, payload)

    def events(self, name: str) -> list[Any]:
        with self.came:
            return [event for called, event, _ in self.calls if called == name]


class FakeAccount:
    account_id = ACCOUNT_ID
    region = REGION

    def __init__(self, speed: float = 1.0, start: float = START) -> None:
        self.clock = FakeClock(speed, start)
        self.functions = FakeFunctions()
        self._lock = threading.Lock()

    def boto(self, service: str) -> Any:
        with self._lock:
            return boto3.client(service, region_name=self.region)


class World:
    """A started pump over moto in this process."""

    def __init__(self, speed: float, start: float) -> None:
        self.account = FakeAccount(speed, start)
        self.clock = self.account.clock
        self.functions = self.account.functions
        self.pump = Pump(self.account)

    def boto(self, service: str) -> Any:
        return self.account.boto(service)

    def function(self, name: str, handler: Callable[[Any], Any] = lambda event: None) -> str:
        """A function that moto knows and the fake runs; returns its ARN."""
        self.functions.handlers[name] = handler
        iam = self.boto("iam")
        if not iam.list_roles()["Roles"]:
            iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")
        self.boto("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.handler",
            Role=f"arn:aws:iam::{ACCOUNT_ID}:role/role",
            Code={"ZipFile": EMPTY_ZIP},
        )
        return FUNCTION_ARN + name

    def queue(self, name: str, **attributes: str) -> tuple[str, str]:
        """URL and ARN of a new queue."""
        url = self.boto("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}"

    def received(self, url: str, count: int = 1, wall_seconds: float = 5.0) -> list[Any]:
        """Waits for messages on a queue; the parsed messages."""
        found: list[Any] = []
        end = time.monotonic() + wall_seconds
        while len(found) < count and time.monotonic() < end:
            answer = self.boto("sqs").receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=43200,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
            found += answer.get("Messages", [])
            time.sleep(0.01)
        return found


EMPTY_ZIP = bytes.fromhex("504b0506") + bytes(18)


@contextmanager
def world(speed: float = 1.0, start: float = START, running: bool = True) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("MOTO_ACCOUNT_ID", ACCOUNT_ID)
        with mock_aws(config={"lambda": {"use_docker": False}}):
            made = World(speed, start)
            made.pump.start() if running else made.pump.install()
            try:
                yield made
            finally:
                made.pump.stop() if running else made.pump.uninstall()


def eventually(condition: Callable[[], Any], wall_seconds: float = 5.0) -> Any:
    """Waits until something holds; fails when it does not in time."""
    end = time.monotonic() + wall_seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.003)
    raise AssertionError("it did not happen in time")
