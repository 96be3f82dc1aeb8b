"""The three streams of a process, as whoever started it left them: closed, of few letters, full."""

from __future__ import annotations

import errno
import io
import os
import sys

# What a full disk, a quota or a broken one says; a reader who went away (EPIPE) is no failure.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def prepare() -> None:
    """Before a command runs. Standard input that is closed ends at once, as an empty one does. A
    letter that standard output cannot hold (Latin-1, ASCII) is written as `\\u2013`: a command that
    has done its work does not fail for it."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - for good
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def flushed() -> None:
    """Writes what is left of standard output; raises OSError now, where it can be told."""
    if sys.stdout is not None:
        sys.stdout.flush()


def unwritable(error: OSError) -> str | None:
    """What to say of an output that takes nothing more; None: it is another error."""
    if error.errno not in _UNWRITABLE:
        return None
    return f"the output cannot be written: {error.strerror}; what was done stays done"


def give_up() -> None:
    """What is left of standard output would fail once more when the process ends."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good
