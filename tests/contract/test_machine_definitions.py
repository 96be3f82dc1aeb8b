"""What Step Functions refuses when a machine is created, and the deployment with it.

The embedded account takes some of it, and so does AWS's schema of the language: these are the rules
of the service itself, on variables, on fields by type of state, and on what an expression may read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonata import Jsonata

from tests.contract.test_statemachines import MACHINES, ROOT, expressions, machine, scopes

each = pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")
# Where the service takes a field; of any other type of state it is "not supported".
TAKEN = {
    "TimeoutSeconds": {"Task"},
    "HeartbeatSeconds": {"Task"},
    "Retry": {"Task", "Parallel", "Map"},
    "Catch": {"Task", "Parallel", "Map"},
    "Arguments": {"Task", "Parallel"},
    "Assign": {"Task", "Parallel", "Map", "Pass", "Choice", "Wait"},
    "Output": {"Task", "Parallel", "Map", "Pass", "Choice", "Wait", "Succeed"},
}


def assigned(states: dict[str, Any]) -> set[str]:
    """The variables that these states set; those of a Map's processor are not among them."""
    places = [
        place
        for state in states.values()
        for place in (state, *state.get("Catch", ()), *state.get("Choices", ()))
    ]
    return {name for place in places for name in place.get("Assign", {})}


@each
def test_no_map_sets_a_variable_of_the_machine_around_it(path: Path) -> None:
    """A variable that is set in an inner scope may not have the name of one in an outer scope."""
    outer, *inner = scopes(machine(path))
    for one in inner:
        assert assigned(outer["States"]) & assigned(one["States"]) == set(), one["StartAt"]


def test_what_is_staged_apart_reads_no_variable_of_the_machine_around_it() -> None:
    """Nor can it: a distributed Map's children are executions of their own."""
    outer, inner = scopes(machine(ROOT / "statemachines" / "stage_weights.asl.yaml"))
    assert inner["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    read = {name for one in expressions(inner) for name in re.findall(r"\$(\w+)", one)}
    assert read & assigned(inner["States"])
    assert read & assigned(outer["States"]) == set()


@each
def test_every_field_is_one_that_its_type_of_state_takes(path: Path) -> None:
    for scope in scopes(machine(path)):
        assert not {"QueryLanguage", "ProcessorConfig"} <= scope.keys()
        for name, state in scope["States"].items():
            wrong = {field for field, types in TAKEN.items() if state["Type"] not in types}
            assert wrong & state.keys() == set(), name


def without_context(part: Any, inside: bool = False) -> Iterator[str]:
    """The names in an expression that are read of no item: it begins with none."""
    if isinstance(part, list | tuple):
        for one in part:
            yield from without_context(one, inside)
    if not hasattr(part, "type") or not hasattr(part, "value"):
        return
    if part.type == "name" and not inside:
        yield str(part.value)
    for field, inner in vars(part).items():
        if field.startswith("_") or (field == "arguments" and part.type == "lambda"):
            continue
        if field == "steps" and part.type == "path":
            yield from without_context(inner[:1], inside)
            yield from without_context(inner[1:], True)
            continue
        filters = field in ("predicate", "stages", "group") or part.type == "filter"
        yield from without_context(inner, inside or filters or part.type == "path")


def read_of_nothing(expression: str) -> list[str]:
    return list(without_context(Jsonata(_SUBSTITUTION.sub("1", expression)).ast))


@each
def test_every_expression_begins_with_a_variable(path: Path) -> None:
    found = expressions(machine(path))
    assert found and {one: read_of_nothing(one) for one in found if read_of_nothing(one)} == {}
    assert [one for one in found if "$$" in one or "$eval" in one] == []


def test_what_begins_with_a_name_is_found() -> None:
    assert read_of_nothing("phone") == ["phone"]
    assert read_of_nothing("$states.input.phone & name.first") == ["name"]
    assert read_of_nothing("{'a': phone}") == ["phone"]
    assert read_of_nothing("$count(items[kind = 'x'])") == ["items"]
    assert read_of_nothing("$states.input.items[kind = 'x'].$string(kind)") == []


@each
def test_only_a_catcher_reads_the_error(path: Path) -> None:
    for scope in scopes(machine(path)):
        for name, state in scope["States"].items():
            rest = {
                key: value for key, value in state.items() if key not in ("Catch", "ItemProcessor")
            }
            assert not any("$states.errorOutput" in one for one in expressions(rest)), name
