"""How many instructions a fresh process takes, which no neighbour on the machine changes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

CHILD = Path(__file__).parent / "child.py"
# What the child itself imports before it begins: neither a handler's nor boto3's.
_BARE = "import json, os, sys, time, types, typing; os._exit(0)"
_SECONDS = 300  # valgrind takes some fifty times as long


def countable() -> bool:
    """Whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def count(place: str, event: str, environment: Mapping[str, str]) -> int:
    """Instructions up to AWS's first answer, or up to the end of making boto3's client."""
    command = (sys.executable, str(CHILD), place, event, "stop")
    return _counted(command, tuple(environment.items())) - _bare()


@cache
def _bare() -> int:
    return _counted((sys.executable, "-c", _BARE), ())


def _counted(command: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> int:
    callgrind = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    env = dict(environment) | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(
        callgrind + command, env=env, capture_output=True, text=True, timeout=_SECONDS
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"valgrind counted nothing: {done.stderr[-2000:]}")
    return int(found[1])
