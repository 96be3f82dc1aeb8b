"""The walker of state machines against the interpreter of the embedded account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.histories import expressions
from tests.histories.clock import StillClock
from tests.histories.forks import in_copy
from tests.histories.scenarios import awake
from tests.histories.template import machines
from tests.histories.walker import Execution
from tests.histories.world import NAME, TUESDAY, World
from tools.embedded.kernel.states import evaluate

_ENOUGH = 100  # of a life from its creation to its end


def _life(world: World) -> list[tuple[str, dict[str, Any], Any]]:
    """Every expression of a creation, a sleep, a wake and a removal, with what it was given."""
    seen: list[tuple[str, dict[str, Any], Any]] = []
    value = expressions._value

    def noting(expression: str, variables: Mapping[str, Any]) -> Any:
        given = json.loads(json.dumps(variables))
        found = value(expression, variables)
        seen.append((expression, given, json.loads(json.dumps(found))))
        return found

    expressions._value = noting
    awake(world)
    world.command("sleep", endpoint=NAME)
    world.run(420)
    world.send("one")
    world.run(420)
    world.command("delete", endpoint=NAME)
    world.run(420)
    assert world.phase() is None
    return seen


def test_expressions_have_the_values_that_the_account_gives_them(empty: World) -> None:
    seen = in_copy(lambda: _life(empty))
    distinct = {(expression, json.dumps(given)): found for expression, given, found in seen}
    assert len({expression for expression, _ in distinct}) > _ENOUGH
    for (expression, given), found in distinct.items():
        if "$uuid" not in expression:
            declared = "".join(f"${k}:={json.dumps(v)};" for k, v in json.loads(given).items())
            assert evaluate(f"({declared}{expression})") == found, expression


class _NoTasks:
    """For machines that come to no task."""

    def __init__(self) -> None:
        self._clock = StillClock(TUESDAY)

    def now(self) -> float:
        return self._clock.time()

    def task(self, _execution: Execution, resource: str, _arguments: Any) -> Any:
        raise AssertionError(resource)


def _execution(definition: Mapping[str, Any]) -> Execution:
    return Execution("arn", "one", "flow", definition, {}, 0.0, _NoTasks())  # type: ignore[arg-type]


def test_what_the_walker_does_not_know_it_refuses() -> None:
    parallel = {"StartAt": "A", "States": {"A": {"Type": "Parallel", "Branches": [], "End": True}}}
    with pytest.raises(NotImplementedError, match="Branches"):
        _execution(parallel).step()


def test_an_execution_above_its_time_fails() -> None:
    late = {"StartAt": "A", "TimeoutSeconds": 1, "States": {"A": {"Type": "Succeed"}}}
    execution = _execution(late)
    execution.step()
    assert (execution.status, execution.error) == ("TIMED_OUT", "States.Timeout")


def test_the_template_gives_every_machine_all_that_it_names() -> None:
    assert {arn.rpartition(":autoscaler-")[2] for arn in machines()} >= {
        "deploy-endpoint", "wake-endpoint", "sleep-endpoint", "update-endpoint", "retire-endpoint",
    }  # fmt: skip
