"""Deployed, changed, deleted and deployed again: what CloudFormation stumbles over, none is there.

No parameter can be changed so that a named resource has to be made anew. CloudFormation makes the
new one before it removes the old one; under a name that the template gives, the service answers
that there is one already, and the whole update is rolled back. Which properties cannot be changed
in place is said by AWS's own schemas, as cfn-lint has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from autoscaler.endpoints.names import ResourceNames
from tests.releases.archive import unpacked
from tools.embedded.kernel.stack import load
from tools.permissions.grants import EVERYTHING

ROOT = Path(__file__).parents[2]
# SAM gives each version of a layer a logical id of its own, and a version is no name.
ALWAYS_NEW = {"AWS::Lambda::LayerVersion"}


@cache
def template() -> dict[str, Any]:
    return load(ROOT / "template.yaml", EVERYTHING)


def fixed(kind: str) -> list[tuple[str, ...]]:
    """Paths of the properties that cannot be changed in place."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    paths = schema.get("createOnlyProperties", ())
    return [tuple(one.removeprefix("/properties/").split("/")) for one in paths]


def at(properties: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        properties = properties.get(step) if isinstance(properties, dict) else None
    return properties


def is_name(path: tuple[str, ...]) -> bool:
    return path[-1].endswith("Name")


def asked(value: Any) -> set[str]:
    """The parameters on which a value depends, by itself or by a condition."""
    if isinstance(value, list):
        return {name for one in value for name in asked(one)}
    if not isinstance(value, dict):
        return set()
    if "Fn::If" in value:
        condition, *ways = value["Fn::If"]
        return asked(template()["Conditions"][condition]) | asked(ways)
    if "Condition" in value and isinstance(value["Condition"], str) and len(value) == 1:
        return asked(template()["Conditions"][value["Condition"]])
    found = {value["Ref"]} if "Ref" in value else set()
    if text := value.get("Fn::Sub"):
        found |= {name for name in template()["Parameters"] if "${" + name + "}" in str(text)}
    return (found & template()["Parameters"].keys()) | asked(list(value.values()))


def made_anew(kind: str, properties: dict[str, Any]) -> set[str]:
    """The parameters whose change would have a resource made anew under the name that it has."""
    paths = fixed(kind)
    if not any(is_name(path) and at(properties, path) is not None for path in paths):
        return set()
    return {name for path in paths if not is_name(path) for name in asked(at(properties, path))}


def own(kind: str) -> bool:
    return kind.startswith("AWS::") and kind not in ALWAYS_NEW


@pytest.mark.parametrize("kind", sorted({r["Type"] for r in template()["Resources"].values()}))
def test_no_parameter_has_a_named_resource_made_anew(kind: str) -> None:
    resources = template()["Resources"].items()
    found = {
        name: one["Properties"] for name, one in resources if one["Type"] == kind and own(kind)
    }
    assert {name: made_anew(kind, one) for name, one in found.items() if made_anew(kind, one)} == {}


def test_the_rule_sees_a_budget_that_has_a_name_and_an_address() -> None:
    """As it was: who changed AlarmEmail had the update rolled back, "the budget already exists"."""
    budget = template()["Resources"]["StackBudget"]["Properties"]
    named = {**budget, "Budget": {**budget["Budget"], "BudgetName": "autoscaler-monthly"}}
    assert made_anew("AWS::Budgets::Budget", named) == {"AlarmEmail"}


def test_buckets_outlive_their_stack_and_not_a_deployment_that_fails() -> None:
    """`Retain` alone leaves three empty ones behind with each try, which nothing names any more."""
    resources = template()["Resources"].values()
    buckets = [one for one in resources if one["Type"] == "AWS::S3::Bucket"]
    assert len(buckets) == 3
    for one in buckets:
        assert one["DeletionPolicy"] == "RetainExceptOnCreate"
        assert one["UpdateReplacePolicy"] == "Retain"


# What the services allow of names that begin with the stack's.
LONGEST = {
    "AWS::Lambda::Function": ("FunctionName", 64),
    "AWS::Scheduler::Schedule": ("Name", 64),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", 80),
    "AWS::Lambda::LayerVersion": ("LayerName", 140),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255),
    "AWS::Events::EventBus": ("Name", 256),
    "AWS::SecretsManager::Secret": ("Name", 512),
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
}


def room() -> int:
    """The most characters that a stack's name may have."""
    most = []
    for one in template()["Resources"].values():
        if one["Type"] in LONGEST:
            name, limit = LONGEST[one["Type"]]
            said = one["Properties"][name].get("Fn::Sub", "${AWS::StackName}")
            most.append(limit - len(said.replace("${AWS::StackName}", "")))
    return min(most)


def test_the_readme_says_how_long_a_stacks_name_may_be() -> None:
    """A longer one is refused in the middle of the deployment, by the first function."""
    readme = " ".join((ROOT / "README.md").read_text().split())
    together = re.search(r"has (\d+) characters at most, with an endpoint's (\d+) together", readme)
    assert together and int(together[1]) == room()
    longest = int(together[2])
    ResourceNames("s" * room(), "e" * (longest - room()))
    with pytest.raises(ValueError, match="too long"):
        ResourceNames("s" * room(), "e" * (longest - room() + 1))


def test_nobody_is_told_to_set_a_parameter_for_one_deployment_alone() -> None:
    """The next `sam deploy` takes it back: a stack that observes acts, a secret is deleted."""
    said = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    said += [*(ROOT / "tools").rglob("*.py"), *(ROOT / "layers").rglob("*.py")]
    told = re.compile(r"sam deploy [^\n`]*--parameter-overrides")
    assert [path for path in said if told.search(path.read_text())] == []


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The resources of the release before."""
    folder = unpacked(tmp_path_factory.mktemp("release"))
    resources: dict[str, Any] = load(folder / "template.yaml", EVERYTHING)["Resources"]
    return resources


def named(resources: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """(type, name) and the logical id of what the template names."""
    for logical, one in resources.items():
        kind = one["Type"]
        if kind in LONGEST and kind not in ALWAYS_NEW:
            yield (kind, json.dumps(one["Properties"][LONGEST[kind][0]])), logical


def test_an_update_gives_no_name_to_another_resource(before: dict[str, Any]) -> None:
    """The one that had it goes last, so that the other is refused and the update rolled back."""
    had, has = dict(named(before)), dict(named(template()["Resources"]))
    assert had and {name: one for name, one in had.items() if has.get(name, one) != one} == {}


def test_an_update_does_not_write_over_what_people_put_into_a_secret(
    before: dict[str, Any],
) -> None:
    """CloudFormation writes a value when the template's own is another one than before."""
    for logical, one in before.items():
        if one["Type"] == "AWS::SecretsManager::Secret":
            now = template()["Resources"][logical]["Properties"]
            assert now["SecretString"] == one["Properties"]["SecretString"] == "unset"
