"""Runs each case in a copy of this process: a world is made once, and no case changes it."""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing
import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST_SECONDS = 120  # of the wall, for a case; one takes about one


# A collection walks all that a world is made of, in each copy again, and copies its pages.
gc.set_threshold(50_000)


class ChildError(RuntimeError):
    """A case that could not be run to its end; has its traceback."""


def in_copy(work: Callable[[], T], seconds: float = LONGEST_SECONDS) -> T:
    """What `work` returns in a fork; nothing that it does is seen here.

    Raises ChildError, also for work that is not done after so many seconds of the wall; the error
    says where it was.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work(work, writer)  # does not return
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        if not select.select([pipe], [], [], seconds)[0]:
            os.kill(child, signal.SIGUSR1)  # it says where it is
            time.sleep(0.5)
            os.kill(child, signal.SIGKILL)
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if not said:
        raise ChildError(f"the case ended without a word, with status {status}")
    if not said.startswith(pickle.PROTO):
        raise ChildError(f"not done after {seconds:g} s:\n{said.decode(errors='replace')}")
    worked, value = pickle.loads(said)
    if not worked:
        raise ChildError(value)
    return value  # type: ignore[no-any-return]


class Copy:
    """A fork that goes on living: it does one thing after the other, and tells what came of it."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        ours, theirs = multiprocessing.Pipe()
        self._child = os.fork()
        if self._child == 0:
            ours.close()
            _serve(work, theirs)  # does not return
        theirs.close()
        self._pipe = ours

    def ask(self, request: Any) -> Any:
        """What `work` returned. Raises ChildError."""
        self._pipe.send(request)
        try:
            worked, value = self._pipe.recv()
        except EOFError:
            raise ChildError("the copy ended without a word") from None
        if not worked:
            raise ChildError(value)
        return value

    def close(self) -> None:
        self._pipe.close()
        os.waitpid(self._child, 0)


def _serve(work: Callable[[Any], Any], pipe: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            os._exit(0)
        try:
            pipe.send((True, work(request)))
        except BaseException:  # noqa: BLE001 - told to the parent, which raises it
            pipe.send((False, traceback.format_exc()))


def _work(work: Callable[[], T], writer: int) -> None:
    faulthandler.register(signal.SIGUSR1, file=writer)
    # Handlers print their metrics, and nobody reads them here.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        said = pickle.dumps((True, work()))
    except BaseException:  # noqa: BLE001 - told to the parent, which raises it
        said = pickle.dumps((False, traceback.format_exc()))
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(said)
    os._exit(0)
