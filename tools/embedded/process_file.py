"""A file that names a running process: its number and when it started.

A number alone is used again by the system: who trusts it may stop somebody else's process.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil

# The start is told relative to the machine's clock, which may have been set meanwhile. No number
# is used again this soon.
_SAME_START_SECONDS = 2.0


def record(path: Path) -> None:
    """Names this process."""
    ours = psutil.Process()
    fresh = path.with_name(f"{path.name}.{ours.pid}")
    fresh.write_text(json.dumps({"pid": ours.pid, "started": ours.create_time()}))
    fresh.replace(path)


def running(path: Path) -> psutil.Process | None:
    """The process that a file names, if it is the one that wrote it; removes the file if not."""
    try:
        named = json.loads(path.read_text())
        process = psutil.Process(named["pid"])
        since = abs(process.create_time() - named["started"])
        if since <= _SAME_START_SECONDS and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, psutil.NoSuchProcess):
        # Nobody's: not as `record` writes it, or its process has ended.
        path.unlink(missing_ok=True)
        return None
    path.unlink(missing_ok=True)
    return None


def forget(path: Path) -> None:
    """Removes the file of this process, and nobody else's."""
    named = running(path)
    if named is not None and named.pid == os.getpid():
        path.unlink(missing_ok=True)
