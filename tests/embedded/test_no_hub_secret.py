"""A stack as it is deployed where nobody asks for a secret of the Hub: for public models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli_account import talks_to
from tests.embedded.stack import GATED, Stack, deployed
from tests.embedded.test_doctor import examined
from tests.samples import document

NAME = "llama"
WAY_OUT = "HubTokenSecretName=make"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account"), token=None) as found:
        yield found


def test_there_is_no_such_secret_and_no_right_to_one(stack: Stack) -> None:
    secrets = stack.account.boto("secretsmanager").list_secrets()["SecretList"]
    assert [one["Name"] for one in secrets] == ["autoscaler/slack-webhook"]
    assert "HubTokenSecretName" not in stack.outputs
    may_read = {role for role, document in policies(stack) if "secretsmanager" in document}
    assert len(may_read) == 1 and "NotifyFunctionRole" in may_read.pop()


def policies(stack: Stack) -> Iterator[tuple[str, str]]:
    iam = stack.account.boto("iam")
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            found = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)
            yield role["RoleName"], json.dumps(found["PolicyDocument"])


def test_a_gated_model_is_refused_with_the_way_to_a_token(stack: Stack) -> None:
    for source in ("s3", "hub"):
        answer = stack.apply(NAME, model={"id": GATED, "source": source})
        assert not answer["ok"]
        assert WAY_OUT in "\n".join(answer["problems"])
    assert stack.command("get")["result"]["endpoints"] == []


def test_the_doctor_says_so_of_a_gated_model_and_finds_nothing_wrong_without(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talks_to(stack.account.endpoint_url, monkeypatch)
    monkeypatch.setenv("HF_ENDPOINT", stack.hub.endpoint)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    found, _ = examined(tmp_path)
    assert found["the Hub's token"]["level"] == "ok"
    model = found[f"model {document()['model']['id']}"]
    assert model["level"] == "ok"
    for token in (None, "hf_mine"):
        if token is not None:
            stack.hub.tokens = {token: frozenset([GATED])}
            monkeypatch.setenv("HF_TOKEN", token)
        found, _ = examined(tmp_path, model={"id": GATED})
        gated = found[f"model {GATED}"]
        assert gated["level"] == "problem"
        assert WAY_OUT in gated["way_out"]
