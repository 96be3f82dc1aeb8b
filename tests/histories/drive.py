"""Disturbs one call of a scenario after the other, each in a copy of the world before it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autoscaler.alerts.events.base import Severity
from autoscaler.alerts.events.registry import parse_event
from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.queues import OLDEST_REQUEST_SECONDS
from tests.histories.cloudformation import answered
from tests.histories.faults import Call, Fault, applies
from tests.histories.forks import ChildError, in_copy
from tests.histories.scenarios import Scenario
from tests.histories.template import STACK
from tests.histories.world import NAME, World


@dataclass(frozen=True)
class Case:
    """The `number`-th call that an actor made of an operation, and what becomes of it."""

    actor: str
    name: str
    number: int
    fault: Fault

    def __str__(self) -> str:
        return f"{self.actor}'s {self.name} no. {self.number}: {self.fault}"


@dataclass
class Score:
    """What came of many cases."""

    cases: int = 0
    fired: int = 0
    by_fault: Counter[Fault] = field(default_factory=Counter)
    by_actor: Counter[str] = field(default_factory=Counter)
    unrecovered: list[str] = field(default_factory=list)

    def add(self, case: Case, fired: bool, problems: Sequence[str]) -> None:
        self.cases += 1
        self.fired += fired
        self.by_fault[case.fault] += fired
        self.by_actor[case.actor] += fired
        if problems:
            self.unrecovered.append(f"{case}\n    " + "\n    ".join(problems))


class _Strike:
    """Strikes one call; a denial strikes every one like it until it is over."""

    def __init__(self, world: World, case: Case, denied_seconds: float) -> None:
        self._world, self._case, self._denied_seconds = world, case, denied_seconds
        self._met = 0
        self._until = 0.0

    def __call__(self, call: Call) -> Fault | None:
        case = self._case
        if (call.actor, call.name) != (case.actor, case.name):
            return None
        self._met += 1
        if self._met == case.number:
            lasts = self._denied_seconds if case.fault is Fault.DENIED else 0.0
            self._until = self._world.clock.time() + lasts
            return case.fault
        denied = case.fault is Fault.DENIED and self._met > case.number
        return case.fault if denied and self._world.clock.time() < self._until else None


def calls_of(world: World, scenario: Scenario) -> list[Call]:
    """Every call of an undisturbed run, which must end as it should."""

    def run() -> list[Call]:
        found: list[Call] = []
        world.wire.seen.append(
            lambda call: found.append(Call(call.service, call.operation, call.actor, {}))
        )
        scenario.act(world)
        calls = list(found)
        assert world.settle(), "the undisturbed run never came to rest"
        problems = scenario.wish(world)
        assert not problems, problems
        return calls

    return in_copy(run)


def cases_of(calls: Iterable[Call], faults: Iterable[Fault] = Fault) -> list[Case]:
    """Every call with everything that can become of it."""
    numbers: Counter[tuple[str, str]] = Counter()
    found = []
    faults = tuple(faults)
    for call in calls:
        numbers[call.actor, call.name] += 1
        number = numbers[call.actor, call.name]
        found += [
            Case(call.actor, call.name, number, fault)
            for fault in faults
            if applies(fault, call) and _can_be_killed(call, fault)
        ]
    return found


def _can_be_killed(call: Call, fault: Fault) -> bool:
    """Nobody can kill Step Functions."""
    machine = call.actor.startswith("machine ")
    return not (machine and fault in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER))


def drive(world: World, scenario: Scenario, cases: Sequence[Case]) -> Score:
    """`world` is as `scenario.prepare` left it, and stays so."""
    score = Score()
    for case in cases:
        try:
            fired, problems = in_copy(lambda case=case: one_case(world, scenario, case))  # type: ignore[misc]
        except ChildError as broken:
            fired, problems = True, [str(broken)[-1500:]]
        score.add(case, fired, problems)
    return score


def one_case(world: World, scenario: Scenario, case: Case) -> tuple[bool, list[str]]:
    """Whether the fault fired, and what was wrong in the end."""
    world.wire.strike = _Strike(world, case, scenario.denied_seconds)
    ears = _Ears(world)
    scenario.act(world)
    fired = bool(world.wire.fired)
    unheard = False
    if case.fault is Fault.DENIED:
        held_up = bool(scenario.wish(world))
        world.run(scenario.denied_seconds)
        unheard = held_up and not ears.heard()
    rested = world.settle(hours=2)
    problems = scenario.wish(world)
    if unheard:
        return fired, [*problems, "it was held up, and nobody heard of the denial"]
    if problems:
        if not scenario.by_itself and not ears.heard():
            return fired, [*problems, "and nobody was told of it"]
        scenario.again(world)
        rested = world.settle()
        problems = scenario.wish(world)
    return fired, problems if rested else [*problems, "it never came to rest"]


class _Ears:
    """What a person can hear from when it was made: an alarm looks at it, a command was answered
    so, the deletion of the stack failed, or an alert was sent. That an execution failed is on the
    dashboard, at which nobody looks in the night."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._events, self._invoked = len(world.events), len(world.handlers.invoked)
        self._waited = False  # long enough for the queue's alarm, which mails people too
        world.each_minute.append(self._look_at_the_queue)

    def _look_at_the_queue(self) -> None:
        sent = self._world.mappings.oldest(ResourceNames(STACK, NAME).queue)
        # The minute that begins now has a maximum above it.
        self._waited |= self._world.clock.time() - sent >= OLDEST_REQUEST_SECONDS

    def heard(self) -> bool:
        if self._waited or answered(self._world.cloudformation.answers, "FAILED"):
            return True
        told = self._world.events[self._events :]
        if any(parse_event(*one).severity is not Severity.INFO for one in told):
            return True
        failures = self._failures().items()
        return any(number >= _HEARD_FROM.get(name, math.inf) for name, number in failures)

    def _failures(self) -> Counter[str]:
        """How often each function failed, or told whoever asked that it could not do it."""
        found: Counter[str] = Counter()
        for name, done in self._world.handlers.invoked[self._invoked :]:
            payload = done.payload if isinstance(done.payload, dict) else {}
            refused = payload.get("ok") is False or payload.get("problem")
            found[name] += bool(done.error or refused or payload.get("batchItemFailures"))
        return found


# The alarms of the template on errors, and the reports of asynchronous calls that failed, sum up so
# many; who gave a command or asked the gateway is answered; prices that grow old are told of
# (PricesStale).
_HEARD_FROM = {
    "reconcile": 3,
    "dispatch-requests": 3,
    "notify": 3,
    "report-costs": 1,
    "sweep-account": 1,
    "refresh-prices": 1,
    "accept-command": 1,
    "gateway": 1,
    "retire-stack": 1,
    "answer-stack": 1,
}
