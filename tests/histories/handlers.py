"""The real handlers in this process; what an environment remembers ends when it is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
from botocore.httpsession import URLLib3Session

from autoscaler.aws import clients
from autoscaler.aws.data_loader import FewFolders
from autoscaler.staging.retry import Retrier
from tests.histories.clock import StillClock
from tests.histories.faults import Killed
from tests.histories.presigned import presigned
from tests.histories.step_functions import Invoked
from tests.histories.template import environment, functions, resources, template
from tests.histories.wire import Wire

# What botocore's files say is read once for all environments: a fifth of a case's time otherwise.
_FILES = FewFolders()
# A killed environment, and one that was ended above its time, as Step Functions names them.
KILLED = "Runtime.ExitError"


class Handlers:
    """Invokes functions by ARN, as whoever they are."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.invoked: list[tuple[str, Invoked]] = []

    def invoke(self, arn: str, payload: Any) -> Invoked:
        name = arn.rpartition(":autoscaler-")[2]
        with self._wire.acting(name):
            done = self._invoked(arn, name, json.loads(json.dumps(payload)))
        self.invoked.append((name, done))
        return done

    def _invoked(self, arn: str, name: str, payload: Any) -> Invoked:
        try:
            reply = _module(arn).handler(payload, _context(arn, name))
        except Killed:
            renew(self._wire)  # the next invocation begins in a new environment
            return Invoked(None, KILLED, "the process ended in the middle of its work")
        except Exception as error:  # noqa: BLE001 - Lambda tells it to whoever called
            return Invoked(None, type(error).__name__, str(error))
        return Invoked(json.loads(json.dumps(reply)))


@cache
def _module(arn: str) -> ModuleType:
    path = functions()[arn]
    spec = importlib.util.spec_from_file_location(f"histories_{path.parent.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _context(arn: str, name: str) -> Any:
    milliseconds = _timeout(name) * 1000
    return SimpleNamespace(
        function_name=f"autoscaler-{name}",
        memory_limit_in_mb=512,
        invoked_function_arn=arn,
        aws_request_id="still",
        get_remaining_time_in_millis=lambda: milliseconds,
    )


@cache
def _timeout(name: str) -> int:
    wanted = f"functions/{name.replace('-', '_')}"
    for properties in resources("AWS::Serverless::Function").values():
        if properties["CodeUri"].rstrip("/").endswith(wanted):
            return int(properties.get("Timeout", template()["Globals"]["Function"]["Timeout"]))
    raise LookupError(name)


def renew(wire: Wire) -> None:
    """A new environment, whose clients go over the wire like those of the one before."""
    forget()
    session = clients._session()  # the layer's own, of which all its clients are made
    session.register_component("data_loader", _FILES)
    wire.attach(session)


def forget() -> None:
    """What an environment keeps between invocations goes."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("autoscaler.runtime.", "autoscaler.aws.")):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear") and value.__module__ == name:
                    value.cache_clear()


@contextmanager
def in_this_process(wire: Wire, clock: StillClock, **variables: str) -> Iterator[None]:
    """Handlers find their environment here; their calls go over the wire, without threads."""
    import botocore.session

    given = {**environment(), **_FIXED, **variables}
    before = {name: os.environ.get(name) for name in given}
    session, pooled = boto3.DEFAULT_SESSION, ThreadPoolExecutor.submit
    send, patience = URLLib3Session.send, Retrier.__init__.__defaults__
    os.environ.update(given)
    core = botocore.session.Session()
    core.register_component("data_loader", _FILES)
    wire.attach(core)
    boto3.setup_default_session(botocore_session=core)
    ThreadPoolExecutor.submit = _at_once  # type: ignore[method-assign]
    URLLib3Session.send = _astray  # type: ignore[method-assign]
    # Staging waits between its tries by the clock that stands still, each time the longest pause.
    Retrier.__init__.__defaults__ = (clock.sleep, lambda _least, most: most)
    renew(wire)
    try:
        with _quiet(), presigned(wire):
            yield
    finally:
        forget()
        Retrier.__init__.__defaults__ = patience
        ThreadPoolExecutor.submit = pooled  # type: ignore[method-assign]
        URLLib3Session.send = send  # type: ignore[method-assign]
        boto3.DEFAULT_SESSION = session
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_FIXED = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "still",
    "AWS_SECRET_ACCESS_KEY": "still",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Thousands of invocations would log tens of thousands of lines."""
    from autoscaler.runtime.logs import logger

    level = logger.log_level
    logger.setLevel("CRITICAL")
    try:
        yield
    finally:
        logger.setLevel(level)


def _astray(_session: URLLib3Session, request: Any) -> Any:
    """A client that the wire does not answer would wait for the real AWS, minutes at a time."""
    raise AssertionError(f"{request.url} was called beside the wire")


def _at_once(
    _pool: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **named: Any
) -> Future[Any]:
    """What a pool would do in a thread, done here and now: always in the same order."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    try:
        future.set_result(work(*args, **named))
    except Exception as error:  # noqa: BLE001 - told by the future
        future.set_exception(error)
    return future
