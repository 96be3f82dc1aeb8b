"""A gateway that tests can talk to: uvicorn in a thread, over whatever parts they bring."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette

from autoscaler.gateway.serve import GatewaySettings, gateway_settings, server
from autoscaler.runtime.logs import logger

START_SECONDS = 20
_SERVING: dict[str, uvicorn.Server] = {}  # by address
_LOGS = ("autoscaler", "uvicorn.error", "asyncio")  # of the gateway and the server below it


class _Heard(logging.Handler):
    def __init__(self, hear: Callable[[str], object]) -> None:
        super().__init__()
        self._hear = hear
        self.setFormatter(logger.registered_formatter)

    def emit(self, record: logging.LogRecord) -> None:
        self._hear(self.format(record))


@contextmanager
def overheard(hear: Callable[[str], object]) -> Iterator[None]:
    """Tells each line that this process logs, as it is written."""
    places, heard = [logging.getLogger(name) for name in _LOGS], _Heard(hear)
    for place in places:
        place.addHandler(heard)
    try:
        yield
    finally:
        for place in places:
            place.removeHandler(heard)


@contextmanager
def _still_heard() -> Iterator[None]:
    """Whoever listens goes on: uvicorn, which sets its own logs up, takes their handlers away."""
    before = {name: list(logging.getLogger(name).handlers) for name in _LOGS}
    yield
    for name, handlers in before.items():
        for heard in handlers:
            if isinstance(heard, _Heard):
                logging.getLogger(name).addHandler(heard)


def environment(**changes: str) -> GatewaySettings:
    given = {"GATEWAY_ACCESS": "iam", "GATEWAY_PORT": "0", **changes}
    return gateway_settings(given)


@contextmanager
def running(app: Starlette, env: GatewaySettings) -> Iterator[str]:
    """The address of the application, until the test is over."""
    with _still_heard():
        serving = server(app, env)
    thread = threading.Thread(target=serving.run, name="gateway", daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{_port(serving)}"
        _SERVING[address] = serving
        yield address
    finally:
        serving.should_exit = True
        thread.join(START_SECONDS)
        assert not thread.is_alive(), "the gateway did not stop"


def tell_to_stop(address: str) -> None:
    """As SIGTERM does."""
    _SERVING[address].should_exit = True


def _port(serving: uvicorn.Server) -> int:
    end = time.monotonic() + START_SECONDS
    while not serving.started:
        assert time.monotonic() < end, "the gateway did not start"
        time.sleep(0.02)
    sockets: Any = serving.servers[0].sockets
    return int(sockets[0].getsockname()[1])
