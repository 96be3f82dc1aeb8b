"""One endpoint, many requests, and everything that can go wrong on their way.

The requests come in waves; between two of them the endpoint is left to fall asleep. Some of a wave
come while it sleeps, the others once it is awake. The first wave that has to wake it meets no
capacity twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from autoscaler.aws.table import TableStore
from autoscaler.endpoints.status import EndpointStatus
from autoscaler.policy.ladder import TryOutcome
from autoscaler.policy.types import Phase
from benchmarks.lifecycle.fleet import DISPATCH
from benchmarks.requests.pace import paced, speed_for
from benchmarks.requests.sender import Sender
from benchmarks.requests.witness import Witness
from tests.embedded.stack import Stack
from tools.embedded.kernel.crashes import Crashes
from tools.embedded.pump.leftovers import Leftovers
from tools.embedded.sagemaker.trouble import ModelTrouble

NAME = "storm"
MACHINE = "ml.g6e.xlarge"
SCALING = {"min_copies": 0, "max_copies": 1, "keep_alive": "5m"}
SERVING = {"concurrency_per_copy": 32}
FAILED_WAKES = 2
FAILING_WAVE = 1
# Of the wall: a message that a killed dispatcher held comes back after 16 simulated minutes.
PATIENCE_SECONDS = 300.0
_LOOK_SECONDS = 0.5


class StormError(AssertionError):
    """The run did not get where it should; says what it waited for."""


@dataclass(frozen=True)
class Plan:
    """`per_second`: of the wall, at most; `early`: requests that find it asleep, in each wave."""

    requests: int = 10_000
    per_second: float = 25.0
    sleeps: int = 3
    early: int = 60
    most_waiting: int = 120
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
    serving: bool = True  # whether it is awake, as far as the senders know
    sent: int = 0
    sending_seconds: float = 0.0
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

    @property
    def waiting(self) -> int:
        """Requests whose sender has not heard yet."""
        return self.sent - self.witness.settled()


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
        with paced(account.clock, lambda: speed_for(storm.waiting, storm.serving)):
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
    _until_phase(stack.store(), Phase.AWAKE)


def _waves(stack: Stack, storm: Storm) -> None:
    plan, sqs, store = storm.plan, stack.account.boto("sqs"), stack.store()
    url = sqs.get_queue_url(QueueName=f"autoscaler-{NAME}")["QueueUrl"]
    sender = Sender(sqs, url, plan.per_second)
    for number in range(plan.sleeps + 1):
        wave = plan.wave(number)
        _send(storm, sender, wave[: plan.early])
        if number == FAILING_WAVE:
            _let_it_have(stack, storm, store)
        _until_phase(store, Phase.AWAKE)
        storm.serving = True
        _send(storm, sender, wave[plan.early :])
        _settled(storm)
        if number < plan.sleeps:
            _until_phase(store, Phase.ASLEEP)
            storm.sleeps += 1
            storm.serving = False
            if number + 1 == FAILING_WAVE:
                stack.account.sagemaker.set_capacity(MACHINE, 0)
    _until(lambda: messages(stack, f"autoscaler-{NAME}") == 0, lambda: "an empty queue")


def _send(storm: Storm, sender: Sender, numbers: Sequence[int]) -> None:
    def may_send() -> bool:
        storm.sent = sender.sent
        return storm.waiting < storm.plan.most_waiting

    sender.send(numbers, may_send)
    storm.sent, storm.sending_seconds = sender.sent, sender.wall_seconds


def _let_it_have(stack: Stack, storm: Storm, store: TableStore) -> None:
    """Capacity, once the wake has failed as often as it should."""
    before = storm.failed_wakes

    def failed() -> bool:
        tries = _status(store).tries
        found = sum(one.outcome is TryOutcome.CAPACITY for one in tries)
        storm.failed_wakes = before + found
        return found >= FAILED_WAKES

    try:
        _until(failed, lambda: f"{FAILED_WAKES} wakes to fail, saw {storm.failed_wakes}")
    finally:
        stack.account.sagemaker.set_capacity(MACHINE, None)


def _settled(storm: Storm) -> None:
    """Every sender has heard. While it goes on, there is patience."""
    fewest, moved = storm.waiting, time.monotonic()
    while left := storm.waiting:
        if left < fewest:
            fewest, moved = left, time.monotonic()
        if time.monotonic() - moved > PATIENCE_SECONDS:
            raise StormError(f"{left} of {storm.sent} senders heard nothing")
        time.sleep(_LOOK_SECONDS)


def messages(stack: Stack, queue: str) -> int:
    """Messages of a queue, in sight or not; copies that are left of others are among them."""
    sqs = stack.account.boto("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    seen = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(value) for value in seen.values())


def _status(store: TableStore) -> EndpointStatus:
    """As it is stored, seen by the account's owner."""
    found = store.load(NAME)
    if found is None:
        raise StormError("the endpoint is gone")
    return found.status


def _until_phase(store: TableStore, phase: Phase) -> None:
    _until(lambda: _status(store).phase is phase, lambda: f"phase {phase}")


def _until(reached: Callable[[], bool], waited_for: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > end:
            raise StormError(f"waited for {waited_for()}")
        time.sleep(_LOOK_SECONDS)
