"""One endpoint, many requests, and everything that can go wrong on their way.

The requests come in waves; between two of them the endpoint is left to fall asleep. The first wave
that has to wake it meets no capacity twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy.ladder import TryOutcome
from autoscaler.policy.types import Phase
from benchmarks.lifecycle.fleet import DISPATCH
from benchmarks.requests.sender import send
from benchmarks.requests.witness import Witness
from tests.embedded.stack import Stack
from tools.embedded.kernel.crashes import Crashes
from tools.embedded.pump.leftovers import Leftovers
from tools.embedded.sagemaker.trouble import ModelTrouble

NAME = "storm"
MACHINE = "ml.g6e.xlarge"
SCALING = {"min_copies": 0, "max_copies": 1, "keep_alive": "5m"}
SERVING = {"concurrency_per_copy": 64}
FAILED_WAKES = 2
# Of the wall: a message that a killed dispatcher held comes back after 16 simulated minutes.
PATIENCE_SECONDS = 300.0
_LOOK_SECONDS = 0.2


class StormError(AssertionError):
    """The run did not get where it should; says what it waited for."""


@dataclass(frozen=True)
class Plan:
    """`sending_seconds`: of the wall, for all requests together."""

    requests: int = 10_000
    sending_seconds: float = 480.0
    sleeps: int = 3
    seed: int = 1
    duplicated: float = 0.05  # of receives
    crashing: float = 0.05  # of the dispatcher's invocations
    failing: float = 0.05  # of the model's

    def wave(self, number: int) -> range:
        waves = self.sleeps + 1
        return range(self.requests * number // waves, self.requests * (number + 1) // waves)


@dataclass
class Storm:
    """What was let loose, and what was seen."""

    plan: Plan
    leftovers: Leftovers
    crashes: Crashes
    trouble: ModelTrouble
    witness: Witness = field(default_factory=Witness)
    failed_wakes: int = 0
    sleeps: int = 0
    sending_wall_seconds: float = 0.0
    wall_seconds: float = 0.0
    simulated_seconds: float = 0.0
    stuck: str = ""

    @classmethod
    def of(cls, plan: Plan) -> Storm:
        return cls(
            plan,
            Leftovers(plan.duplicated, plan.seed, prefix=f"autoscaler-{NAME}"),
            Crashes(DISPATCH, plan.crashing, plan.seed),
            ModelTrouble(plan.failing, plan.seed),
        )


def rage(stack: Stack, storm: Storm) -> None:
    """Deploys the endpoint, sends everything, waits for the end; `stuck` says what did not come."""
    _prepare(stack)
    account = stack.account
    account.front.traffic.on_call.append(storm.witness.hear)
    account.pump.queues.leftovers = storm.leftovers
    account.runtime.crashes = storm.crashes
    account.sagemaker.trouble = storm.trouble
    began, simulated = time.monotonic(), account.clock.time()
    try:
        _waves(stack, storm)
    except StormError as error:
        storm.stuck = str(error)
    finally:
        account.pump.queues.leftovers = account.runtime.crashes = account.sagemaker.trouble = None
    storm.wall_seconds = time.monotonic() - began
    storm.simulated_seconds = account.clock.time() - simulated


def _prepare(stack: Stack) -> None:
    """An endpoint that is awake; every version of a result is kept, to see what overwrote what."""
    if not (applied := stack.apply(NAME, scaling=SCALING, serving=SERVING))["ok"]:
        raise StormError(f"the endpoint was refused: {applied}")
    stack.account.boto("s3").put_bucket_versioning(
        Bucket=stack.outputs["ResultsBucketName"], VersioningConfiguration={"Status": "Enabled"}
    )
    _until(lambda: record(stack).status.phase is Phase.AWAKE, lambda: "the endpoint to be made")


def _waves(stack: Stack, storm: Storm) -> None:
    plan, sent = storm.plan, 0
    sqs = stack.account.boto("sqs")
    url = sqs.get_queue_url(QueueName=f"autoscaler-{NAME}")["QueueUrl"]
    for number in range(plan.sleeps + 1):
        wave = plan.wave(number)
        if number == 1:
            stack.account.sagemaker.set_capacity(MACHINE, 0)
        began = time.monotonic()
        send(sqs, url, wave, plan.sending_seconds * len(wave) / plan.requests)
        storm.sending_wall_seconds += time.monotonic() - began
        sent += len(wave)
        if number == 1:
            _let_it_have(stack, storm)
        _settled(storm, sent)
        if number < plan.sleeps:
            _until(lambda: record(stack).status.phase is Phase.ASLEEP, lambda: "a sleep")
            storm.sleeps += 1
    _until(lambda: waiting(stack, f"autoscaler-{NAME}") == 0, lambda: "an empty queue")


def _let_it_have(stack: Stack, storm: Storm) -> None:
    """Capacity, once the wake has failed as often as it should."""
    before = storm.failed_wakes

    def failed() -> bool:
        tries = record(stack).status.tries
        found = sum(one.outcome is TryOutcome.CAPACITY for one in tries)
        storm.failed_wakes = before + found
        return found >= FAILED_WAKES

    try:
        _until(failed, lambda: f"{FAILED_WAKES} wakes to fail, saw {storm.failed_wakes}")
    finally:
        stack.account.sagemaker.set_capacity(MACHINE, None)


def _settled(storm: Storm, sent: int) -> None:
    """Every sender has heard. While it goes on, there is patience."""
    seen, moved = 0, time.monotonic()
    while (now := storm.witness.settled()) < sent:
        if now > seen:
            seen, moved = now, time.monotonic()
        if time.monotonic() - moved > PATIENCE_SECONDS:
            raise StormError(f"{sent - now} of {sent} senders heard nothing")
        time.sleep(_LOOK_SECONDS)


def waiting(stack: Stack, queue: str) -> int:
    """Messages of a queue, in sight or not; copies that are left of others are among them."""
    sqs = stack.account.boto("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    seen = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(value) for value in seen.values())


def record(stack: Stack) -> EndpointRecord:
    """As it is stored, seen by the account's owner."""
    found = stack.store().load(NAME)
    if found is None:
        raise StormError("the endpoint is gone")
    return found


def _until(reached: Callable[[], bool], waited_for: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > end:
            raise StormError(f"waited for {waited_for()}")
        time.sleep(_LOOK_SECONDS)
