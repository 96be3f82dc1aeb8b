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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, ClassVar, Protocol

import psutil

_HERE = Path(__file__).parent
# Linux ends a zygote when the thread that started it is gone: this one stays as long as we do.
_LASTING = ThreadPoolExecutor(1, thread_name_prefix="zygote")


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
    """The launcher of this platform. Whoever has it closes it."""
    return _Share() if sys.platform == "linux" else _Starts()


class _Share:
    """Of the one zygote of this process, which ends with the last that has a share."""

    _all: ClassVar[set[_Share]] = set()
    _zygote: ClassVar[_Zygote | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        with self._lock:
            self._all.add(self)

    def launch(self, environ: Mapping[str, str]) -> Process:
        """RuntimeError: it was closed."""
        with self._lock:
            if self not in self._all:
                raise RuntimeError("nothing is launched for an account that was stopped")
            try:
                return self._present().launch(environ)
            except OSError:  # somebody ended it
                self._end()
                return self._present().launch(environ)

    def close(self) -> None:
        with self._lock:
            self._all.discard(self)
            if not self._all:
                self._end()

    @staticmethod
    def _present() -> _Zygote:
        if _Share._zygote is None:
            _Share._zygote = _LASTING.submit(_Zygote).result()
        return _Share._zygote

    @staticmethod
    def _end() -> None:
        if _Share._zygote is not None:
            _Share._zygote.close()
            _Share._zygote = None


class _Zygote:
    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "zygote.py"), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        theirs.close()

    def launch(self, environ: Mapping[str, str]) -> Process:
        """OSError: it is not there any more."""
        read, write = os.pipe()
        output = os.fdopen(read, "rb")
        try:
            socket.send_fds(self._control, [json.dumps(dict(environ)).encode()], [write])
            if not (pid := self._control.recv(64)):
                raise ConnectionResetError("the process that handlers are forked from has ended")
        except OSError:
            output.close()
            raise
        finally:
            os.close(write)
        return _Forked(int(pid), output)

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


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
