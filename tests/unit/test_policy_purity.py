"""The policy's ruff.toml refuses what would make it impure; the policy itself passes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "layers" / "autoscaler" / "autoscaler" / "policy"


def banned(code: str) -> str:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise"]
    name = str(POLICY / "example.py")
    done = subprocess.run(
        [*command, "--select", "TID251", "--stdin-filename", name, "-"],
        input=code,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import boto3\n",
        "from botocore.config import Config\n",
        "import os\nprint(os.environ)\n",
        "from time import time\ntime()\n",
        "from datetime import datetime, UTC\ndatetime.now(UTC)\n",
        "import random\n",
    ],
)
def test_impure_code_is_refused(code: str) -> None:
    assert "TID251" in banned(code)


def test_pure_code_passes() -> None:
    assert "TID251" not in banned("from datetime import datetime, UTC\ndatetime(2026, 1, 1)\n")
