"""What template.yaml gives to functions and state machines, with its parameters as by default."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION
from tools.permissions.grants import arn_of

ROOT = Path(__file__).parents[2]
STACK = "autoscaler"
MACHINE = f"arn:aws:states:{DEFAULT_REGION}:{ACCOUNT_ID}:stateMachine:{STACK}-"
_PSEUDO = {
    "AWS::StackName": STACK,
    "AWS::Region": DEFAULT_REGION,
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::Partition": "aws",
    "AWS::NoValue": None,
}
# Where nobody gave a secret of his own, and nothing else that is optional.
_HOLDS = {"HasHubSecret", "MakeHubSecret", "MakeSlackSecret"}
_SUBSTITUTE = re.compile(r"\$\{([^}]+)\}")


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short tags as one-entry objects."""


def _tagged(loader: Any, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {f"!{suffix}": loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {f"!{suffix}": loader.construct_sequence(node, deep=True)}
    return {f"!{suffix}": loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _tagged)


@cache
def template() -> dict[str, Any]:
    return dict(yaml.load((ROOT / "template.yaml").read_text(), _Loader))


def resources(kind: str) -> dict[str, Any]:
    """The properties of all of a kind, by logical id."""
    found = template()["Resources"]
    return {name: one["Properties"] for name, one in found.items() if one["Type"] == kind}


def resolved(value: Any) -> Any:
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not next(iter(value)).startswith("!"):
        return {key: resolved(item) for key, item in value.items()}
    ((tag, given),) = value.items()
    return _TAGS[tag](given)


def _ref(name: str) -> Any:
    if name in _PSEUDO:
        return _PSEUDO[name]
    parameters = template()["Parameters"]
    return parameters[name]["Default"] if name in parameters else _resource(name)


def _resource(name: str) -> str:
    """What a reference to it gives; names as the histories have them."""
    if name.endswith("Machine"):
        return _arn(f"{name}.Arn")
    if name.endswith("Topic"):
        return f"arn:aws:sns:{DEFAULT_REGION}:{ACCOUNT_ID}:{STACK}-{_dashed(name)}"
    if name.endswith("Queue"):
        return f"https://sqs.{DEFAULT_REGION}.amazonaws.com/{ACCOUNT_ID}/{STACK}-{_dashed(name)}"
    if name.endswith("Secret"):  # whose ARN ends in letters that nobody knows before
        secret = resolved(resources("AWS::SecretsManager::Secret")[name]["Name"])
        return f"arn:aws:secretsmanager:{DEFAULT_REGION}:{ACCOUNT_ID}:secret:{secret}-??????"
    return STACK if name in ("Table", "Bus") else f"{STACK}-{_dashed(name)}"


def _arn(path: str) -> str:
    logical, _, attribute = path.partition(".")
    assert attribute in ("Arn", "Name"), path
    if logical.endswith("Function"):
        return function_arn(_dashed(logical.removesuffix("Function")))
    if logical.endswith("Machine"):
        return MACHINE + _dashed(logical.removesuffix("Machine"))
    return arn_of(template()["Resources"][logical]["Type"], _resource(logical).rpartition("/")[2])


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{DEFAULT_REGION}:{ACCOUNT_ID}:function:{STACK}-{name}"


def _sub(given: Any) -> str:
    def one(match: re.Match[str]) -> str:
        name = match[1]
        return str(_arn(name) if "." in name else _ref(name))

    return _SUBSTITUTE.sub(one, given)


def _if(given: Any) -> Any:
    return resolved(given[1 if given[0] in _HOLDS else 2])


def _join(given: Any) -> str:
    parts = resolved(given[1])
    return str(given[0]).join([parts] if isinstance(parts, str) else map(str, parts))


_TAGS = {"!Ref": _ref, "!GetAtt": _arn, "!Sub": _sub, "!If": _if, "!Join": _join}


def _dashed(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


@cache
def machines() -> dict[str, dict[str, Any]]:
    """The state machines by their ARNs, placeholders filled in."""
    found = {}
    for properties in resources("AWS::Serverless::StateMachine").values():
        text = (ROOT / properties["DefinitionUri"]).read_text()
        for name, value in resolved(properties["DefinitionSubstitutions"]).items():
            text = text.replace(f"${{{name}}}", str(value))
        assert "${" not in text, properties["DefinitionUri"]
        name = resolved(properties["Name"]).removeprefix(f"{STACK}-")
        found[MACHINE + name] = yaml.load(text, yaml.CSafeLoader)
    return found


@cache
def functions() -> dict[str, Path]:
    """The handler of each function, by its ARN."""
    found = {}
    for properties in resources("AWS::Serverless::Function").values():
        name = resolved(properties["FunctionName"]).removeprefix(f"{STACK}-")
        found[function_arn(name)] = ROOT / properties["CodeUri"] / "app.py"
    return found


@cache
def environment() -> dict[str, str]:
    """The variables of all functions: none has another value in another one."""
    given = dict(template()["Globals"]["Function"]["Environment"]["Variables"])
    for properties in resources("AWS::Serverless::Function").values():
        more = properties.get("Environment", {}).get("Variables", {})
        for name, value in more.items():
            assert given.setdefault(name, value) == value, name
    return {name: str(resolved(value)) for name, value in given.items()}
