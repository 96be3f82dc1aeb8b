"""An audit that could not look is never taken for a sound one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.supply.audit import FOUND, NOT_AUDITED, audit, main

LOCK = Path("layers/gateway/requirements.txt")


def saying(returncode: int, out: str = "", error: str = ""):
    commands: list[list[str]] = []

    def run(command) -> subprocess.CompletedProcess[str]:
        commands.append(list(command))
        return subprocess.CompletedProcess(command, returncode, out, error)

    return run, commands


@pytest.mark.parametrize(
    ("returncode", "out", "error", "status"),
    [
        (0, "", "No known vulnerabilities found", 0),
        (0, "", "", NOT_AUDITED),
        (1, "", "ERROR: Dependency not found on PyPI and could not be audited: x", NOT_AUDITED),
        (1, "", "requests.exceptions.ConnectionError", NOT_AUDITED),
        (1, "Name Version ID", "Found 2 known vulnerabilities in 1 package", FOUND),
        (127, "", "no such file", NOT_AUDITED),
    ],
)
def test_only_a_clear_answer_counts(returncode: int, out: str, error: str, status: int) -> None:
    run, commands = saying(returncode, out, error)
    assert audit(LOCK, "pip-audit", run).status == status
    assert "--strict" in commands[0], "or what is skipped would count as sound"


def test_what_was_not_audited_is_said_and_ends_badly(capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = saying(1, "", "could not be audited: x")
    assert main("pip-audit", run) == NOT_AUDITED
    assert capsys.readouterr().out.count("NOT AUDITED") == 3
