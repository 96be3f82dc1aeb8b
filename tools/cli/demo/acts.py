"""The acts of the demo, in order; what they measured is kept in `Facts` for the promises."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tools.cli import ROOT
from tools.cli.demo.display import ZONE, Display
from tools.cli.demo.replay import Replay, WakeSeen
from tools.cli.demo.stage import STACK, Seen, Stage
from tools.cli.demo.trace import Trace
from tools.cli.report_command import fetch_report
from tools.hub.real import REAL_MODEL

START = datetime(2026, 11, 24, 6, 30, tzinfo=ZONE)  # a Tuesday, well before the peak window
SPEED = 60.0
IDLE_SPEED = 150.0  # while nothing is measured but the passing of a keep-alive
# While a burst is answered. What the functions do is not accelerated: at 60× a third of a second
# between two batches is 20 s in which a copy has less to do than it could, and what scales copies
# sees no burst.
BURST_SPEED = 20.0
PEAK_OPENS = START.replace(hour=8, minute=0)
PREWARM_FROM = PEAK_OPENS - timedelta(minutes=14)
PEAK_CLOSES = START.replace(hour=18, minute=0)
MORNING = (START + timedelta(days=1)).replace(hour=6, minute=0)
_LOOK_SECONDS = 0.15
_TICK_SECONDS = 0.5  # of the wall: a tick, and what it starts
_SMALL_LEAP_SECONDS, _SMALL_LEAP_WALL_SECONDS = 5.0, 0.25
_PATIENCE_SECONDS = 120
_SETTLE_SECONDS = 15
_REPORT_SECONDS = 10


class DemoError(Exception):
    """The demo could not go on; says what it waited for."""


@dataclass
class Facts:
    """What was read off the account."""

    applied_at: datetime = START
    reported_at: datetime = START
    wake: WakeSeen | None = None
    zeros: list[Seen] = field(default_factory=list)
    peak: list[Seen] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    real: dict[str, Any] = field(default_factory=dict)


class Acts:
    """Each method is one act; together they are the main job."""

    def __init__(self, stage: Stage, display: Display, trace: Trace, document: Any) -> None:
        self.stage, self.trace, self.document = stage, trace, document
        self.replay = Replay(stage, trace)
        self.facts = Facts()
        self._display = display
        self._clock = stage.account.clock

    def play(self) -> None:
        """All of them. Raises DemoError, or what the account or the command line raised."""
        self._deploy()
        self._stage_a_real_model()
        self._apply()
        self._fall_asleep()
        self._wake()
        self._serve()
        self._pass_the_peak()
        self._sleep_again()
        self._pass_the_night()
        self._report()

    def _deploy(self) -> None:
        self._begin("deploy template.yaml")
        account = self.stage.account
        outputs = account.deploy(
            ROOT / "template.yaml",
            stack=STACK,
            parameters={
                "DefaultTimeZone": "Europe/Berlin",
                "HubEndpoint": self.stage.hub.endpoint,
            },
        )
        # Nothing is held to be grouped: who watches wants to see it now.
        secret = {"url": self.stage.slack.url, "group_seconds": 0}
        account.boto("secretsmanager").put_secret_value(
            SecretId=outputs["SlackSecretName"], SecretString=json.dumps(secret)
        )
        self._display.done(f"{len(account.engine.stacks[STACK].order)} resources")

    def _stage_a_real_model(self) -> None:
        """Real files, at the wall's speed, by the stack's own state machine."""
        self._begin(f"stage the real {REAL_MODEL} through stage_weights")
        self._clock.set_speed(1.0)
        self.facts.real = real = self.stage.stage_model(REAL_MODEL)
        self._clock.set_speed(SPEED)
        megabytes = real.get("moved_bytes", 0) / 1e6
        self._display.done(f"{real.get('file_count', 0)} files, {megabytes:.0f} MB, sealed")

    def _apply(self) -> None:
        self._begin(f"apply endpoints/{self.stage.name}.yaml")
        self.facts.applied_at = self._clock.now()
        self.stage.client.command("apply", document=self.document)
        self._display.done("accepted")
        self._begin("stage the weights from the Hub")
        self._until(lambda seen: seen.phase != "STAGING", "the weights to be staged")
        self._display.done("sealed with a passport")
        self._begin("create the endpoint and prove it with an answer")
        seen = self._until(lambda seen: seen.phase == "AWAKE", "the endpoint to answer")
        self._display.done(f"{counted(seen.copies, 'copy')} on {seen.instances} instance")

    def _fall_asleep(self) -> None:
        self._begin("nobody asks: keep-alive, then to zero")
        self._to_zero()

    def _wake(self) -> None:
        """The clock runs as the wall does, and a tick is just over: only the message can wake."""
        self._clock.set_speed(1.0)
        self._pass_a_tick()
        self._begin("the first message, at 1× so that it can be timed")
        self.facts.wake = wake = self.replay.wake()
        self._clock.set_speed(SPEED)
        if wake is None:
            raise DemoError("the first message woke nothing")
        self._display.done(f"asked for the wake after {wake.seconds:.2f} s ({wake.cause})")

    def _serve(self) -> None:
        self._begin(f"replay {self.trace}")
        self.replay.start()
        if self.trace.needs > 1:
            self._until(lambda seen: seen.phase == "AWAKE", "the endpoint to wake")
            self._clock.set_speed(BURST_SPEED)
        self._until(self._is_answered, "all answers")
        self._clock.set_speed(SPEED)
        self._display.done(f"woke, {self.stage.answered()} answers stored")

    def _pass_the_peak(self) -> None:
        self._begin("the peak window opens at 08:00")
        self._clock.set_speed(IDLE_SPEED)
        self._until(lambda seen: seen.at >= PREWARM_FROM, "the minutes before 08:00")
        # At the speed at which the lead time was measured: the controller's own work, which is
        # not accelerated, would else take more of it.
        self._clock.set_speed(SPEED)
        self.facts.peak.append(self._until(lambda seen: seen.at >= PEAK_OPENS, "08:00"))
        self._display.done(f"{counted(self.facts.peak[0].copies, 'copy')} in service")
        self._begin("the quiet day, an hour at a leap")
        last = PEAK_CLOSES - timedelta(minutes=2)
        while (left := last - self._clock.now()) > timedelta(0):
            self.facts.peak.append(self._leap(min(timedelta(hours=1), left)))
        fewest = min(seen.copies for seen in self.facts.peak)
        self._display.done(f"never fewer than {counted(fewest, 'copy')} at any look")

    def _sleep_again(self) -> None:
        self._begin("off-peak at 18:00: to zero again")
        self._to_zero()

    def _pass_the_night(self) -> None:
        self._begin("the night, two hours at a leap")
        seen = self.facts.zeros[-1]
        while self._clock.now() < MORNING:
            seen = self._leap(timedelta(hours=2))
        self._display.done(f"{counted(seen.instances, 'instance')} at {local(seen.at)}")

    def _report(self) -> None:
        self._begin("write the cost report")
        self.facts.reported_at = self._clock.now()
        self.facts.report = self.stage.client.invoke("ReportFunctionName", {"period": "all"})
        fetch_report(self.stage.client, self.facts.report, self.stage.folder / "report")
        end = time.monotonic() + _REPORT_SECONDS
        while not self._told_of_the_report() and time.monotonic() < end:
            time.sleep(0.1)
        self._look()
        self._display.done(counted(len(self.stage.slack.messages), "Slack message"))

    def _told_of_the_report(self) -> bool:
        return any(title.startswith("Cost of") for title in self.stage.slack.titles())

    def _is_answered(self, _seen: Seen) -> bool:
        if self.replay.error is not None:
            raise DemoError(f"a request could not be sent: {self.replay.error}")
        return self.replay.finished and self.stage.answered() >= self.replay.sent

    def _to_zero(self) -> None:
        self._clock.set_speed(IDLE_SPEED)
        seen = self._until(
            lambda seen: seen.phase == "ASLEEP" and seen.instances == 0, "zero instances"
        )
        self._clock.set_speed(SPEED)
        self.facts.zeros.append(seen)
        self._display.done(f"zero instances seen at {local(seen.at)}")

    def _pass_a_tick(self) -> None:
        """Returns when a look is just over, most of a minute before the next.

        Looks come a minute after one another, counted from the making of the schedule, so that
        the second at which one comes is found by small leaps.
        """
        time.sleep(_TICK_SECONDS)  # what began at a faster clock comes to its end
        before, end = self.stage.ticks, time.monotonic() + _PATIENCE_SECONDS
        while self.stage.ticks == before:
            if time.monotonic() > end:
                raise DemoError("the controller does not look at its endpoints")
            self._clock.jump(_SMALL_LEAP_SECONDS)
            time.sleep(_SMALL_LEAP_WALL_SECONDS)
        time.sleep(_TICK_SECONDS)

    def _begin(self, what: str) -> None:
        self._display.step(what, self._clock.now())

    def _leap(self, duration: timedelta) -> Seen:
        """Not while an instance comes or goes: nobody would look at it for an hour, and the ledger
        counts what it saw last until it looks again."""
        end = time.monotonic() + _SETTLE_SECONDS
        while not self._look().settled and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        self._clock.jump(duration.total_seconds())
        time.sleep(_TICK_SECONDS)
        return self._look()

    def _until(self, reached: Callable[[Seen], bool], what: str) -> Seen:
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            seen = self._look()
            if reached(seen):
                return seen
            if seen.phase == "FAILED":
                raise DemoError(f"while waiting for {what}: {seen.failure}")
            time.sleep(_LOOK_SECONDS)
        raise DemoError(f"waited {_PATIENCE_SECONDS} s for {what}")

    def _look(self) -> Seen:
        seen = self.stage.look()
        answered = self.stage.answered() if self.replay.sent else 0
        self._display.show(seen, self.replay.sent, answered, self.stage.said())
        return seen


def local(moment: datetime) -> str:
    """A time of day, where the endpoint's users are."""
    return f"{moment.astimezone(ZONE):%H:%M}"


def counted(number: int, what: str) -> str:
    """`1 copy`, `2 copies`."""
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else many}"
