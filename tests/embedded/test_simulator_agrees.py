"""The simulator against the embedded account: one policy, the same requests, the same bill.

The simulator is told the delays that the account measured. When to wake and when to sleep it has
to find by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import fmean

import pytest

from autoscaler.replay.engine import simulate
from autoscaler.replay.ours import TICK_SECONDS, Ours
from autoscaler.replay.results import Outcome
from autoscaler.replay.trace import Service, Trace
from autoscaler.replay.world import Stage, World
from tests.embedded.stack import Stack, deployed
from tests.samples import spec

pytestmark = pytest.mark.soak  # minutes: `make soak`
NAME = "llama"
SCALING = {"min_copies": 0, "max_copies": 1, "keep_alive": "5m"}
KEEP_ALIVE_SECONDS = 300.0
TOKENS = 20
SERVICE_SECONDS = Service().seconds(1, TOKENS)
EPILOGUE_SECONDS = 3600.0
# Seconds after it was seen asleep: pauses shorter than the keep-alive, and one that is longer.
WAVES = ((30.0, 370.0, 520.0), (40.0,))
SLEEPS = 1 + len(WAVES)  # the first one after its creation


@dataclass(frozen=True)
class Story:
    """What the account did, in seconds from the moment at which its endpoint was ready."""

    began: datetime
    arrivals: list[float]
    billed: list[tuple[float, float]]  # of each instance: from, until
    history: list[tuple[float, str]]  # time, phase
    answers: list[float]
    tick_seconds: float  # the longest time between two looks of the controller

    def times(self, phase: str) -> list[float]:
        return [at for at, name in self.history if name == phase and at > 0]

    @property
    def billed_seconds(self) -> float:
        return sum(gone - max(0.0, asked) for asked, gone in self.billed)

    def world(self) -> World:
        """Its delays: from the wish until it serves, how much of that is billed, and from the wish
        to sleep until the instance is given back."""
        wished, ready = self.times("WAKING"), self.times("AWAKE")
        asked = [since for since, _ in self.billed[1:]]
        gone = [until for _, until in self.billed]
        lead = fmean(b - a for a, b in zip(wished, ready, strict=True))
        started = fmean(b - a for a, b in zip(asked, ready, strict=True))
        slept = zip(self.times("SLEEPING"), gone, strict=True)
        return World(
            cold_start=(Stage("measured", lead),),
            startup_billed=started / lead,
            release_seconds=fmean(b - a for a, b in slept),
            usd_per_copy_hour=3600.0,  # so that dollars are seconds
            concurrency_per_copy=spec(NAME).serving.concurrency_per_copy,
        )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with deployed(tmp_path_factory.mktemp("account")) as stack:
        assert stack.apply(NAME, scaling=SCALING)["ok"]
        began = datetime.fromisoformat(stack.until(NAME, "AWAKE")["phase_since"])
        stack.looks.clear()
        stack.until(NAME, "ASLEEP")
        sent = [at for wave in WAVES for at in _played(stack, wave)]
        yield _told(stack, began, sent)


def _played(stack: Stack, wave: tuple[float, ...]) -> list[datetime]:
    """Sends its requests at their times, through the queue, and sees it asleep again."""
    clock, sent = stack.account.clock, []
    asleep_at = clock.time()
    for after in wave:
        clock.sleep(asleep_at + after - clock.time())
        sent.append(clock.now())
        stack.ask(NAME, {"id": _id(sent[-1]), "prompt": "x", "max_tokens": TOKENS})
        if len(sent) == 1:
            stack.until(NAME, "AWAKE")
    stack.until(NAME, "ASLEEP")
    return sent


def _told(stack: Stack, began: datetime, sent: list[datetime]) -> Story:
    results = [stack.result(NAME, _id(at)) for at in sent]
    assert all(one["answer"]["usage"]["completion_tokens"] == TOKENS for one in results)
    lines = [
        ((datetime.fromisoformat(line["at"]) - began).total_seconds(), line["phase"])
        for line in stack.get(NAME)["history"]
    ]
    start = began.timestamp()
    billed = [(asked, gone) for *_, asked, gone in stack.account.sagemaker.billed()]
    return Story(
        began=began.astimezone(UTC),
        arrivals=[at.timestamp() - start for at in sent],
        billed=sorted((asked - start, gone - start) for asked, gone in billed if gone),
        history=sorted(lines),
        answers=[datetime.fromisoformat(one["answered_at"]).timestamp() - start for one in results],
        tick_seconds=stack.longest_tick,
    )


def _id(sent_at: datetime) -> str:
    return f"at-{sent_at:%H-%M-%S}"


@pytest.fixture(scope="module")
def run(story: Story) -> Outcome:
    """A run ends with its last answer. So that the last sleep is seen too, one request comes long
    after; what it adds is known, see `_billed`."""
    arrivals = [*story.arrivals, story.arrivals[-1] + EPILOGUE_SECONDS]
    trace = Trace("account", arrivals, [SERVICE_SECONDS] * len(arrivals))
    return simulate(trace, story.world(), Ours(spec(NAME, scaling=SCALING), story.began))


def _billed(run: Outcome, world: World) -> float:
    """Without the last request: the billed part of its start, and its answer."""
    return run.usd - world.startup_billed * world.lead_seconds - SERVICE_SECONDS


def test_every_request_is_answered_in_both(story: Story, run: Outcome) -> None:
    everyone = sum(len(wave) for wave in WAVES)
    assert len(story.answers) == everyone
    assert (run.answered, run.lost) == (everyone + 1, 0)


def test_both_wake_as_often(story: Story, run: Outcome) -> None:
    assert len(story.times("WAKING")) == run.wakes - 1 == len(WAVES)


def _late(sleeps: list[float], work: list[float]) -> list[float]:
    """Seconds of each sleep after the end of the keep-alive that began with the last work."""
    return [at - max(w for w in (0.0, *work) if w < at) - KEEP_ALIVE_SECONDS for at in sleeps]


def test_both_sleep_a_keep_alive_after_the_last_work(story: Story, run: Outcome) -> None:
    """Work is seen by the first look after it, and the end of the keep-alive by the first look
    after that: a sleep comes within two ticks of the keep-alive's end. In the account an answer is
    stored, by a clock that runs fast, somewhat after SageMaker counted it: a tick at most."""
    steps = list(pairwise(run.points))
    ready = [after.at for before, after in steps if after.serving > before.serving]
    slept = [after.at for before, after in steps if after.desired < before.desired]
    simulated = _late(slept, [*ready, *(at + SERVICE_SECONDS for at in story.arrivals)])
    seen = _late(story.times("SLEEPING"), [*story.times("AWAKE"), *story.answers])
    assert len(simulated) == len(seen) == SLEEPS
    assert all(0 <= late <= 2 * TICK_SECONDS for late in simulated), simulated
    assert all(-story.tick_seconds <= late <= 2 * story.tick_seconds for late in seen), seen


def test_both_bill_the_same_seconds(story: Story, run: Outcome) -> None:
    """Start-up and release were measured, so what differs is the two ticks above for each sleep,
    and that the account's queue shows a message some time after its copy is ready: the answer, and
    with it the sleep, comes later by that."""
    shown_late = sum(
        answer - max(ready for ready in (arrival, *story.times("AWAKE")) if ready < answer)
        for arrival, answer in zip(story.arrivals, story.answers, strict=True)
    )
    tolerance = SLEEPS * 2 * story.tick_seconds
    excess = story.billed_seconds - _billed(run, story.world())
    assert -tolerance <= excess <= tolerance + shown_late
