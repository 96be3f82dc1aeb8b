"""`autoscaler doctor` and quota zero, in an account with a stack; every fault is shown to fire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tests.cli_account import talks_to
from tests.embedded.stack import GATED, Stack, deployed
from tests.samples import document
from tools.cli.app import app
from tools.embedded.types import Fault

NAME = "llama"
TYPE = "ml.g6e.xlarge"


@pytest.fixture(scope="module")
def deployed_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(
        tmp_path_factory.mktemp("account"), token=None, HubTokenSecretName="make"
    ) as found:
        yield found


@pytest.fixture
def stack(deployed_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    talks_to(deployed_stack.account.endpoint_url, monkeypatch)
    monkeypatch.setenv("HF_ENDPOINT", deployed_stack.hub.endpoint)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    quotas = deployed_stack.account.quotas.values
    before = dict(quotas)
    yield deployed_stack
    quotas.update(before)


def examined(tmp_path: Path, *args: str, **changes: Any) -> tuple[dict[str, Any], int]:
    """Findings by subject, and the exit status."""
    file = tmp_path / "llama.yaml"
    file.write_text(yaml.safe_dump(document(NAME, **changes)))
    done = CliRunner().invoke(app, ["doctor", str(file), "--json", *args])
    assert done.stdout.startswith("["), done.output
    return {one["subject"]: one for one in json.loads(done.stdout)}, done.exit_code


def test_a_sound_account_has_no_problem(stack: Stack, tmp_path: Path) -> None:
    found, status = examined(tmp_path)
    levels = {subject: one["level"] for subject, one in found.items()}
    assert status == 0, found
    assert levels == {
        "region": "ok", "zero instances": "warning", "stack": "ok", "functions": "ok",
        f"quota of {TYPE}": "ok",
        "image of vllm": "warning", "endpoint role": "ok", "weights bucket": "ok",
        "results bucket": "ok", "reports bucket": "ok", "the alerts' secret": "ok",
        "the Hub's token": "warning", f"model {document()['model']['id']}": "ok",
        f"fit of {NAME}": "ok", f"names of {NAME}": "ok",
    }  # fmt: skip
    assert "put-secret-value" in found["the Hub's token"]["way_out"]
    assert "a copy needs" in found[f"fit of {NAME}"]["text"]


def test_a_new_account_whose_functions_wait_for_one_another_is_told(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack.account.runtime, "concurrency", 10)
    found, status = examined(tmp_path)
    assert (status, found["functions"]["level"]) == (0, "warning")
    assert "only 10 at a time" in found["functions"]["text"]
    assert "/services/lambda/quotas" in found["functions"]["way_out"]


def test_a_mistake_in_the_alerts_secret_is_named_by_its_field(stack: Stack, tmp_path: Path) -> None:
    secrets, name = stack.account.boto("secretsmanager"), stack.outputs["SlackSecretName"]
    before = secrets.get_secret_value(SecretId=name)["SecretString"]
    wrong = json.dumps({"url": stack.slack.url, "routes": [{"team": "a"}]})
    secrets.put_secret_value(SecretId=name, SecretString=wrong)
    try:
        found, status = examined(tmp_path)
    finally:
        secrets.put_secret_value(SecretId=name, SecretString=before)
    finding = found["the alerts' secret"]
    assert (status, finding["level"]) == (0, "warning")
    assert "routes.0" in finding["text"] and stack.slack.url not in str(finding)


def test_people_read_a_line_for_each_check(stack: Stack) -> None:
    stack.account.quotas.values[TYPE] = 0
    done = CliRunner().invoke(app, ["doctor", "--types", f"{TYPE},ml.g5.nonesuch"])
    assert done.exit_code == 1
    assert f"problem  quota of {TYPE}: 0 instances for endpoints in us-east-1; ask for" in (
        done.stdout
    )
    assert "problem  quota of ml.g5.nonesuch: 'ml.g5.nonesuch' is not an instance" in done.stdout
    assert "2 problems" in done.stdout.splitlines()[-1]


def test_without_a_file_the_account_alone_is_examined(stack: Stack) -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    found = {one["subject"]: one for one in json.loads(done.stdout)}
    assert found["quotas"]["level"] == "ok"
    assert {"image of vllm", "image of tgi", "image of lmi"} <= found.keys()


def test_an_account_without_any_quota_is_told_where_to_ask(stack: Stack) -> None:
    stack.account.quotas.values.update(dict.fromkeys(stack.account.quotas.values, 0.0))
    done = CliRunner().invoke(app, ["doctor", "--json"])
    found = {one["subject"]: one for one in json.loads(done.stdout)}
    assert (found["quotas"]["level"], done.exit_code) == ("problem", 1)
    assert "us-east-1.console.aws.amazon.com/servicequotas" in found["quotas"]["way_out"]


def test_what_may_not_be_looked_at_is_a_warning(stack: Stack, tmp_path: Path) -> None:
    denied = Fault("iam:GetRole", "AccessDenied", "not you", 403)
    throttled = Fault("servicequotas:ListServiceQuotas", "AccessDeniedException", "not you")
    stack.account.front.inject(denied)
    stack.account.front.inject(throttled)
    found, status = examined(tmp_path)
    fired = [fault.operation for _, fault in stack.account.front.fired]
    assert {denied.operation, throttled.operation} <= set(fired)
    assert status == 0
    assert found["endpoint role"]["level"] == "warning"
    assert "AWS denies GetRole" in found["endpoint role"]["text"]
    assert found["quotas"]["level"] == "warning"
    assert "servicequotas:ListServiceQuotas" in found["quotas"]["way_out"]


def test_names_that_somebody_else_has_are_found(stack: Stack, tmp_path: Path) -> None:
    sagemaker, sqs = stack.account.boto("sagemaker"), stack.account.boto("sqs")
    name = f"autoscaler-{NAME}"
    role = "arn:aws:iam::123456789012:role/theirs"
    sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": "mine:1"}
    )
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    try:
        found, status = examined(tmp_path)
    finally:
        sagemaker.delete_model(ModelName=name)
        sqs.delete_queue(QueueUrl=url)
    assert status == 1
    for subject in (f"model {name}", f"queue {name}"):
        assert found[subject]["level"] == "problem", found
        assert "is not of stack autoscaler" in found[subject]["text"]
    assert f"names of {NAME}" not in found


def test_a_role_that_sagemaker_may_not_take_is_found(stack: Stack, tmp_path: Path) -> None:
    iam = stack.account.boto("iam")
    name = stack.account.boto("cloudformation").describe_stack_resource(
        StackName="autoscaler", LogicalResourceId="EndpointRole"
    )["StackResourceDetail"]["PhysicalResourceId"]
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    trust = json.loads(json.dumps(before).replace("sagemaker.amazonaws.com", "ec2.amazonaws.com"))
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    try:
        found, status = examined(tmp_path)
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))
    assert (found["endpoint role"]["level"], status) == ("problem", 1)
    assert "does not trust SageMaker" in found["endpoint role"]["text"]


def test_a_gated_model_and_one_that_does_not_fit_are_found(stack: Stack, tmp_path: Path) -> None:
    found, status = examined(tmp_path, model={"id": GATED})
    assert (found[f"model {GATED}"]["level"], status) == ("problem", 1)
    assert "gated" in found[f"model {GATED}"]["text"]
    found, status = examined(tmp_path, instances={"types": ["ml.g4dn.xlarge"]})
    assert (found[f"fit of {NAME}"]["level"], status) == ("problem", 1)
    assert "The cheapest that do" in found[f"fit of {NAME}"]["text"]


def test_without_a_stack_the_account_is_still_examined(stack: Stack) -> None:
    done = CliRunner().invoke(app, ["--stack", "other", "doctor", "--json", "--types", TYPE])
    found = {one["subject"]: one for one in json.loads(done.stdout)}
    assert (found["stack"]["level"], done.exit_code) == ("problem", 1)
    assert "sam deploy --guided" in found["stack"]["text"]
    assert found[f"quota of {TYPE}"]["level"] == "ok"
    assert "endpoint role" not in found


# ------------------------------------------------------------------------ apply


def test_quotas_that_cannot_be_read_warn_and_quota_zero_is_refused_whole(stack: Stack) -> None:
    fault = Fault("servicequotas:ListServiceQuotas", "TooManyRequestsException", "slow", times=4)
    stack.account.front.inject(fault)
    before = len(stack.account.quotas.fired)
    answer = stack.command("plan", document=document("none"))
    assert len(stack.account.quotas.fired) - before == 4, "every try of the client"
    assert answer["ok"], answer
    (told,) = [w for w in answer["result"]["warnings"] if "quota" in w]
    assert "the account's quotas were not read" in told

    stack.account.quotas.values[TYPE] = 0
    answer = stack.command("apply", document=document("none"))
    assert not answer["ok"], answer
    (told,) = answer["problems"]
    assert told.startswith(f"instances.types: the account's quota of {TYPE} for endpoints in")
    assert "These fit and have quota: ml.g6e.2xlarge (100)" in told
    assert stack.get("none")["phase"] is None
    models = stack.account.boto("sagemaker").list_models(NameContains="autoscaler-none")
    assert models["Models"] == []
