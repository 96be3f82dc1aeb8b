"""The main job, end to end, in under 90 seconds; every number is read off the account."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tools.cli import ROOT, output
from tools.cli.app import fetch_report
from tools.cli.client import RefusedError
from tools.cli.demo.display import ZONE, Display, sparkline
from tools.cli.demo.promises import Promise, show
from tools.cli.demo.replay import Replay
from tools.cli.demo.stage import Seen, Stage
from tools.cli.demo.trace import Arrival, first_of, generated
from tools.embedded.kernel.account import Account
from tools.hub.repository import make_repository
from tools.hub.server import HubServer
from tools.receiver import SlackReceiver

FOLDER = ROOT / ".demo"
SPEC = ROOT / "endpoints" / "deepseek-r1-distill-llama-8b.yaml"
START = datetime(2026, 11, 24, 7, 0, tzinfo=ZONE)  # a Tuesday, an hour before the peak window
SPEED = 60.0
IDLE_SPEED = 150.0  # while nothing is measured but the passing of a keep-alive
TRACE_MINUTES, MOST_REQUESTS = 5.0, 400
SHARD_BYTES = 8 << 20
PEAK_OPENS = START.replace(hour=8)
PEAK_CLOSES = START.replace(hour=18)
MORNING = (START + timedelta(days=1)).replace(hour=6)
WAKE_SECONDS = 2.0  # of the wall; the first handler of its kind has to start first
LEDGER_SHARE = 0.05
_PATIENCE_SECONDS = 45


class DemoError(Exception):
    """The demo could not go on; says what it waited for."""


def run_demo(trace: Path | None) -> int:
    """Returns the exit status: 0 only if every promise held."""
    try:
        arrivals = first_of(trace, TRACE_MINUTES, MOST_REQUESTS) if trace else generated()
    except RefusedError as refused:
        output.errors.print(str(refused), style="red", markup=False, soft_wrap=True)
        return refused.exit_code
    # A shell that starts this in the background would have Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if (running := _running()) is not None:
        output.errors.print(f"a demo is running already (process {running})", style="red")
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    (FOLDER / "pid").write_text(str(os.getpid()))
    spec = yaml.safe_load(SPEC.read_text())
    repository = make_repository(spec["model"]["id"], shard_bytes=SHARD_BYTES)
    began = time.monotonic()
    try:
        with (
            HubServer([repository]) as hub,
            SlackReceiver() as slack,
            Account(FOLDER / "account", start=START.astimezone(UTC), speed=SPEED) as account,
        ):
            stage = Stage(account, hub, slack, spec["name"], FOLDER)
            return _play(stage, spec, arrivals, trace, began)
    except KeyboardInterrupt:
        output.errors.print("interrupted; everything is stopped")
        return 130
    finally:
        (FOLDER / "pid").unlink(missing_ok=True)


def _running() -> int | None:
    """The process of another demo in this folder; two would pull the clock from each other."""
    try:
        pid = int((FOLDER / "pid").read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid


def _play(
    stage: Stage, spec: Any, arrivals: Sequence[Arrival], trace: Path | None, began: float
) -> int:
    try:
        with Display(output.console) as display:
            demo = _Demo(stage, display, arrivals)
            demo.deploy(spec)
            demo.fall_asleep()
            demo.serve(trace)
            demo.pass_the_peak()
            demo.sleep_again()
            demo.pass_the_night()
            demo.report()
    except DemoError as failed:
        output.errors.print(f"the demo stopped: {failed}", style="red", markup=False)
        for line in stage.trouble():
            output.errors.print(line, markup=False, highlight=False, soft_wrap=True)
        return 1
    held = show(output.console, demo.promises())
    output.console.print(
        f"Took {time.monotonic() - began:.0f} s on this machine; the account's clock ran "
        f"{SPEED:.0f}× faster ({IDLE_SPEED:.0f}× in keep-alives), and jumped over the quiet hours "
        "of the day and the night."
    )
    output.console.print(f"The cost report: {FOLDER / 'report' / 'costs.html'}", soft_wrap=True)
    if not held:
        for line in stage.trouble():
            output.errors.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0 if held else 1


class _Demo:
    """The acts, in order; what they measured is kept for the promises."""

    def __init__(self, stage: Stage, display: Display, arrivals: Sequence[Arrival]) -> None:
        self._stage = stage
        self._display = display
        self._replay = Replay(stage, arrivals)
        self._first_zero: Seen | None = None
        self._second_zero: Seen | None = None
        self._peak: list[Seen] = []
        self._report: dict[str, Any] = {}

    def deploy(self, spec: Any) -> None:
        stage, clock = self._stage, self._stage.account.clock
        self._display.step("deploy template.yaml", clock.now())
        outputs = stage.account.deploy(
            ROOT / "template.yaml",
            parameters={"DefaultTimeZone": "Europe/Berlin", "HubEndpoint": stage.hub.endpoint},
        )
        stage.account.boto("secretsmanager").put_secret_value(
            SecretId=outputs["SlackSecretName"], SecretString=stage.slack.url
        )
        self._display.done(f"{len(stage.account.engine.stacks['autoscaler'].order)} resources")
        self._display.step(f"apply {SPEC.name}", clock.now())
        stage.client.command("apply", document=spec)
        self._display.done("accepted")
        self._display.step("stage the weights from the Hub", clock.now())
        self._until(lambda seen: seen.phase != "STAGING", "the weights to be staged")
        self._display.done("sealed with a passport")
        self._display.step("create the endpoint and prove it with an answer", clock.now())
        seen = self._until(lambda seen: seen.phase == "AWAKE", "the endpoint to answer")
        self._display.done(f"{seen.copies} copy on {seen.instances} instance")

    def fall_asleep(self) -> None:
        self._display.step("nobody asks: keep-alive, then to zero", self._stage.account.clock.now())
        self._first_zero = self._to_zero()
        self._display.done(f"zero instances seen at {_local(self._first_zero.at)}")

    def serve(self, trace: Path | None) -> None:
        clock = self._stage.account.clock
        clock.set_speed(SPEED)
        name = trace.name if trace else "a generated trace"
        self._display.step(f"replay {len(self._replay.arrivals)} requests of {name}", clock.now())
        self._replay.start()
        self._until(
            lambda seen: self._replay.finished and self._stage.answered() >= self._replay.sent,
            "all answers",
        )
        self._display.done(f"woke, {self._stage.answered()} answers stored")

    def pass_the_peak(self) -> None:
        clock = self._stage.account.clock
        self._display.step("the peak window opens at 08:00", clock.now())
        clock.set_speed(IDLE_SPEED)
        self._until(lambda seen: seen.at >= PEAK_OPENS, "08:00")
        clock.set_speed(SPEED)
        self._peak.append(self._stage.seen[-1])
        self._display.done(f"{self._peak[0].copies} copies in service at 08:00")
        self._display.step("the quiet day, an hour at a leap", clock.now())
        last = PEAK_CLOSES - timedelta(minutes=2)
        while (left := last - clock.now()) > timedelta(0):
            self._leap(min(timedelta(hours=1), left))
            self._peak.append(self._stage.seen[-1])
        fewest = min(seen.copies for seen in self._peak)
        self._display.done(f"never fewer than {fewest} copies at any look")

    def sleep_again(self) -> None:
        self._display.step("off-peak at 18:00: to zero again", self._stage.account.clock.now())
        self._second_zero = self._to_zero()
        self._display.done(f"zero instances seen at {_local(self._second_zero.at)}")

    def pass_the_night(self) -> None:
        clock = self._stage.account.clock
        self._display.step("the night, two hours at a leap", clock.now())
        while clock.now() < MORNING:
            self._leap(timedelta(hours=2))
        self._display.done(f"{self._stage.seen[-1].instances} instances at {_local(clock.now())}")

    def report(self) -> None:
        clock = self._stage.account.clock
        self._display.step("write the cost report", clock.now())
        self._report = self._stage.client.invoke("ReportFunctionName", {"period": "all"})
        fetch_report(self._stage.client, self._report, FOLDER / "report")
        end = time.monotonic() + 10
        while not any("report" in t.lower() for t in self._titles()) and time.monotonic() < end:
            time.sleep(0.1)
        self._display.done(f"{len(self._stage.slack.messages)} Slack messages")

    def promises(self) -> list[Promise]:
        """Each row from what was read off the account."""
        replay, stage = self._replay, self._stage
        results = stage.results()
        lost, wrong = replay.compare(results)
        probes = len(stage.executions("deploy-endpoint")) + len(stage.executions("wake-endpoint"))
        asked = stage.account.sagemaker.invocations - probes
        cost, baseline = float(self._report["cost_usd"]), float(self._report["baseline_usd"])
        price = 2.61  # ml.g6e.xlarge, layers/autoscaler/autoscaler/catalog/data/instances.csv
        truth = stage.billed_seconds() / 3600 * price
        wake = replay.seconds_to_wake()
        assert self._first_zero is not None
        assert self._second_zero is not None
        return [
            Promise(
                "every request is answered, whole, once",
                f"sent {replay.sent}, answered {len(results)}, lost {lost}, incomplete {wrong}, "
                f"refused {stage.dead_letters()}, model asked {asked} times",
                lost == 0 and wrong == 0 and asked == replay.sent and stage.dead_letters() == 0,
            ),
            Promise(
                f"the first message asks for the wake within {WAKE_SECONDS:.0f} s",
                f"{wake:.2f} s (wall clock; code is not accelerated)",
                wake <= WAKE_SECONDS,
            ),
            Promise(
                "a sleep ends at zero instances",
                f"seen at {_local(self._first_zero.at)} and {_local(self._second_zero.at)}",
                self._first_zero.instances == 0 and self._second_zero.instances == 0,
            ),
            Promise(
                "in the peak window at least 1 copy serves, from its first minute",
                f"{self._peak[0].copies} at 08:00, at least "
                f"{min(seen.copies for seen in self._peak)} in {len(self._peak)} looks",
                min(seen.copies for seen in self._peak) >= 1,
            ),
            Promise(
                "copies follow demand",
                sparkline([seen.copies for seen in stage.seen], 48)
                + f" most {max(seen.copies for seen in stage.seen)}",
                0 < max(seen.copies for seen in stage.seen) <= 4,
            ),
            Promise(
                f"the ledger agrees with SageMaker's books within {LEDGER_SHARE:.0%}",
                f"ledger ${cost:.2f}, SageMaker ${truth:.2f} ({cost / truth - 1:+.1%})",
                abs(cost / truth - 1) <= LEDGER_SHARE,
            ),
            Promise(
                "dollars are saved against one copy always on",
                f"${baseline - cost:.2f} of ${baseline:.2f} ({1 - cost / baseline:.0%})",
                baseline > cost,
            ),
            Promise(
                "Slack hears of it",
                ", ".join(sorted(set(self._titles()))),
                len(stage.slack.messages) >= 5 and not stage.slack.rejected,
            ),
        ]

    def _to_zero(self) -> Seen:
        self._stage.account.clock.set_speed(IDLE_SPEED)
        seen = self._until(
            lambda seen: seen.phase == "ASLEEP" and seen.instances == 0, "zero instances"
        )
        self._stage.account.clock.set_speed(SPEED)
        return seen

    def _leap(self, duration: timedelta) -> None:
        self._stage.account.clock.jump(duration.total_seconds())
        time.sleep(0.4)  # a tick, and what it starts
        self._look()

    def _until(self, reached: Callable[[Seen], bool], what: str) -> Seen:
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            seen = self._look()
            if reached(seen):
                return seen
            if seen.phase == "FAILED":
                raise DemoError(f"while waiting for {what}: {seen.failure}")
            time.sleep(0.15)
        raise DemoError(f"waited {_PATIENCE_SECONDS} s for {what}")

    def _look(self) -> Seen:
        seen = self._stage.look()
        answered = self._stage.answered() if self._replay.sent else 0
        self._display.show(seen, self._replay.sent, answered, self._titles())
        return seen

    def _titles(self) -> list[str]:
        return self._stage.slack.titles()


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(ZONE):%H:%M}"
