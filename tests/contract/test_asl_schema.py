"""The check of state machines against AWS's own schema finds what it is there for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-sam" / "bin" / "python"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="`make template` sets .venv-sam up")


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "tools.asl", folder], capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_what_is_no_state_is_found_by_file_and_place(tmp_path: Path) -> None:
    for name in ("sleep_endpoint", "wake_endpoint"):  # of all of them `make template` is the check
        shutil.copy(ROOT / "statemachines" / f"{name}.asl.yaml", tmp_path)
    assert checked(tmp_path).returncode == 0
    wake = tmp_path / "wake_endpoint.asl.yaml"
    wake.write_text(wake.read_text().replace("Type: Choice", "Type: Choise", 1))
    found = checked(tmp_path)
    assert found.returncode == 1
    assert "wake_endpoint.asl.yaml: States/IsCurrent/Type: 'Choise' is not one of" in found.stderr


def test_a_folder_without_machines_is_no_success(tmp_path: Path) -> None:
    assert checked(tmp_path).returncode == 2
