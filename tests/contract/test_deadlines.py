"""How long the state machines wait, in seconds of their clock."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from jsonata import Jsonata

from autoscaler.control.patience import paced
from autoscaler.control.stuck import MARGIN, RESHAPE_WAKES
from tests.contract.machine_rules import LONGEST_BETWEEN_LOOKS
from tests.contract.test_statemachines import _SUBSTITUTION, ROOT, machine, template
from tests.memory import NOON
from tools.cli.client import LONGEST_ANSWER_SECONDS

START = "2026-11-24T12:00:00.000Z"
DEADLINES = [
    # machine, the state that sets the deadline, the one that keeps to it
    ("sleep_endpoint", "Guard", "IsZero", "SleepSeconds"),
    ("remove_capacity", "Begin", "IsPatient", "RemoveSeconds"),
    ("retire_stack", "ListEndpoints", "AreAnyLeft", "RemoveSeconds"),
]


def evaluated(expression: str, substitutions: dict[str, int], **variables: Any) -> Any:
    text = _SUBSTITUTION.sub(lambda found: str(substitutions[found[1]]), expression)
    bound = "".join(f"${name} := {json.dumps(value)};" for name, value in variables.items())
    return Jsonata.jsonata(f"({bound}{text.removeprefix('{%').removesuffix('%}')})").evaluate(None)


def context(seconds: float) -> dict[str, Any]:
    entered = datetime.fromisoformat(START) + timedelta(seconds=seconds)
    return {
        "context": {
            "Execution": {"StartTime": START},
            "State": {"EnteredTime": entered.isoformat()},
        }
    }


@pytest.mark.parametrize(("stem", "sets", "keeps", "limit"), DEADLINES)
def test_patience_is_counted_in_seconds_whatever_the_time_between_two_looks(
    stem: str, sets: str, keeps: str, limit: str
) -> None:
    path = ROOT / "statemachines" / f"{stem}.asl.yaml"
    states, most = machine(path)["States"], {limit: 3600}
    deadline = evaluated(states[sets]["Assign"]["deadline"], most, states=context(0))
    state = states[keeps]
    (judged,) = {
        one
        for one in [state.get("Assign", {}).get("late"), *map(condition, state.get("Choices", ()))]
        if one and "$deadline" in one
    }
    for seconds, late in ((2700, False), (3599, False), (3600, True)):
        now = context(seconds)
        assert evaluated(judged, most, states=now, deadline=deadline, instances=1) is late


def condition(rule: dict[str, Any]) -> str:
    return str(rule["Condition"])


def test_a_creation_has_three_times_the_patience_of_a_wake_for_its_component() -> None:
    times = {
        stem: machine(ROOT / "statemachines" / f"{stem}.asl.yaml")["States"]["LookAtStart"][
            "Arguments"
        ]["Payload"].get("times", 1)
        for stem in ("wake_endpoint", "create_capacity")
    }
    assert times == {"wake_endpoint": 1, "create_capacity": 3}


def test_a_wake_may_take_as_long_as_the_largest_model_needs_and_its_machine_longer() -> None:
    parameter = template()["Parameters"]["WakeSeconds"]
    assert parameter["Default"] >= 45 * 60
    for stem, times in (("wake_endpoint", 1), ("create_capacity", 3)):
        path = ROOT / "statemachines" / f"{stem}.asl.yaml"
        assert machine(path)["TimeoutSeconds"] >= times * parameter["MaxValue"] + 600
        assert not re.search(r"[pP]olls", path.read_text())


def test_a_wake_is_stuck_when_it_outlives_its_machines_and_not_before() -> None:
    states = machine(ROOT / "statemachines" / "reshape_capacity.asl.yaml")["States"]
    deadline = evaluated(
        states["Begin"]["Assign"]["deadline"], {"WakeSeconds": 3600}, states=context(0)
    )
    began = datetime.fromisoformat(START).timestamp()
    assert deadline / 1000 - began == RESHAPE_WAKES * 3600
    wake = machine(ROOT / "statemachines" / "wake_endpoint.asl.yaml")["States"]
    asked = max(
        (rule for rule in wake["Probe"]["Retry"] if "BusyError" in rule["ErrorEquals"]),
        key=lambda rule: rule["MaxAttempts"],
    )
    each = wake["Probe"]["TimeoutSeconds"] + asked["MaxDelaySeconds"]
    troubles = 40 * LONGEST_BETWEEN_LOOKS
    assert MARGIN.total_seconds() >= (asked["MaxAttempts"] + 1) * each + troubles
    variables = template()["Resources"]["ReconcileFunction"]["Properties"]["Environment"]
    assert variables["Variables"]["WAKE_SECONDS"] == "WakeSeconds"


def test_a_queue_is_waited_for_longer_than_a_message_stays_out_of_sight() -> None:
    retire = template()["Resources"]["RetireEndpointMachine"]["Properties"]
    longest = paced(timedelta(days=1), NOON, NOON).total_seconds()
    assert longest == 1800
    assert int(retire["DefinitionSubstitutions"]["DrainSeconds"]) >= longest + 60


@pytest.mark.parametrize("function", ["Reconcile", "PlanWake", "RecordPhase"])
def test_whoever_decides_knows_how_long_a_tick_is(function: str) -> None:
    made = template()["Resources"][f"{function}Function"]["Properties"]
    assert made["Environment"]["Variables"]["TICK_MINUTES"] == "TickMinutes"


def test_the_command_line_waits_for_the_longest_function_that_it_calls() -> None:
    whole = template()
    called = {
        output["Value"]
        for name, output in whole["Outputs"].items()
        if name.endswith("FunctionName")
    }
    assert len(called) >= 3
    default = whole["Globals"]["Function"]["Timeout"]
    longest = max(whole["Resources"][one]["Properties"].get("Timeout", default) for one in called)
    assert longest < LONGEST_ANSWER_SECONDS
