"""Handlers do without awscrt, and whoever needs it has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SAYS = "import sys; print(sorted(one for one in sys.modules if one.partition('.')[0] == 'awscrt'))"


@pytest.mark.parametrize(
    ("code", "there"),
    [
        (f"import autoscaler.aws.clients; {_SAYS}", False),
        (f"import botocore.session; {_SAYS}", True),  # else this says nothing
        (f"import botocore.session; import autoscaler.aws.clients; {_SAYS}", True),
        (
            "import autoscaler.aws.clients\n"
            "from autoscaler.staging.digests import crc64nvme\n"
            f"assert crc64nvme(memoryview(b'123456789')) == 0xae8b14860a799888\n{_SAYS}",
            True,
        ),
    ],
)
def test_botocore_takes_it_in_only_where_somebody_else_has(code: str, there: bool) -> None:
    path = str(Path(__file__).parents[2] / "layers" / "autoscaler")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    assert ("awscrt" in done.stdout) is there
