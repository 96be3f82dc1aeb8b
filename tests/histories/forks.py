"""Runs each case in a copy of this process: a world is made once and left as it was by every case."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class ChildError(RuntimeError):
    """A case that could not be run to its end; has its traceback."""


def in_copy(work: Callable[[], T]) -> T:
    """What `work` returns in a fork; nothing that it does is seen here. Raises ChildError."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work(work, writer)  # does not return
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if not said:
        raise ChildError(f"the case ended without a word, with status {status}")
    worked, value = pickle.loads(said)  # noqa: S301 - from our own child
    if not worked:
        raise ChildError(value)
    return value  # type: ignore[no-any-return]


def _work(work: Callable[[], T], writer: int) -> None:
    # Handlers print their metrics, and nobody reads them here.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        said = pickle.dumps((True, work()))
    except BaseException:  # noqa: BLE001 - told to the parent, which raises it
        said = pickle.dumps((False, traceback.format_exc()))
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(said)
    os._exit(0)
