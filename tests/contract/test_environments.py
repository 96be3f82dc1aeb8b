"""What the template gives to functions and machines: secrets by name or ARN, never by value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.test_encryption import environments, of_type, template

# What a template can say that becomes a secret's value when the stack is made: CloudFormation puts
# a dynamic reference's value in, and Lambda shows a function's variables to whoever may read it.
_DYNAMIC = re.compile(r"\{\{\s*resolve:")
# Values themselves, by their shape: a webhook, tokens of Slack, the Hub, GitHub and AWS, a key.
_VALUE = re.compile(
    r"hooks\.slack\.com|\bxox[a-z]-|\bhf_\w{8}|\bgh[pousr]_\w{8}|\b(AKIA|ASIA)[A-Z0-9]{12}|-----BEGIN"
)
_SUBSTITUTED = re.compile(r"\$\{(?!!)([^}]+)\}")
_VALUE_NAMES = ("_TOKEN", "_PASSWORD", "_API_KEY", "_WEBHOOK", "_SECRET_VALUE")
_SECRET = "AWS::SecretsManager::Secret"
_STORED = "AWS::SSM::Parameter::Value"  # a parameter of this type is the value, not the name


def leaks(value: Any) -> list[str]:
    """Why what a variable is set to would hold a secret, in words; nothing for a name or an ARN."""
    said = json.dumps(value)
    found = [f"{one.pattern} in {said}" for one in (_DYNAMIC, _VALUE) if one.search(said)]
    return found + [why for path in _referred(value) if (why := _hands_out(*path))]


def _referred(value: Any) -> Iterator[tuple[str, str]]:
    """Every resource or parameter that a value is made of, with its attribute ("" for a Ref)."""
    if isinstance(value, list):
        for one in value:
            yield from _referred(one)
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        if name == "Ref":
            yield inner, ""
        elif name == "Fn::GetAtt":
            of, _, attribute = (inner if isinstance(inner, str) else ".".join(inner)).partition(".")
            yield of, attribute
        else:
            if name == "Fn::Sub":
                for one in _SUBSTITUTED.findall(inner if isinstance(inner, str) else inner[0]):
                    yield one.partition(".")[0], one.partition(".")[2]
            yield from _referred(inner)


def _hands_out(name: str, attribute: str) -> str:
    """Why a reference gives more than a name or an ARN; "" if it does not."""
    parameter = template()["Parameters"].get(name)
    if parameter is not None:
        hidden = str(parameter.get("NoEcho", "")).lower() == "true"
        stored = parameter["Type"].startswith(_STORED)
        default = bool(_DYNAMIC.search(str(parameter.get("Default", ""))))
        return f"{name} is a parameter with a secret" if hidden or stored or default else ""
    kind = template()["Resources"].get(name, {}).get("Type")
    if kind == _SECRET and attribute not in ("", "Id"):  # both are its ARN
        return f"{attribute} of the secret {name}"
    return ""


def test_traces_have_no_answers_and_no_environment_has_a_secret() -> None:
    for variables in environments():
        assert variables["POWERTOOLS_TRACER_CAPTURE_RESPONSE"] == "false"
        for name, value in variables.items():
            assert not name.endswith(_VALUE_NAMES), name
            assert not leaks(value), name


def test_no_machine_is_given_a_secret() -> None:
    for name, one in of_type("AWS::StepFunctions::StateMachine", keyed=True).items():
        for variable, value in one.get("DefinitionSubstitutions", {}).items():
            assert not leaks(value), f"{name} {variable}"


HELD = {"Fn::Sub": "{{resolve:secretsmanager:${AWS::StackName}/slack-webhook:SecretString}}"}


@pytest.mark.parametrize(
    "value",
    [
        "{{resolve:secretsmanager:prod/hub:SecretString:token}}",
        "{{resolve:ssm-secure:/prod/hub}}",
        HELD,
        {"Fn::If": ["HasHubSecret", {"Fn::Join": ["", ["Bearer ", HELD]]}, ""]},
        {"Fn::Sub": ["{{resolve:secretsmanager:${Which}}}", {"Which": {"Ref": "SlackSecret"}}]},
        {"Fn::GetAtt": ["SlackSecret", "SecretString"]},
        {"Fn::GetAtt": "HubTokenSecret.SecretString"},
        {"Fn::Sub": "Bearer ${HubTokenSecret.SecretString}"},
        "https://hooks.slack.com/services/T0/B0/x",
        "hf_abcdefghijklmnop",
    ],
    ids=str,
)
def test_a_secrets_value_would_be_found_whatever_its_variable_is_called(value: Any) -> None:
    assert leaks(value)


@pytest.mark.parametrize(
    "given", [{"NoEcho": True}, {"Type": "AWS::SSM::Parameter::Value<String>"}, {"Default": HELD}]
)
def test_so_would_a_parameter_that_is_the_value(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = template()["Parameters"]
    monkeypatch.setitem(parameters, "Hub", {"Type": "String", **given})
    assert leaks({"Ref": "Hub"})
    assert leaks({"Fn::Sub": "Bearer ${Hub}"})


@pytest.mark.parametrize(
    "value",
    [
        "",
        {"Ref": "SlackSecretName"},
        {"Ref": "SlackSecret"},
        {"Fn::GetAtt": ["HubTokenSecret", "Id"]},
        {"Fn::Sub": "${AWS::StackName}/hub-token"},
        {"Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:secret:${SlackSecret}"},
        {"Ref": "NotifyQueue"},
    ],
    ids=str,
)
def test_a_secrets_name_or_arn_and_a_queues_address_are_not_taken_for_its_value(value: Any) -> None:
    assert not leaks(value)
