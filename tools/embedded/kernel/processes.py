"""Handler processes: forked from a zygote on Linux, started from zero elsewhere."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol

import psutil

_HERE = Path(__file__).parent


class Process(Protocol):
    """A running handler; `output` ends when it does."""

    pid: int
    output: IO[bytes]

    @property
    def alive(self) -> bool: ...

    def kill(self) -> None: ...


class Launcher(Protocol):
    """Starts handler processes."""

    def launch(self, environ: Mapping[str, str]) -> Process: ...

    def close(self) -> None: ...


def launcher() -> Launcher:
    """The launcher of this platform. Call it from a thread that lives as long as the account."""
    return _Forks() if sys.platform == "linux" else _Starts()


class _Forks:
    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._zygote = subprocess.Popen(
            [sys.executable, str(_HERE / "zygote.py"), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        theirs.close()

    def launch(self, environ: Mapping[str, str]) -> Process:
        read, write = os.pipe()
        message = json.dumps({"environ": dict(environ)}).encode()
        with self._lock:
            socket.send_fds(self._control, [message], [write])
            os.close(write)
            pid = int(self._control.recv(64))
        return _Forked(pid, os.fdopen(read, "rb"))

    def close(self) -> None:
        self._control.close()
        self._zygote.kill()
        self._zygote.wait()


class _Forked:
    def __init__(self, pid: int, output: IO[bytes]) -> None:
        self.pid = pid
        self.output = output

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        _kill_group(self.pid)


class _Starts:
    def launch(self, environ: Mapping[str, str]) -> Process:
        return _Started(environ)

    def close(self) -> None:
        """Nothing is kept ready."""


class _Started:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "bootstrap.py"), environ["_HANDLER"]],
            cwd=environ["LAMBDA_TASK_ROOT"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.output: IO[bytes] = self._process.stdout

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        _kill_group(self._process.pid)
        self._process.wait()


def private_bytes(pid: int) -> int:
    """Memory that is the process's own; 0 when it is gone.

    What it shares with the zygote it was forked from does not count: in Lambda a function's memory
    holds the interpreter and the libraries as well, some 60 MiB of it.
    """
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except psutil.Error:
        return 0


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself meanwhile
