"""Every state of every machine keeps to the rules, and one that does not is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.machine_rules import wrong_with
from tests.contract.test_statemachines import MACHINES, ROOT, machine, scopes

TIMEOUTS = {
    f"{stem.title().replace('_', '')}Arn": machine(ROOT / "statemachines" / f"{stem}.asl.yaml")[
        "TimeoutSeconds"
    ]
    for stem in ("stage_weights", "create_capacity", "remove_capacity", "reshape_capacity")
}


def wrong(definition: dict[str, Any]) -> list[str]:
    return [line for scope in scopes(definition) for line in wrong_with(scope["States"], TIMEOUTS)]


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_every_state_keeps_to_the_rules(path: Path) -> None:
    """Retry by class of error, Catch, TimeoutSeconds, waits that look again, names that repeat."""
    definition = machine(path)
    assert definition["QueryLanguage"] == "JSONata"
    assert definition["TimeoutSeconds"] > 0
    assert wrong(definition) == []


EVERYTHING = {"ErrorEquals": ["States.ALL"], "Next": "Undo"}
BREAKS = {
    "Retry": (lambda state: state.pop("Retry"), "lacks Retry"),
    "an empty Retry": (lambda state: state.update(Retry=[]), "lacks Retry"),
    "Catch": (lambda state: state.pop("Catch"), "lacks Catch"),
    "a timeout": (lambda state: state.pop("TimeoutSeconds"), "lacks TimeoutSeconds"),
    "classes": (
        lambda state: state["Retry"].append({"ErrorEquals": ["States.ALL"], "MaxAttempts": 3}),
        "tries States.ALL again, which will not get better",
    ),
    "a refusal": (
        lambda state: state["Retry"][0]["ErrorEquals"].append("SageMaker.SageMakerException"),
        "tries SageMaker.SageMakerException again",
    ),
    "a pause": (lambda state: state["Retry"][0].pop("IntervalSeconds"), "without saying how"),
    "lost answers": (
        lambda state: [rule.update(ErrorEquals=["States.Timeout"]) for rule in state["Retry"]],
        "does not try again when an answer is lost",
    ),
    "a whole Catch": (
        lambda state: state["Catch"][-1].update(ErrorEquals=["States.Timeout"]),
        "does not catch everything",
    ),
    "a second question": (
        lambda state: state["Catch"].insert(
            0, {"ErrorEquals": ["Sqs.QueueDoesNotExistException"], "Next": "Undo"}
        ),
        "believes the first word that there is no queue",
    ),
    "a missing cause": (
        lambda state: state["Catch"][-1].update(Assign={"problem": "{% $states.errorOutput %}"}),
        "hopes that an error has a cause",
    ),
    "its heart": (lambda state: state.update(HeartbeatSeconds=30), "that nobody beats"),
    "the way back": (
        lambda state: state.update(Catch=[EVERYTHING]),
        "a throttle without a name of its own is not tried again",
    ),
}


@pytest.mark.parametrize("lost", BREAKS)
def test_a_task_that_loses_what_it_needs_is_named(lost: str) -> None:
    definition = machine(ROOT / "statemachines" / "deploy_endpoint.asl.yaml")
    break_it, words = BREAKS[lost]
    break_it(definition["States"]["CreateQueue"])
    assert any(line.startswith("CreateQueue: ") and words in line for line in wrong(definition))


@pytest.mark.parametrize(
    ("state", "field", "value", "words"),
    [
        ("StageWeights", "Name", "{% $endpoint & $uuid() %}", "not named from the generation"),
        (
            "StageWeights",
            "Name",
            "{% $endpoint & '-' & $string($generation) & $uuid() %}",
            "not named",
        ),
        ("CreateCapacity", "TimeoutSeconds", 18000, "gives up before its execution"),
        ("WaitOutTrouble", "Seconds", "{% $patience %}", "nobody knows how long"),
        ("IsPassing", "Default", "CreateQueue", "goes round without a Wait"),
    ],
)
def test_a_name_by_chance_a_short_patience_and_a_restless_circle_are_named(
    state: str, field: str, value: Any, words: str
) -> None:
    definition = machine(ROOT / "statemachines" / "deploy_endpoint.asl.yaml")
    broken = definition["States"][state]
    (broken["Arguments"] if field == "Name" else broken)[field] = value
    assert any(line.startswith(f"{state}: ") and words in line for line in wrong(definition))
