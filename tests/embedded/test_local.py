"""`autoscaler local up` and `down`: one account in the background, and nobody else's process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner, Result

from tools.cli import local as local_commands
from tools.cli.app import app
from tools.cli.demo import run as demo
from tools.embedded import daemon, process_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(local_commands, "STATE", tmp_path)
    return tmp_path


@pytest.fixture
def stranger() -> Iterator[psutil.Process]:
    """A process that is none of ours."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["local", *arguments])


def test_up_prints_what_a_shell_evaluates_and_again_while_it_runs(
    state: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("up", "--speed", "30")
    try:
        assert first.exit_code == 0, first.stderr
        shell = subprocess.run(
            ["sh", "-ec", 'eval "$1"; exec env', "sh", first.stdout],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        told = dict(line.split("=", 1) for line in shell.stdout.splitlines())
        url = told["AWS_ENDPOINT_URL"]
        assert url in first.stderr
        assert told["AWS_REGION"] == told["AWS_DEFAULT_REGION"] == "us-east-1"
        for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID"):
            monkeypatch.setenv(name, told[name])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", told["AWS_SECRET_ACCESS_KEY"])
        got = CliRunner().invoke(app, ["get"])
        assert "no endpoints yet" in got.stdout, got.stderr

        again = run("up", "--speed", "50")
        assert (again.exit_code, again.stdout) == (0, first.stdout)
        assert "runs already" in again.stderr
        assert run("status").stdout.startswith("running at 30×")

        monkeypatch.setattr(local_commands, "STATE", tmp_path_factory.mktemp("second"))
        port = url.rpartition(":")[2]
        taken = run("up", "--port", port)
        assert (taken.exit_code, taken.stdout) == (1, "")
        assert taken.stderr == (
            f"the account did not start: port {port} cannot be used: Address already in use\n"
        )
        monkeypatch.setattr(local_commands, "STATE", state)
        process = process_file.running(state / "pid")
        assert process is not None
        family = [process, *process.children(recursive=True)]
    finally:
        down = run("down")
    assert down.stdout == "stopped\n"
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert not (state / "pid").exists()
    assert not (state / "ready.json").exists()
    assert run("down").stdout == "nothing was running\n"


@pytest.mark.parametrize("speed", ["0", "-5", "nan", "inf"])
def test_a_speed_that_is_none_is_refused(state: Path, speed: str) -> None:
    ran = run("up", "--speed", speed)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"--speed: {speed} is not a number above 0")
    assert len(ran.stderr.splitlines()) == 1
    assert list(state.iterdir()) == []


def write_of(process: psutil.Process, kind: str) -> str:
    """A file that names a process, left behind by another whose number it has now."""
    if kind == "only a number":
        return str(process.pid)
    return json.dumps({"pid": process.pid, "started": process.create_time() - 60})


@pytest.mark.parametrize("kind", ["only a number", "started earlier"])
def test_a_number_that_is_used_again_is_not_stopped(
    state: Path, stranger: psutil.Process, kind: str
) -> None:
    (state / "pid").write_text(write_of(stranger, kind))
    (state / "ready.json").write_text('{"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}')
    assert daemon.status(state) is None
    (state / "pid").write_text(write_of(stranger, kind))
    assert run("down").stdout == "nothing was running\n"
    assert stranger.is_running()
    assert stranger.status() != psutil.STATUS_ZOMBIE
    assert list(state.iterdir()) == []


def test_a_process_is_known_by_its_number_and_its_start(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    assert process_file.running(path) is None
    process_file.record(path)
    found = process_file.running(path)
    assert found is not None
    assert found.pid == os.getpid()
    process_file.forget(path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_process_is_not_forgotten(
    tmp_path: Path, stranger: psutil.Process
) -> None:
    path = tmp_path / "pid"
    path.write_text(json.dumps({"pid": stranger.pid, "started": stranger.create_time()}))
    process_file.forget(path)
    assert path.exists()


def test_a_demo_is_not_kept_out_by_the_number_of_a_stranger(
    tmp_path: Path, stranger: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Began(Exception):
        pass

    def begin(*_: object) -> int:
        raise Began

    monkeypatch.setattr(demo, "FOLDER", tmp_path / "demo")
    monkeypatch.setattr(demo, "_in_an_account", begin)
    (tmp_path / "demo").mkdir()
    named = tmp_path / "demo" / "pid"
    named.write_text(json.dumps({"pid": stranger.pid, "started": stranger.create_time()}))
    assert demo.run_demo(None) == 1
    named.write_text(write_of(stranger, "only a number"))
    with pytest.raises(Began):
        demo.run_demo(None)
    assert not named.exists()


STOP = """
import os, pathlib, sys
from tools.embedded.daemon import DaemonError, stop
if os.geteuid() == 0:
    os.setuid(65534)
try:
    stop(pathlib.Path(sys.argv[1]))
except DaemonError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users as POSIX has them")
def test_an_account_of_another_user_is_left_to_them(stranger: psutil.Process) -> None:
    theirs = stranger if os.geteuid() == 0 else psutil.Process(1)
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        named = {"pid": theirs.pid, "started": theirs.create_time()}
        (folder / "pid").write_text(json.dumps(named))
        ran = subprocess.run(
            [sys.executable, "-c", STOP, str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(folder)
    assert ran.stderr == ""
    assert ran.stdout == (
        f"the account runs as another user (process {theirs.pid}): only they can stop it\n"
    )
    assert theirs.is_running()
