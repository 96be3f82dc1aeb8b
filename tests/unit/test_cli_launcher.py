"""`bin/autoscaler` runs the code beside it, wherever it is called from."""

from __future__ import annotations

import subprocess
from pathlib import Path

LAUNCHER = Path(__file__).parents[2] / "bin" / "autoscaler"


def test_it_runs_from_a_folder_that_has_tools_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "tools"
    own.mkdir()
    (own / "__init__.py").write_text("raise SystemExit('the wrong tools')")
    ran = subprocess.run([LAUNCHER, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "autoscaler [OPTIONS] COMMAND" in ran.stdout
