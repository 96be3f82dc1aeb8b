"""What a cold start must not pay for. Times are measured by `make bench-startup`, not here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANDLERS = sorted(path.parent for path in (ROOT / "functions").glob("*/app.py"))
# Each takes a good part of a cold start, or does not belong into the layer at all.
HEAVY = frozenset(
    {
        "aws_xray_sdk", "boto3", "s3transfer", "jinja2", "moto", "numpy", "holidays", "yaml",
        "rich", "slack_sdk", "asyncio", "awslambdaric",
    }
)  # fmt: skip
ALLOWED: dict[str, frozenset[str]] = {"notify": frozenset({"asyncio", "slack_sdk"})}


def imported_by(folder: Path) -> set[str]:
    """Top-level names of all modules that importing the handler has loaded, in a fresh process."""
    code = "import sys, app; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT / "layers" / "autoscaler"))),
        "POWERTOOLS_SERVICE_NAME": "autoscaler",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("folder", HANDLERS, ids=lambda folder: folder.name)
def test_no_handler_imports_what_it_does_not_need(folder: Path) -> None:
    found = imported_by(folder)
    assert {"autoscaler", "botocore"} <= found or folder.name == "answer_stack", "it did import"
    assert found & HEAVY <= ALLOWED.get(folder.name, frozenset())


def test_every_handler_is_looked_at() -> None:
    assert len(HANDLERS) >= 21
