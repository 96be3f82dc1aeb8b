"""A stack's retirement ends with an answer to CloudFormation, however many endpoints there are.

What ends an execution without one cannot be caught: an event more than its history holds, or a
state that puts out more than 256 KiB.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from typing import Any

import pytest

from tests.contract.test_statemachines import _SUBSTITUTION, ROOT, machine, template
from tests.histories.expressions import evaluated
from tests.histories.walker import Execution, Failure, Steps

MOST_EVENTS = 25_000  # of a standard execution's history
MOST_BYTES = 256 * 1024  # of what a state puts out
MANY = 1_000
ANSWER_BYTES = 1_073  # of what lambda:invoke gives for one `delete`
ENDPOINTS_A_PAGE = 100  # of 1 MB: with all that is learned of it an endpoint has some 10 KB
# Entered and exited; each try of a task is scheduled, started and ended; so is each item of a Map.
EVENTS = {"Task": 2, "Choice": 2, "Pass": 2, "Wait": 2, "Map": 4}
OF_A_TRY, OF_AN_ITEM = 3, 2


@cache
def states(poll_seconds: int = 15) -> dict[str, Any]:
    made = template()["Resources"]["RetireStackMachine"]["Properties"]
    given = {**made["DefinitionSubstitutions"], "PollSeconds": poll_seconds}
    text = json.dumps(machine(ROOT / "statemachines" / "retire_stack.asl.yaml")["States"])
    found: dict[str, Any] = json.loads(_SUBSTITUTION.sub(lambda name: str(given[name[1]]), text))
    return found


def events(*names: str) -> int:
    """Of states that are each gone through once, with a task's first try."""
    known = {**states(), **inside()}
    kinds = [known[name]["Type"] for name in names]
    return sum(EVENTS[kind] + (OF_A_TRY if kind == "Task" else 0) for kind in kinds)


def inside() -> dict[str, Any]:
    found: dict[str, Any] = states()["RetireAll"]["ItemProcessor"]["States"]
    return found


def tries() -> int:
    """At most: each rule counts its own."""
    return 1 + sum(rule["MaxAttempts"] for rule in inside()["Retire"]["Retry"])


def of_an_ask(heard: bool) -> int:
    if heard:
        return OF_AN_ITEM + events("Retire")
    return OF_AN_ITEM + events("Retire", "LeftForNextLook") + (tries() - 1) * OF_A_TRY


def history(count: int, poll_seconds: int, heard: Callable[[int], bool], go: bool) -> int:
    """Events until the deadline, when all endpoints stay until then. Each is asked in vain unless
    it is heard; `go`: who was heard need not be asked again."""
    here = states(poll_seconds)
    pages = ceil(count / ENDPOINTS_A_PAGE)
    of_a_look = pages * events("ListEndpoints", "AreAnyLeft") + (pages - 1) * events("TurnPage")
    of_a_look += events("RetireAll", "WaitForEndpoints")
    endpoints = [{"name": f"llama-{number}", "ask": True} for number in range(count)]
    variables = {**here["Begin"]["Assign"], "endpoints": endpoints}
    seconds, found = 0.0, 2 + events("Begin", "AnswerLeft", "AnswerFailed")
    while seconds < float(template_seconds()):
        asked = [int(name[6:]) for name in evaluated(here["RetireAll"]["Items"], variables)]
        assert seconds or len(asked) == count, "the first look asks all of them"
        left = [inside()["Retire" if heard(one) else "LeftForNextLook"]["Output"] for one in asked]
        asking = {**variables, "states": {"result": left}}
        variables |= evaluated(here["RetireAll"]["Assign"], asking)
        for one in asked if go else ():
            endpoints[one]["ask"] = not heard(one)
        found += of_a_look + sum(of_an_ask(heard(one)) for one in asked)
        seconds += evaluated(here["WaitForEndpoints"]["Seconds"], variables)
        seconds += (pages - 1) * states()["TurnPage"]["Seconds"]
    return found


def template_seconds() -> int:
    made = template()["Resources"]["RetireStackMachine"]["Properties"]
    return int(made["DefinitionSubstitutions"]["RemoveSeconds"])


COMES_OF_IT: dict[str, tuple[Callable[[int], bool], bool]] = {
    "all go": (lambda _: True, True),
    "all refuse": (lambda _: True, False),
    "none is heard": (lambda _: False, False),
    "one in ten is not heard": (lambda nth: nth % 10 > 0, True),
}


@pytest.mark.parametrize("what", COMES_OF_IT)
@pytest.mark.parametrize(("count", "poll_seconds"), [(30, 5), (MANY, 5)])
def test_whatever_comes_of_it_the_history_holds_every_look(
    count: int, poll_seconds: int, what: str
) -> None:
    """Requests that somebody has in hands keep an endpoint 35 minutes; here all stay 50."""
    assert history(count, poll_seconds, *COMES_OF_IT[what]) < MOST_EVENTS


def test_what_a_look_puts_out_does_not_grow_with_the_answers() -> None:
    for name in ("Retire", "LeftForNextLook"):
        assert len(json.dumps([inside()[name].get("Output", "x" * ANSWER_BYTES)] * MANY)) < (
            MOST_BYTES
        )
    assert states()["RetireAll"]["Output"] == {}


def test_what_an_ask_is_said_to_take_of_the_history_is_what_it_takes() -> None:
    assert inside()["Retire"]["Output"] == {"events": of_an_ask(heard=True)}
    assert inside()["LeftForNextLook"]["Output"] == {"events": of_an_ask(heard=False)}


@dataclass
class Endpoint:
    phase: str = "AWAKE"
    discards: bool = False


@dataclass
class Fleet:
    """Answers the machine, and keeps whom it asked in which look."""

    endpoints: dict[str, Endpoint]
    hears: Callable[[str, int], bool]  # its name, and in which look
    clock: float = 0.0
    asked: list[set[str]] = field(default_factory=list)

    def now(self) -> float:
        return self.clock

    def task(self, execution: Execution, resource: str, arguments: Any) -> Steps:
        yield self.clock
        if not resource.endswith(":query"):
            return self._ask(arguments["Payload"]["endpoint"])
        self.asked.append(set())
        return {"Items": [item for name in self.endpoints for item in self._items(name)]}

    def _items(self, name: str) -> list[dict[str, Any]]:
        one = self.endpoints[name]
        status = {"phase": {"S": one.phase}, "discard_requests": {"Bool": one.discards}}
        return [{"sk": {"S": f"{name}#SPEC"}}, {"sk": {"S": f"{name}#STATUS"}, **status}]

    def _ask(self, name: str) -> dict[str, Any]:
        self.asked[-1].add(name)
        if not self.hears(name, len(self.asked)):
            raise Failure("Lambda.TooManyRequestsException")
        self.endpoints[name] = Endpoint("RETIRING", discards=True)
        return {"Payload": {"ok": True}}

    def asked_in(self, looks: int) -> list[set[str]]:
        """In each of the first looks."""
        whole = {"StartAt": "Begin", "States": states()}
        execution = Execution("arn", "one", "retire-stack", whole, {"a": 1}, 0.0, self)
        while execution.running and len(self.asked) <= looks:
            execution.step()
            self.clock = max(self.clock, execution.due)
        assert execution.running, execution.cause
        return self.asked[:looks]


def test_all_are_asked_once_and_then_those_that_do_not_go_or_keep_their_requests() -> None:
    """Of a retirement that a person began the first look has to say that the stack is deleted."""
    endpoints = {
        "goes, by a person's wish": Endpoint("RETIRING", discards=True),
        "goes, and keeps requests": Endpoint("RETIRING"),
        "failed": Endpoint("FAILED"),
        "awake": Endpoint("AWAKE"),
    }
    deaf = {"goes, and keeps requests", "failed"}
    fleet = Fleet(endpoints, lambda name, look: name not in deaf or look > 2)
    assert fleet.asked_in(4) == [set(endpoints), deaf, deaf, set()]


def test_one_whose_phase_is_another_again_is_asked_again() -> None:
    def hears(name: str, look: int) -> bool:
        if look == 2:
            fleet.endpoints["two"] = Endpoint("FAILED", discards=True)
        return look != 1

    fleet = Fleet({"one": Endpoint(), "two": Endpoint("RETIRING", discards=True)}, hears)
    assert fleet.asked_in(4) == [{"one", "two"}, {"one"}, {"two"}, set()]
