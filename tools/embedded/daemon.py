"""The embedded account in the background: started once, stopped once, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_START_SECONDS = 90
_STOP_SECONDS = 20


class DaemonError(RuntimeError):
    """The account could not be started; says why."""


def start(
    state: Path,
    template: Path,
    *,
    speed: float,
    port: int,
    stack: str = "autoscaler",
    models: Sequence[str] = (),
) -> dict[str, str]:
    """Returns the environment to export once the stack is deployed.

    `models` are repository ids that a stand-in of the Hub serves; the template then gets its
    address as parameter HubEndpoint.
    """
    if status(state):
        raise DaemonError("an account is running already: `autoscaler local down` stops it")
    state.mkdir(parents=True, exist_ok=True)
    ready = state / "ready.json"
    ready.unlink(missing_ok=True)
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
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if ready.exists():
            return dict(json.loads(ready.read_text()))
        if process.poll() is not None:
            raise DaemonError((state / "log").read_text()[-2000:] or "it ended without a word")
        time.sleep(0.1)
    process.kill()
    raise DaemonError(f"it was not ready after {_START_SECONDS} s; see {state / 'log'}")


def stop(state: Path) -> bool:
    """Stops it; False when nothing was running."""
    pid = _pid(state)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + _STOP_SECONDS
    while _pid(state) is not None and time.monotonic() < end:
        time.sleep(0.05)
    if _pid(state) is not None:
        os.kill(pid, signal.SIGKILL)
    (state / "pid").unlink(missing_ok=True)
    (state / "ready.json").unlink(missing_ok=True)
    return True


def status(state: Path) -> dict[str, Any] | None:
    """What the running account says of itself, or None."""
    ready = state / "ready.json"
    if _pid(state) is None or not ready.exists():
        return None
    url = json.loads(ready.read_text())["AWS_ENDPOINT_URL"]
    try:
        with urllib.request.urlopen(f"{url}/_embedded/status", timeout=5) as reply:
            return dict(json.load(reply))
    except (urllib.error.URLError, OSError):
        return None


def _pid(state: Path) -> int | None:
    try:
        pid = int((state / "pid").read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid
