"""The embedded account in the background: started once, stopped once, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tools.embedded import process_file

_START_SECONDS = 90
_STOP_SECONDS = 20


class DaemonError(RuntimeError):
    """The account could not be started or stopped; says why."""


@dataclass(frozen=True)
class Started:
    """`environment` is what to export; `fresh` is false for an account that ran already."""

    environment: dict[str, str]
    fresh: bool


def start(
    state: Path,
    template: Path,
    *,
    speed: float,
    port: int,
    stack: str = "autoscaler",
    models: Sequence[str] = (),
) -> Started:
    """Returns once the stack is deployed; an account that runs already is left as it is.

    `models` are repository ids that a stand-in of the Hub serves; the template then gets its
    address as parameter HubEndpoint.
    """
    state.mkdir(parents=True, exist_ok=True)
    if (running := process_file.running(state / "pid")) is not None:
        return Started(_ready(state, running.is_running), fresh=False)
    (state / "ready.json").unlink(missing_ok=True)
    arguments = [str(state), str(template), stack, str(speed), str(port), *models]
    with (state / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.embedded", *arguments],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return Started(_ready(state, lambda: process.poll() is None), fresh=True)
    except BaseException:  # Ctrl-C as well: what is not ready has no other owner
        if process.poll() is None:
            _end(psutil.Process(process.pid))
        raise


def stop(state: Path) -> bool:
    """Stops it; False when nothing was running. Raises DaemonError if it belongs to another."""
    running = process_file.running(state / "pid")
    if running is not None:
        try:
            _end(running)
        except psutil.AccessDenied:
            raise DaemonError(
                f"the account runs as another user (process {running.pid}): only they can stop it"
            ) from None
    for name in ("pid", "ready.json"):
        (state / name).unlink(missing_ok=True)
    return running is not None


def status(state: Path) -> dict[str, Any] | None:
    """What the running account says of itself, or None."""
    ready = state / "ready.json"
    if process_file.running(state / "pid") is None or not ready.exists():
        return None
    url = json.loads(ready.read_text())["AWS_ENDPOINT_URL"]
    try:
        with urllib.request.urlopen(f"{url}/_embedded/status", timeout=5) as reply:
            return dict(json.load(reply))
    except (urllib.error.URLError, OSError):
        return None


def _ready(state: Path, lives: Callable[[], bool]) -> dict[str, str]:
    """The environment that the account writes when it is ready."""
    ready = state / "ready.json"
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        alive = lives()
        if ready.exists():
            return dict(json.loads(ready.read_text()))
        if not alive:
            raise DaemonError((state / "log").read_text()[-2000:].strip() or "it said nothing")
        time.sleep(0.1)
    raise DaemonError(f"it was not ready after {_START_SECONDS} s; see {state / 'log'}")


def _end(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)
