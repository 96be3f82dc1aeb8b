"""What can happen to an endpoint and its stack, each with its parameters, and how it all ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any, ClassVar

from autoscaler.policy.types import Phase
from tests.histories import gateway
from tests.histories.checks import one_flow_a_generation, wrong_with
from tests.histories.faults import Call, Fault, applies
from tests.histories.moments import (
    Looks,
    ledger_is_not_what_existed,
    outside_its_bounds,
    zero_is_not_zero,
)
from tests.histories.template import STACK
from tests.histories.world import NAME, World

# A hold asks for two, and a hundred requests for one: fewer than the file allows. But a few that
# come in a minute are worth all of those where a start was seen to take an hour.
_MOST_COPIES = 2
_LONG_START = timedelta(hours=1)


class History:
    """One long life of one endpoint. `do` carries out a step and returns what is wrong."""

    names: tuple[str, ...] = (NAME,)
    type = "ml.g6e.xlarge"
    file: ClassVar[dict[str, Any]] = {}  # what its endpoints have beside what is usual here

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent: list[str] = []
        self.fired = 0
        self.seen_by = {name: Looks(world, name) for name in self.names}
        self.looks = self.seen_by[NAME]
        self._sent_in_vain: set[str] = set()  # while it was retired, so that they may be refused
        self._armed: tuple[Fault, int] | None = None
        world.wire.strike = self._strike

    def do(self, step: tuple[str, dict[str, Any]]) -> list[str]:
        name, parameters = step
        getattr(self, name)(**parameters)
        return self._wrong_now()

    # What people do

    def command(self, command: str, **arguments: Any) -> None:
        self.world.command(command, **arguments)

    def apply(self, tokens: int, name: str = NAME) -> None:
        self.world.apply(name, serving={"context_tokens": tokens}, **self.file)

    def hold(self, copies: int, name: str = NAME) -> None:
        self.world.command(
            "hold", endpoint=name, min_copies=copies, seconds=1800.0, reason="a test", replace=True
        )

    # What comes from outside

    def send(self, count: int, name: str = NAME) -> None:
        if not self._has_queue(name):
            return
        for _ in range(count):
            self.sent.append(f"r{len(self.sent)}")
            if self.world.phase(name) == Phase.RETIRING:
                self._sent_in_vain.add(self.sent[-1])
            self.world.send(self.sent[-1], name)

    def ask(self) -> None:
        """By the gateway, whose ticket is a promise."""
        if gateway.sleeps(self.world):
            gateway.ask(self.world)

    def tick_twice(self) -> None:
        """The same event is delivered twice."""
        self.world.tick()
        self.world.tick()

    def run(self, minutes: int) -> None:
        self.world.run(minutes * 60.0)

    def leap(self, minutes: int) -> None:
        """Ticks are lost, and what was due meanwhile happens late."""
        self.world.move_to(self.world.clock.time() + minutes * 60.0)

    # What AWS does

    def capacity(self, there: bool) -> None:
        self.world.sagemaker.set_capacity(self.type, None if there else 0)

    def container(self, works: bool, name: str = NAME) -> None:
        why = None if works else "CUDA error: out of memory"
        self.world.sagemaker.break_container(self.world.component(name), why)

    def lose_instance(self) -> None:
        billed = self.world.sagemaker.billed()
        here = [one for _, _, one, _, gone in billed if gone is None]
        if here:
            self.world.sagemaker.lose_instance(here[0])

    def trouble(self, fault: Fault, after: int) -> None:
        """The next call but so many that can meet this fault does."""
        self._armed = (fault, after)

    def _strike(self, call: Call) -> Fault | None:
        if self._armed is None:
            return None
        fault, after = self._armed
        machine = call.actor.startswith("machine ")
        kill = fault in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)
        if not applies(fault, call) or (machine and kill):
            return None
        self._armed = (fault, after - 1) if after else None
        self.fired += not after
        return None if after else fault

    # How it ends

    def end(self) -> list[str]:
        """Everything works again and one more request comes: it and all before it are answered."""
        world = self.world
        world.wire.strike = None
        self.capacity(True)
        world.command("start")
        for name in self.names:
            self.container(True, name)
            world.command("release", endpoint=name)
        world.settle(hours=12)
        for name in [*self.names, *self.names]:
            if world.phase(name) in (None, Phase.FAILED):
                world.apply(name, **self.file)
                world.settle(hours=12)
        for name in self.names:
            if not self._has_queue(name):
                return [f"there is no queue, and {name} is {world.phase(name)}"]
            self.send(1, name)
        rested = world.settle(hours=12)
        found = [] if rested else [f"it never came to rest: {self._phases()}"]
        return [*found, *self.unanswered(), *wrong_with(world), *self._to_zero()]

    def unanswered(self) -> list[str]:
        """A refusal is an answer to what was sent while its endpoint was retired, and to nothing
        else."""
        answers = {one for name in self.names for one in self.world.answers(name)}
        refused = {one for name in self.names for one in self.world.refusals(name)}
        ended = answers | (refused & self._sent_in_vain)
        lost = sorted({*self.sent, *self.world.tickets} - ended)
        return [f"without an answer: {lost}, refused: {sorted(refused)}"] if lost else []

    def _to_zero(self) -> list[str]:
        """Zero is zero, and the ledger has what there was."""
        world = self.world
        done = [world.command("sleep", endpoint=name).payload for name in self.names]
        rested = world.settle(hours=12)
        found = [] if rested else [f"its sleep never came to rest: {self._phases()}"]
        if set(self._phases()) != {Phase.ASLEEP}:
            found.append(f"it was sent to sleep ({done}) and is {self._phases()}")
        return [*found, *wrong_with(world), *self._wrong_now()]

    def _phases(self) -> list[str | None]:
        return [self.world.phase(name) for name in self.names]

    def facts(self) -> dict[str, Any]:
        return {
            "phase": self._phases(),
            "fired": self.fired,
            "sent": len(self.sent) + len(self.world.tickets),
            "in_vain": sum(
                before is Phase.WAKING and after is Phase.SLEEPING
                for (_, before), (_, after) in pairwise(self.looks.phases)
            ),
        }

    def _has_queue(self, name: str) -> bool:
        queue = f"{STACK}-{name}"
        queues = self.world.client("sqs").list_queues(QueueNamePrefix=queue)
        return any(url.endswith(f"/{queue}") for url in queues.get("QueueUrls", ()))

    def _wrong_now(self) -> list[str]:
        """After each step, whatever moves."""
        world = self.world
        found = [*world.watch.problems, *one_flow_a_generation(world)]
        for name in self.names:
            if (copies := world.copies(name)) > _MOST_COPIES and not self._long_starts(name):
                found.append(f"{copies} copies of {name} are wanted, above {_MOST_COPIES}")
            found += zero_is_not_zero(world, name)
            found += outside_its_bounds(world, name)
        return [*found, *self._off_the_ledger()]

    def _long_starts(self, name: str) -> bool:
        record = self.world.record(name)
        return (
            record is not None
            and max(record.status.lead_times(), default=timedelta()) >= _LONG_START
        )

    def _off_the_ledger(self) -> Iterator[str]:
        return ledger_is_not_what_existed(self.world, NAME, self.looks)
