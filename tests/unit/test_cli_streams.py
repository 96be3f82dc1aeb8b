"""Standard input that is closed, output of few letters, and a full disk: a line, no traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.cli_stub import ENDPOINT, GOOD, Stub
from tools.cli import ROOT


def _run(*command: str, **given: Any) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "autoscaler")))
    environment = {**os.environ, "PYTHONPATH": path, **given.pop("env", {})}
    line = [sys.executable, "-m", "tools.cli", *command]
    return subprocess.run(
        line, env=environment, stderr=subprocess.PIPE, text=True, timeout=60, check=False, **given
    )  # fmt: skip


def _closes_input() -> None:
    os.close(0)


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (("ask", "llama", "--file", "-"), 2, "standard input: is not JSON"),
        (("delete", "llama"), 1, "Aborted"),
    ],
)
def test_a_closed_standard_input_is_an_empty_one(
    command: tuple[str, ...], status: int, said: str
) -> None:
    ran = _run(*command, preexec_fn=_closes_input, stdout=subprocess.PIPE)
    assert (ran.returncode, "Traceback" in ran.stderr) == (status, False), ran.stderr
    assert said in ran.stderr


def test_a_letter_that_the_output_cannot_hold_is_no_failure(stack: Stub) -> None:
    stack.answer = {"ok": True, "result": {"endpoints": [{**ENDPOINT, "failure": "23 – 29"}]}}
    few = {"PYTHONIOENCODING": "latin-1"}
    ran = _run("get", "llama", env=few, stdout=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "23 \\u2013 29" in ran.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("option", [(), ("--json",)], ids=["for people", "as JSON"])
def test_a_full_disk_is_one_line(stack: Stub, option: tuple[str, ...]) -> None:
    stack.answer = {"ok": True, "result": {"endpoints": [ENDPOINT]}}
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ran = _run("get", "llama", *option, stdout=full)
    why = os.strerror(errno.ENOSPC)
    assert ran.stderr == f"the output cannot be written: {why}; what was done stays done\n"
    assert ran.returncode == 1


def test_a_file_that_is_far_too_large_is_refused_before_it_is_read_as_yaml(
    stack: Stub, tmp_path: Any
) -> None:
    place = tmp_path / "huge.yaml"
    place.write_text(GOOD + "tags:\n" + "".join(f"  k{n}: v\n" for n in range(60_000)))
    ran = stack.run("apply", str(place))
    assert ran.exit_code == 2 and not stack.sent
    assert ran.stderr == f"{place}: has more than 400,000 characters; no endpoint file has\n"
