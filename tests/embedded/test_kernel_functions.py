"""Functions in processes of their own, with the time, memory and environment they are given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.embedded.kernel_lab import (
    FUNCTIONS,
    ROOT,
    START,
    function,
    invoke,
    template,
)
from tests.embedded.stack import no_role_was_denied
from tools.embedded.kernel.account import Account
from tools.embedded.kernel.processes import Launcher, Process, launcher
from tools.embedded.kernel.zygote import OF_THE_LAYER, PACKAGE, PRELOADED

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each starts from zero")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("account")
    with Account(folder, start=START, speed=600) as running:
        running.deploy(template(folder, FUNCTIONS), "functions")
        yield running
        no_role_was_denied(running)


def test_a_function_gets_its_event(account: Account) -> None:
    answer, error = invoke(account, "one", {"text": 'say "hé"'})
    assert error is None
    assert answer["event"] == {"text": 'say "hé"'}


def test_a_function_sees_its_own_environment_and_not_ours(account: Account, monkeypatch) -> None:
    monkeypatch.setenv("OURS", "alone")
    seen = invoke(account, "one")[0]["environ"]
    assert seen["GREETING"] == "hello"
    assert seen["TABLE"] == "functions"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "one"
    assert seen["AWS_ENDPOINT_URL"] == account.endpoint_url
    assert seen["AWS_SESSION_TOKEN"]
    assert "OURS" not in seen
    assert "GREETING" not in invoke(account, "two")[0]["environ"]


def test_each_function_has_a_process_of_its_own_and_keeps_it(account: Account) -> None:
    one, two = (invoke(account, name)[0]["pid"] for name in ("one", "two"))
    assert len({one, two, os.getpid()}) == 3
    assert invoke(account, "one")[0]["pid"] == one


def test_time_inside_a_function_is_the_account_s(account: Account) -> None:
    account.clock.jump(86_400)
    before = account.clock.time()
    assert before <= invoke(account, "one")[0]["time"] <= account.clock.time()


def test_a_function_that_takes_too_long_is_ended_and_starts_anew(account: Account) -> None:
    for _ in range(2):
        began = time.monotonic()
        answer, error = invoke(account, "sleeper")
        assert error == "Unhandled"
        assert "Task timed out after 1.00 seconds" in answer["errorMessage"]
        assert time.monotonic() - began < 10


def test_an_environment_that_was_ended_is_not_handed_out_again(account: Account) -> None:
    """A killed process stays listed for a moment, the longer the more memory it has to free."""

    def twice(_number: int) -> tuple[str, Any]:
        ended = invoke(account, "napper", {"mib": 300, "seconds": 5})[0]["errorType"]
        return ended, invoke(account, "napper", {"mib": 1, "seconds": 0})

    with ThreadPoolExecutor(3) as pool:
        rounds = list(pool.map(twice, range(12)))
    assert rounds == [("Sandbox.Timedout", (None, None))] * 12


def test_an_exception_is_told_by_type_and_message(account: Account) -> None:
    answer, error = invoke(account, "failing")
    assert error == "Unhandled"
    assert answer["errorType"] == "KeyError"
    assert "nothing here" in answer["errorMessage"]
    assert answer["stackTrace"]


def test_a_process_that_ends_in_its_work_is_told(account: Account) -> None:
    answer, error = invoke(account, "leaving")
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ExitError"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the libraries count as well")
def test_a_function_has_the_memory_of_its_template_and_no_more(account: Account) -> None:
    assert invoke(account, "growing", 64) == (64 * 2**20, None)
    answer, error = invoke(account, "growing", 200)
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.OutOfMemory"
    assert "above its 128 MB" in answer["errorMessage"]
    assert invoke(account, "growing", 64) == (64 * 2**20, None), "the next has a fresh process"


def test_a_function_that_is_not_there_is_not_found(account: Account) -> None:
    with pytest.raises(account.boto("lambda").exceptions.ResourceNotFoundException):
        invoke(account, "nobody")


def layered(folder: Path, says: str, does: str = "") -> dict[str, Any]:
    """A function and its layer, of which one module is among those that are imported beforehand."""
    module = folder / "layer" / Path(*OF_THE_LAYER[0].split(".")).with_suffix(".py")
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(f"import os\nSAYS, IMPORTED_BY = {says!r}, os.getpid()\n{does}\n")
    (folder / "layered").mkdir(exist_ok=True)
    (folder / "layered" / "app.py").write_text(
        f"import os\nfrom {OF_THE_LAYER[0]} import IMPORTED_BY, SAYS\n"
        "def handler(event, context):\n    return [SAYS, IMPORTED_BY != os.getpid()]\n"
    )
    return {
        "Role": FUNCTIONS["Role"],
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layer"}},
        "Layered": function(
            "app.handler", CodeUri="layered", FunctionName="layered", Layers=[{"Ref": "Layer"}]
        ),
    }


@linux
def test_a_layer_is_imported_beforehand_and_anew_when_it_changed(tmp_path: Path) -> None:
    with Account(tmp_path / "account", start=START, speed=600) as account:
        account.deploy(template(tmp_path, layered(tmp_path, "first")), "functions")
        assert invoke(account, "layered") == (["first", True], None)
        layered(tmp_path, "second")
        account.runtime.change_environment("layered", ANOTHER="environment")
        assert invoke(account, "layered") == (["second", True], None)
        layered(tmp_path, "third", "raise OSError('not today')")
        account.runtime.change_environment("layered", ANOTHER="one more")
        answer, error = invoke(account, "layered")
        assert (error, answer["errorMessage"]) == ("Unhandled", "not today")


IMPORTED = f"""
import importlib, json, os, sys, time

for name in {PRELOADED}:
    importlib.import_module(name)
asked, read = [], os._Environ.__getitem__
os._Environ.__getitem__ = lambda self, name: asked.append(name) or read(self, name)
time.time = lambda: asked.append("the time") or 0.0
for name in {OF_THE_LAYER}:
    importlib.import_module(name)
print(json.dumps([list(sys.modules), asked]))
"""


def test_what_is_imported_beforehand_reads_neither_environment_nor_time() -> None:
    """`runtime` and `aws` may: they log, and make clients."""
    environ = {"PYTHONPATH": str(ROOT / "layers" / "autoscaler")}
    told = subprocess.run(
        [sys.executable, "-c", IMPORTED], env=environ, capture_output=True, text=True, check=True
    )
    modules, asked = json.loads(told.stdout)
    ours = {name for name in modules if name.startswith(f"{PACKAGE}.")}
    assert ours >= set(OF_THE_LAYER)
    assert not {name for name in ours if name.split(".")[1] in ("runtime", "aws", "gateway")}
    assert {name for name in asked if not name.startswith("PYDANTIC_")} == set()


def launch(share: Launcher, folder: Path) -> Process:
    """A handler that finds no runtime API, of a layer as `layered` makes one."""
    return share.launch(
        {
            "PYTHONPATH": str(folder / "layer"),
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
            "LAMBDA_TASK_ROOT": str(folder),
            "_HANDLER": "app.handler",
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
        }
    )


@linux
def test_the_output_of_each_handler_ends_with_it(tmp_path: Path) -> None:
    layered(tmp_path, "something")
    share = launcher()
    for started in [launch(share, tmp_path), launch(share, tmp_path)]:
        started.kill()
        reading = threading.Thread(target=started.output.read, daemon=True)
        reading.start()
        reading.join(30)
        assert not reading.is_alive(), "somebody else holds it open"
    share.close()
    with pytest.raises(RuntimeError, match="was stopped"):
        launch(share, tmp_path)


@linux
@pytest.mark.parametrize("whole", [True, False], ids=["all of it", "the forks that have a layer"])
def test_what_handlers_are_forked_from_is_started_anew(tmp_path: Path, whole: bool) -> None:
    with Account(tmp_path / "account", start=START, speed=600) as account:
        account.deploy(template(tmp_path, layered(tmp_path, "something")), "functions")
        assert invoke(account, "layered") == (["something", True], None)
        [zygote] = [p for p in psutil.Process().children() if "zygote.py" in " ".join(p.cmdline())]
        ended = [zygote] if whole else zygote.children()
        for process in ended:
            process.kill()
        assert psutil.wait_procs(ended, timeout=5)[1] == []
        account.runtime.change_environment("layered", ANOTHER="environment")
        assert invoke(account, "layered") == (["something", True], None)
        assert zygote.is_running() is not whole, "others' handlers end with it"


STOPPED = """
import json, pathlib, sys, time
import psutil
from tools.embedded.kernel.account import Account

with Account(pathlib.Path(sys.argv[1])) as account:
    account.deploy(pathlib.Path(sys.argv[2]), "functions")
    for name in ("one", "two"):
        account.boto("lambda").invoke(FunctionName=name)
    ours = psutil.Process().children(recursive=True)
_, alive = psutil.wait_procs(ours, timeout=5)
print(json.dumps([len(ours), [one.pid for one in alive]]))
"""


def test_a_stopped_account_leaves_no_process_behind(tmp_path: Path) -> None:
    path = template(tmp_path, {name: FUNCTIONS[name] for name in ("Role", "One", "Two")})
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(tmp_path / "state"), str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    started, alive = json.loads(done.stdout.splitlines()[-1])
    assert started >= 2
    assert alive == []
