"""What `sam validate --lint` does not see in a state machine."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from jsonata import Jsonata

from autoscaler.staging.plan import MAX_FILES
from tests.contract.machine_rules import targets
from tools.embedded.kernel.expressions import evaluated as value_of
from tools.embedded.kernel.states import spelled

ROOT = Path(__file__).parents[2]
MACHINES = sorted((ROOT / "statemachines").glob("*.asl.yaml"))
_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


class _Template(yaml.CSafeLoader):
    """Reads CloudFormation's short tags as plain values."""


_Template.add_multi_constructor(
    "!",
    lambda loader, _suffix, node: (
        loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node, deep=True)
        if isinstance(node, yaml.SequenceNode)
        else loader.construct_mapping(node, deep=True)
    ),
)


@cache
def template() -> dict[str, Any]:
    """Nobody may change it: it is read once for all."""
    return yaml.load((ROOT / "template.yaml").read_text(), _Template)


def machine(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), yaml.CSafeLoader)


def scopes(definition: dict[str, Any]) -> list[dict[str, Any]]:
    """The states of the machine and of every Map's processor, each with its start."""
    found = [definition]
    for state in definition["States"].values():
        if "ItemProcessor" in state:
            found += scopes(state["ItemProcessor"])
    return found


def expressions(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [e for inner in value.values() for e in expressions(inner)]
    if isinstance(value, list):
        return [e for inner in value for e in expressions(inner)]
    if isinstance(value, str) and value.startswith("{%"):
        return [value.removeprefix("{%").removesuffix("%}").strip()]
    return []


def test_there_are_machines() -> None:
    assert len(MACHINES) >= 7


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_every_target_exists_and_every_state_is_reached(path: Path) -> None:
    for scope in scopes(machine(path)):
        states = scope["States"]
        reached, todo = set(), [scope["StartAt"]]
        while todo:
            name = todo.pop()
            assert name in states, f"{name} does not exist"
            if name not in reached:
                reached.add(name)
                todo += targets(states[name])
        assert reached == set(states)


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_no_name_is_there_twice_not_even_in_a_map(path: Path) -> None:
    names = [name for scope in scopes(machine(path)) for name in scope["States"]]
    assert len(names) == len(set(names))


def test_staging_survives_whatever_ends_a_function_from_outside() -> None:
    """By the names under which Lambda and the embedded account report it."""
    ends = {"Lambda.Unknown", "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout"}
    definition = machine(ROOT / "statemachines" / "stage_weights.asl.yaml")
    for scope in scopes(definition):
        for name, state in scope["States"].items():
            if state["Type"] == "Task":
                retried = {error for rule in state["Retry"] for error in rule["ErrorEquals"]}
                assert ends <= retried or "States.ALL" in retried, name


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_every_substitution_is_given_by_the_template_and_used(path: Path) -> None:
    given = [
        resource["Properties"]["DefinitionSubstitutions"].keys()
        for resource in template()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::StateMachine"
        and resource["Properties"]["DefinitionUri"].endswith(path.name)
    ]
    assert len(given) == 1
    assert set(_SUBSTITUTION.findall(path.read_text())) == set(given[0])


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_every_expression_parses(path: Path) -> None:
    found = expressions(machine(path))
    for expression in found:
        Jsonata.jsonata(_SUBSTITUTION.sub("1", expression))
    assert found


def calls(path: Path) -> list[tuple[str, str, str, Any]]:
    """(state, service, operation, arguments) of every SDK integration."""
    found = []
    for scope in scopes(machine(path)):
        for name, state in scope["States"].items():
            integration = re.search(r":aws-sdk:(\w+):(\w+)$", state.get("Resource", ""))
            if integration:
                found.append((name, *integration.groups(), state["Arguments"]))
    return found


BOTO = {
    "applicationautoscaling": "application-autoscaling",
    "cloudwatch": "cloudwatch",
    "cloudwatchlogs": "logs",
    "dynamodb": "dynamodb",
    "lambda": "lambda",
    "sagemaker": "sagemaker",
    "sqs": "sqs",
}


@pytest.mark.parametrize(
    ("member", "word"),
    [
        ("UUID", "Uuid"),
        ("KMSKeyId", "KmsKeyId"),
        ("QueueUrl", "QueueUrl"),
        ("tableName", "TableName"),
        ("EndpointARN", "EndpointArn"),
        ("S3Bucket", "S3Bucket"),
    ],
)
def test_an_abbreviation_is_a_word_like_any_other(member: str, word: str) -> None:
    assert spelled(member) == word


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_every_sdk_call_is_spelled_as_step_functions_wants_it(path: Path) -> None:
    for name, service, operation, arguments in calls(path):
        model = botocore.session.get_session().get_service_model(BOTO[service])
        shape = model.operation_model(operation[0].upper() + operation[1:]).input_shape
        assert operation[0].islower(), name
        if isinstance(arguments, dict):  # else it is made by code, and checked there
            assert arguments.keys() <= {spelled(member) for member in shape.members}, name
            assert set(map(spelled, shape.required_members)) <= arguments.keys(), name


def test_capacity_is_removed_from_what_depends_to_what_is_depended_on() -> None:
    definition = machine(ROOT / "statemachines" / "remove_capacity.asl.yaml")
    operations = [call[2] for call in calls(ROOT / "statemachines" / "remove_capacity.asl.yaml")]
    assert definition["StartAt"] == "Begin"
    assert [one for one in operations if not one.startswith("describe")] == [
        "deregisterScalableTarget",
        "deleteAlarms",
        "deleteInferenceComponent",
        "listInferenceComponents",
        "deleteEndpoint",
        "deregisterScalableTarget",  # once more: what bills did not wait for it
        "deleteAlarms",
        "deleteEndpointConfig",  # what is inside a map is listed last
        "deleteModel",
    ]


def test_a_queue_is_closed_first_and_is_read_until_it_is_seen_empty() -> None:
    """What was sent before is answered: its reader goes last, just before the queue."""
    path = ROOT / "statemachines" / "retire_endpoint.asl.yaml"
    definition, order = machine(path), []
    name = definition["StartAt"]
    while name:
        order.append(name)
        state = definition["States"][name]
        choices = {rule["Next"] for rule in state.get("Choices", ())}
        onward = {"IsThereAQueue": "LookAtQueue", "MayDeleteQueue": "DeleteQueue"}
        aside = {"LookAtWish", "FindReader"}
        name = onward.get(name) or next(iter(choices - aside), state.get("Next"))
    wanted = ["CloseQueue", "RemoveCapacity", "LookAtQueue", "IsEmpty", "DeleteMapping"]
    assert [one for one in order if one in {*wanted, "DeleteQueue"}] == [*wanted, "DeleteQueue"]
    empty = definition["States"]["IsEmpty"]["Choices"][0]["Condition"]
    assert "$waiting = 0" in empty
    assert definition["States"]["IsEmpty"]["Default"] == "WaitForAnswers"


def test_the_template_has_one_machine_for_every_file() -> None:
    uris = {
        Path(resource["Properties"]["DefinitionUri"]).name
        for resource in template()["Resources"].values()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }
    assert uris == {path.name for path in MACHINES}


def test_every_handler_has_a_function_and_every_function_a_handler_and_kept_logs() -> None:
    resources = template()["Resources"]
    functions = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    files = [*(ROOT / "functions").glob("*/app.py"), *(ROOT / "functions").glob("*/run.sh")]
    folders = {path.parent.name for path in files}
    assert {Path(properties["CodeUri"]).name for properties in functions.values()} == folders
    for name, properties in functions.items():
        assert properties["FunctionName"].endswith(
            Path(properties["CodeUri"]).name.replace("_", "-")
        )
        assert "RetentionInDays" in resources[f"{name}Logs"]["Properties"]
        # by this reference CloudFormation deletes the function before the group it logs to
        assert properties["LoggingConfig"]["LogGroup"] == f"{name}Logs"


@pytest.mark.parametrize(
    ("kind", "found", "status", "judged"),
    [
        ("component", "llama-r1", "InService", "CreateComponent"),
        ("component", "llama-r1", "Creating", "WaitForEndpoint"),
        ("component", "llama-r1", "Failed", "Failed"),
        # what an earlier try left, on the machines of another rung
        ("component", "llama", "InService", "Failed"),
        ("component", "llama", "Creating", "Failed"),
        ("realtime", "llama", "Creating", "Failed"),
        ("async", "llama", "InService", "Failed"),
        ("async", "llama-r1", "Creating", "LookAtStart"),
    ],
)
def test_an_endpoint_that_is_there_already_must_have_the_config_that_was_asked_for(
    kind: str, found: str, status: str, judged: str
) -> None:
    states = machine(ROOT / "statemachines" / "create_capacity.asl.yaml")["States"]

    def evaluated(text: str, **variables: Any) -> Any:
        bound = "".join(f"${name} := {json.dumps(value)};" for name, value in variables.items())
        inner = _SUBSTITUTION.sub("600", text).removeprefix("{%").removesuffix("%}")
        return Jsonata.jsonata(f"({bound}{inner})").evaluate(None)

    result = {"EndpointConfigName": found, "EndpointStatus": status}
    asked = {"endpoint": {"EndpointConfigName": "llama-r1"}}
    other = evaluated(
        states["LookAtEndpoint"]["Assign"]["other"], states={"result": result}, requests=asked
    )
    judge = states["JudgeEndpoint"]
    seen = {"other": other, "status": status, "seconds": 1, "requests": {**asked, "kind": kind}}
    went = (one["Next"] for one in judge["Choices"] if evaluated(one["Condition"], **seen))
    assert next(went, judge["Default"]) == judged


def test_what_all_files_say_of_their_failure_fits_through_the_machine() -> None:
    """Step Functions ends at 256 KiB what no Catch sees: States.DataLimitExceeded."""
    definition = machine(ROOT / "statemachines" / "stage_weights.asl.yaml")
    child = definition["States"]["StageFiles"]["ItemProcessor"]["States"]["StageFile"]
    output = child["Catch"][-1]["Output"]

    def told(error: dict[str, str]) -> dict[str, Any]:
        failure = {
            name: value_of(text.strip("{%} "), {"states": {"errorOutput": error}})
            for name, text in output["failure"].items()
        }
        return {**output, "failure": failure}

    said = json.dumps({"errorMessage": "\\ ".join(["why"] * 300), "errorType": "HubError"})
    each = told({"Error": "DigestUnavailableError", "Cause": said})
    assert len(json.dumps([each] * MAX_FILES)) < 256 * 1024
    assert told({"Error": "States.Timeout"})["failure"] == {"Error": "States.Timeout", "Cause": ""}


def test_no_call_has_an_empty_argument_where_a_parameter_is_left_empty() -> None:
    """What is written out may be checked when a machine is made, reached or not."""
    empty = {name for name, one in template()["Parameters"].items() if one.get("Default") == ""}
    for path in MACHINES:
        for scope in scopes(machine(path)):
            for name, state in scope["States"].items():
                given = state.get("Arguments", {})
                values = given.values() if isinstance(given, dict) else ()
                bare = [_SUBSTITUTION.fullmatch(str(value)) for value in values]
                assert not empty & {found[1] for found in bare if found}, f"{path.stem}: {name}"
