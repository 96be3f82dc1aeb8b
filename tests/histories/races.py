"""Two at work on one endpoint at the same moment, in every order of their calls.

Each is a thread that waits at every call for its turn, so that exactly one is at work. A schedule
says who goes on at each call; it is replayed from its beginning, and every place where the other
one might have gone on gives a new one, as far as the bound of switches allows.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends

from tests.histories.faults import Call
from tests.histories.forks import ChildError, in_copy
from tests.histories.template import STACK
from tests.histories.world import World
from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION

PATIENCE_SECONDS = 60  # of the wall: only a deadlock waits so long
Act = Callable[[World], Any]


@dataclass(frozen=True)
class Pair:
    """`wish` gets what the two answered, in their order."""

    name: str
    prepare: Callable[[World], None]
    first: Act
    second: Act
    wish: Callable[[World, Sequence[Any]], list[str]]


@dataclass
class Raced:
    """What came of all schedules of a pair."""

    schedules: int = 0  # that were run
    passed_over: int = 0  # found within the bound of switches, and not run because of `every`
    cut_off: int = 0  # found, with more switches than the bound allows
    turns: tuple[int, int] = (0, 0)  # of each, when it runs to its end before the other begins
    outcomes: int = 0  # different states of the world right after the race
    unrecovered: list[str] = field(default_factory=list)

    @property
    def interleavings(self) -> int:
        """How many orders there are of as many calls as each makes when it is alone."""
        return math.comb(sum(self.turns), self.turns[0])

    def __str__(self) -> str:
        return (
            f"{self.schedules} of {self.schedules + self.passed_over} schedules within the bound, "
            f"{self.cut_off} next ones cut off by it; {self.interleavings} interleavings of "
            f"{self.turns[0]} and {self.turns[1]} turns in all; {self.outcomes} outcomes, "
            f"{len(self.unrecovered)} unrecovered"
        )


class _Baton:
    """Lets one of two threads go on at a time."""

    def __init__(self, schedule: Sequence[int]) -> None:
        self._schedule = tuple(schedule)
        self._turn = threading.Condition()
        self._free: int | None = None  # who may go on
        self._waits = [False, False]
        self._over = [False, False]
        self._mine = threading.local()
        self.taken: list[int] = []
        self.open: list[bool] = []  # whether the other one could have gone on instead

    def gate(self, _call: Call) -> None:
        me = getattr(self._mine, "number", None)
        if me is not None:
            with self._turn:
                self._wait(me)

    def run(self, works: Sequence[Callable[[], Any]]) -> list[Any]:
        answers: list[Any] = [None, None]

        def work(number: int) -> None:
            self._mine.number = number
            try:
                with self._turn:
                    self._wait(number)
                answers[number] = works[number]()
            finally:
                with self._turn:
                    self._over[number], self._free = True, None
                    self._turn.notify_all()

        threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in (0, 1)]
        for thread in threads:
            thread.start()
        self._conduct()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        return answers

    def _wait(self, me: int) -> None:
        self._waits[me], self._free = True, None
        self._turn.notify_all()
        assert self._turn.wait_for(lambda: self._free == me, PATIENCE_SECONDS), "a deadlock"
        self._waits[me] = False

    def _conduct(self) -> None:
        with self._turn:
            while not all(self._over):
                assert self._turn.wait_for(self._is_still, PATIENCE_SECONDS), "a deadlock"
                if all(self._over):
                    return
                self._free = self._next()
                self._turn.notify_all()
                assert self._turn.wait_for(lambda: self._free is None, PATIENCE_SECONDS), "deadlock"

    def _is_still(self) -> bool:
        return self._free is None and all(
            w or o for w, o in zip(self._waits, self._over, strict=True)
        )

    def _next(self) -> int:
        ready = [n for n in (0, 1) if self._waits[n] and not self._over[n]]
        place = len(self.taken)
        last = self.taken[-1] if self.taken else 0
        wanted = self._schedule[place] if place < len(self._schedule) else last
        chosen = wanted if wanted in ready else ready[0]
        self.taken.append(chosen)
        self.open.append(len(ready) == 2)
        return chosen


def is_run(number: int, every: int, turn: int) -> bool:
    """Whether a schedule, counted from 1, runs in a turn: one in so many, others in the next."""
    return (number + turn) % every == 0


def race(world: World, pair: Pair, most_switches: int, every: int = 1, turn: int = 0) -> Raced:
    """`world` is as `pair.prepare` left it. `every`: of the schedules that switch, one in so many
    is run on to its end; outcomes that were seen before are not judged twice."""
    raced, known = Raced(), {}  # type: ignore[var-annotated]
    todo: list[tuple[int, ...]] = [(0,), (1,)]
    number = 0
    while todo:
        schedule = todo.pop()
        number += len(schedule) > 1
        if len(schedule) > 1 and not is_run(number, every, turn):
            raced.passed_over += 1
            continue
        try:
            taken, opens, outcome, problems = in_copy(
                lambda s=schedule: _one(world, pair, s, known)
            )  # type: ignore[misc]
        except ChildError as broken:
            raced.unrecovered.append(f"{pair.name} {schedule}: {str(broken)[-1500:]}")
            continue
        raced.schedules += 1
        if len(schedule) == 1:
            raced.turns = _with_turns(raced.turns, schedule[0], taken)
        if outcome not in known:
            known[outcome] = problems
            if problems:
                raced.unrecovered.append(f"{pair.name} {taken}\n    " + "\n    ".join(problems))
        more, cut_off = _others(schedule, taken, opens, most_switches)
        todo += more
        raced.cut_off += cut_off
    raced.outcomes = len(known)
    return raced


def _others(
    schedule: Sequence[int], taken: Sequence[int], opens: Sequence[bool], most: int
) -> tuple[list[tuple[int, ...]], int]:
    """Schedules that leave this one for the first time behind its own choices, and how many of
    them have too many switches."""
    found, cut_off = [], 0
    for place in range(len(schedule), len(taken)):
        if opens[place]:
            other = (*taken[:place], 1 - taken[place])
            if _switches(other) <= most:
                found.append(other)
            else:
                cut_off += 1
    return found, cut_off


def _with_turns(turns: tuple[int, int], first: int, taken: Sequence[int]) -> tuple[int, int]:
    """Of the one that ran first and alone."""
    mine = sum(1 for _ in takewhile(lambda one: one == first, taken))
    return (mine, turns[1]) if first == 0 else (turns[0], mine)


def _switches(schedule: Sequence[int]) -> int:
    return sum(a != b for a, b in pairwise(schedule))


def _one(
    world: World, pair: Pair, schedule: Sequence[int], known: dict[str, list[str]]
) -> tuple[list[int], list[bool], str, list[str]]:
    baton = _Baton(schedule)
    world.wire.gate = baton.gate
    answers = baton.run([lambda: pair.first(world), lambda: pair.second(world)])
    world.wire.gate = None
    outcome = fingerprint(world, answers)
    if outcome in known:
        return baton.taken, baton.open, outcome, known[outcome]
    rested = world.settle()
    problems = pair.wish(world, answers)
    if not rested:
        problems = [*problems, "it never came to rest"]
    return baton.taken, baton.open, outcome, problems


def fingerprint(world: World, answers: Sequence[Any]) -> str:
    """All that the future depends on; the clock stood still."""
    table = dynamodb_backends[ACCOUNT_ID][DEFAULT_REGION].tables[STACK]
    items = [
        str(sorted((k, str(v.value)) for k, v in item.attrs.items()))
        for items in table.items.values()
        for item in (items.values() if isinstance(items, dict) else [items])
    ]
    sagemaker = world.sagemaker.world
    return str(
        (
            sorted(items),
            [(c.name, c.desired, c.status) for c in sagemaker.components.values()],
            [(e.name, e.status) for e in sagemaker.endpoints.values()],
            _scalable(world),
            _objects(),
            [(e.arn, e.status, e.path) for e in world.states.executions.values()],
            [(q.name, [m.visible_at for m in q._messages]) for _, q in world.mappings.read()],
            [kind for kind, _ in world.events],
            world.looks,
            [str(answer) for answer in answers],
        )
    )


def _scalable(world: World) -> list[Any]:
    """Bounds, and whether scaling is suspended, with the policies that move copies inside them."""
    client = world.client("application-autoscaling")
    targets = client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    policies = client.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    bounds = [
        (one["ResourceId"], one["MinCapacity"], one["MaxCapacity"], str(one.get("SuspendedState")))
        for one in targets
    ]
    return [sorted(bounds), sorted((one["ResourceId"], one["PolicyName"]) for one in policies)]


def _objects() -> list[tuple[str, str, str]]:
    """What lies in the buckets, by its content."""
    buckets = s3_backends[ACCOUNT_ID]["aws"].buckets
    return sorted(
        (name, key, found.etag)
        for name, bucket in buckets.items()
        for key, found in bucket.keys.items()
    )
