"""The main job, end to end, in under 90 seconds; every number is read off the account."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from tools.cli import ROOT, output
from tools.cli.client import CliError, RefusedError
from tools.cli.demo.acts import BURST_SPEED, IDLE_SPEED, SPEED, START, Acts, DemoError
from tools.cli.demo.display import Display
from tools.cli.demo.promises import promises, show
from tools.cli.demo.stage import Stage
from tools.cli.demo.trace import Trace, first_of, generated
from tools.embedded import process_file
from tools.embedded.kernel.account import Account
from tools.embedded.kernel.intrinsics import TemplateError
from tools.hub.real import real_repository
from tools.hub.repository import make_repository
from tools.hub.server import HubServer
from tools.receiver import SlackReceiver

FOLDER = ROOT / ".demo"
SPEC = ROOT / "endpoints" / "deepseek-r1-distill-llama-8b.yaml"
TRACE_MINUTES, MOST_REQUESTS = 5.0, 400
SHARD_BYTES = 8 << 20
_INTERRUPTED = 130  # as a shell says of SIGINT


def run_demo(path: Path | None, *, keep: bool = False) -> int:
    """Returns the exit status: 0 only if every promise held."""
    try:
        trace = first_of(path, TRACE_MINUTES, MOST_REQUESTS) if path else generated()
    except RefusedError as refused:
        output.errors.print(str(refused), style="red", markup=False, soft_wrap=True)
        return refused.exit_code
    # Two in this folder would pull the clock from each other.
    if (running := process_file.running(FOLDER / "pid")) is not None:
        output.errors.print(f"a demo is running already (process {running.pid})", style="red")
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    process_file.record(FOLDER / "pid")
    try:
        with _interrupted_by(signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            return _in_an_account(trace, keep)
    except KeyboardInterrupt:
        output.errors.print("interrupted; everything is stopped")
        return _INTERRUPTED
    finally:
        process_file.forget(FOLDER / "pid")


def _in_an_account(trace: Trace, keep: bool) -> int:
    document = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    repository = make_repository(document["model"]["id"], shard_bytes=SHARD_BYTES)
    began = time.monotonic()
    with (
        HubServer([repository, real_repository()]) as hub,
        SlackReceiver() as slack,
        Account(FOLDER / "account", start=START.astimezone(UTC), speed=SPEED) as account,
        _undisturbed_end(),
    ):
        stage = Stage(account, hub, slack, document["name"], FOLDER)
        status = _play(stage, document, trace, began)
        if keep:
            _stay(account)
        return status


def _play(stage: Stage, document: Any, trace: Trace, began: float) -> int:
    try:
        with Display(output.console) as display:
            acts = Acts(stage, display, trace, document)
            acts.play()
        rows = promises(acts)
    except (DemoError, CliError, TemplateError, BotoCoreError, ClientError) as failed:
        output.errors.print(
            f"the demo stopped: {failed}", style="red", markup=False, soft_wrap=True
        )
        _tell_trouble(stage)
        return 1
    held = show(output.console, rows)
    output.console.print(
        f"Took {time.monotonic() - began:.0f} s on this machine; the account's clock ran "
        f"{SPEED:.0f}× faster ({IDLE_SPEED:.0f}× in keep-alives, {BURST_SPEED:.0f}× in a burst, 1× "
        "for the first message), and leapt over the quiet hours of the day and the night with a "
        "few ticks at each stop.",
        highlight=False,
        soft_wrap=True,
    )
    output.console.print(f"The cost report: {FOLDER / 'report' / 'costs.html'}", soft_wrap=True)
    if not held:
        broken = ", ".join(row.promised for row in rows if not row.held)
        output.errors.print(f"broken: {broken}", style="red", markup=False, soft_wrap=True)
        _tell_trouble(stage)
    return 0 if held else 1


def _tell_trouble(stage: Stage) -> None:
    for line in stage.trouble():
        output.errors.print(line, markup=False, highlight=False, soft_wrap=True)


def _stay(account: Account) -> None:
    """Until Ctrl-C, so that a person can look around in the account."""
    account.clock.set_speed(1.0)
    output.console.print("The account stays until Ctrl-C. To look around in it:")
    for name, value in account.environment().items():
        output.console.print(f"export {name}={value}", highlight=False, soft_wrap=True)
    threading.Event().wait()


@contextmanager
def _interrupted_by(*numbers: signal.Signals) -> Iterator[None]:
    """These signals end the demo as Ctrl-C does.

    SIGINT is among them: a shell that starts this in the background has it ignored.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed_end() -> Iterator[None]:
    """A second Ctrl-C must not stop what the first one began: everything is being stopped."""
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
