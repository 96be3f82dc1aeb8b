"""What the command line says where there is no stack, no account, or a function that fails."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner

from tests.cli_stub import TEMPLATE, Stub
from tools.cli.app import app


def test_a_failing_function_is_one_line_with_the_request(stack: Stub) -> None:
    stack.fails = True
    ran = stack.run("get")
    assert ran.exit_code == 1
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith("accept-command failed: KeyError: 'pk' (request ")


@pytest.mark.parametrize("command", [[], ["get"], ["local"], ["local", "up"]])
def test_help_is_given_by_its_short_name_too(command: list[str]) -> None:
    short, long = (CliRunner().invoke(app, [*command, option]) for option in ("-h", "--help"))
    assert short.exit_code == 0
    assert short.stdout == long.stdout


def test_without_a_stack_it_says_how_to_get_one(bare: Stub) -> None:
    ran = bare.run("--stack", "nowhere", "get")
    assert ran.exit_code == 1
    assert "there is no stack 'nowhere'" in ran.stderr
    assert "sam deploy" in ran.stderr
    assert "autoscaler local up" in ran.stderr


def test_a_stack_of_something_else_is_named(bare: Stub) -> None:
    template = {**TEMPLATE, "Outputs": {"Other": {"Value": "x"}}}
    template["Resources"] = {"Queue": {"Type": "AWS::SQS::Queue"}}
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="other", TemplateBody=json.dumps(template))
    ran = bare.run("--stack", "other", "get")
    assert "no output CommandFunctionName" in ran.stderr
    assert ran.exit_code == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "nothing answers there"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "nonsense"),
        ({"AWS_PROFILE": "absent"}, "absent"),
    ],
)
def test_a_wrong_environment_is_named(
    bare: Stub, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    ran = bare.run("get")
    assert ran.exit_code == 1
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_without_a_stack_it_says_where_it_looked(bare: Stub) -> None:
    ran = bare.run("get")
    assert ran.exit_code == 1
    assert ran.stderr.startswith("there is no stack 'autoscaler' in us-east-1: `sam deploy")


def test_a_stack_that_is_deleted_meanwhile_is_not_there(stack: Stub) -> None:
    formation = boto3.client("cloudformation")
    stack.vanishes = lambda: formation.delete_stack(StackName="autoscaler")
    assert stack.run("get").stderr.startswith("there is no stack 'autoscaler' in us-east-1: ")


def test_a_stack_without_its_functions_is_told_by_its_status(stack: Stub) -> None:
    stack.vanishes = lambda: None
    assert stack.run("get").stderr == (
        "the stack 'autoscaler' has no function accept-command: it is CREATE_COMPLETE\n"
    )


def test_without_credentials_or_region_it_says_so(
    bare: Stub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert "no AWS credentials were found" in bare.run("get").stderr
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    ran = bare.run("get")
    assert "no Region is set" in ran.stderr
    assert 'eval "$(bin/autoscaler local up)"' in ran.stderr
    assert ran.exit_code == 1
