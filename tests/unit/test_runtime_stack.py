"""What CloudFormation asks of the stack's own resource, and where it is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from autoscaler.aws.answer_addresses import AnswerAddresses
from autoscaler.aws.troubles import ThrottledError
from autoscaler.runtime import stack
from autoscaler.runtime.settings import Settings
from autoscaler.runtime.stack import AnswerError, StackRequest, answer_stack, change_stack
from tests.memory import NOON
from tests.tables import TABLE, in_moto
from tests.unit.adapter_calls import Broken, refused

SIGNED = "cloudformation-custom-resource-response-useast1.s3.amazonaws.com/arn?Signature=s3cret"
ASKED: dict[str, Any] = {
    "RequestType": "Delete",
    "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/autoscaler/1",
    "RequestId": "7bf73129-1428-4cd3-a780-95db273d1602",
    "LogicalResourceId": "Retirement",
}
OTHERS = [
    f"http://{SIGNED}",
    f"file:///{SIGNED}",
    f"ftp://{SIGNED}",
    f"http://127.0.0.1.nip.example/{SIGNED}",
    f"https://[half/{SIGNED}",
    f"https://x y/{SIGNED}",
    SIGNED,
]


@pytest.mark.parametrize("url", OTHERS)
def test_cloudformation_is_answered_by_https_only_and_its_url_is_in_no_error(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        StackRequest.model_validate({**ASKED, "ResponseURL": url})
    assert "ResponseURL" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", [f"https://{SIGNED}", f"http://127.0.0.1:8000/{SIGNED}"])
def test_a_signed_url_by_https_and_one_of_this_machine_are_taken(url: str) -> None:
    assert StackRequest.model_validate({**ASKED, "ResponseURL": url}).ResponseURL == url


URL = f"https://{SIGNED}"
DELETED = {**ASKED, "ResponseURL": URL, "ServiceToken": "arn:aws:lambda:::function:x"}
GONE = {"status": "SUCCESS", "reason": "all endpoints are gone"}


class Standing:
    def now(self) -> Any:
        return NOON


class Cloud:
    """The table, the state machine's executions by name, and what CloudFormation was told."""

    def __init__(self, dynamodb: Any) -> None:
        self.dynamodb = dynamodb
        self.inputs: dict[str, str] = {}
        self.told: list[tuple[str, str, str]] = []  # where, status, reason
        self.wrong_answers = 0  # that an execution exists already

    def addresses(self) -> AnswerAddresses:
        return AnswerAddresses(TABLE, self.dynamodb, Standing())

    def start_execution(self, name: str, input: str, **_: str) -> None:
        if name in self.inputs or self.wrong_answers:
            self.wrong_answers = max(0, self.wrong_answers - 1)
            raise ClientError({"Error": {"Code": "ExecutionAlreadyExists"}}, "StartExecution")
        self.inputs[name] = input

    def send(self, answer: Any, url: str) -> None:
        self.told.append((url, answer.status, answer.reason))


def named(name: str) -> Settings:
    return Settings.model_construct(stack_name=name, table_name=TABLE, flow_arn_prefix="arn:")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with in_moto() as dynamodb:
        made = Cloud(dynamodb)
        env = named("autoscaler")
        monkeypatch.setattr(stack, "settings", lambda: env)
        monkeypatch.setattr(stack, "client", lambda _service: made)
        monkeypatch.setattr(stack, "_addresses", made.addresses)
        monkeypatch.setattr(stack, "_send", made.send)
        yield made


def started(cloud: Cloud) -> dict[str, Any]:
    (given,) = cloud.inputs.values()
    found: dict[str, Any] = json.loads(given)
    return found


def test_the_signed_url_is_in_no_executions_input_and_the_answer_finds_it(cloud: Cloud) -> None:
    assert change_stack(DELETED) == {"answered": False}
    assert started(cloud) == {**ASKED, "PhysicalResourceId": "retirement"}
    assert answer_stack({"request": started(cloud), **GONE}) == {"answered": True}
    assert cloud.told == [(URL, "SUCCESS", GONE["reason"])]


@pytest.mark.parametrize(
    ("name", "request_type", "status"),
    [
        ("LLM-Autoscaler", "Create", "FAILED"),
        ("llm-autoscaler", "Create", "SUCCESS"),
        ("LLM-Autoscaler", "Update", "SUCCESS"),  # it is there: it can be mended by nobody now
    ],
)
def test_a_stack_that_sagemaker_would_refuse_for_its_name_is_not_created(
    name: str, request_type: str, status: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "settings", lambda: named(name))
    change_stack({**DELETED, "RequestType": request_type})
    ((_, told, reason),) = cloud.told
    assert told == status
    assert ("deploy it as 'llm-autoscaler'" in reason) == (status == "FAILED")


def test_a_deletion_that_comes_twice_is_one_and_an_answer_may_be_sent_again(cloud: Cloud) -> None:
    """Lambda and Step Functions repeat what they have not heard the end of."""
    for _ in range(2):
        change_stack(DELETED)
    assert len(cloud.inputs) == 1
    assert len(cloud.dynamodb.scan(TableName=TABLE)["Items"]) == 1
    for _ in range(2):
        answer_stack({"request": started(cloud), **GONE})
    assert cloud.told == [(URL, "SUCCESS", GONE["reason"])] * 2


def test_an_execution_that_wrongly_exists_already_is_started(cloud: Cloud) -> None:
    cloud.wrong_answers = 1
    assert change_stack(DELETED) == {"answered": False}
    assert (len(cloud.inputs), cloud.wrong_answers) == (1, 0)


def test_the_url_is_kept_before_anybody_may_want_to_answer(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttled = Broken(refused("ThrottlingException", 400))
    monkeypatch.setattr(stack, "_addresses", lambda: AnswerAddresses(TABLE, throttled))
    with pytest.raises(ThrottledError):  # Lambda tries again
        change_stack(DELETED)
    assert (cloud.inputs, cloud.told) == ({}, [])


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_where_the_url_cannot_be_kept_cloudformation_is_told_at_once(
    code: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for an hour: nobody could answer later."""
    broken = Broken(refused(code, 400))
    monkeypatch.setattr(stack, "_addresses", lambda: AnswerAddresses(TABLE, broken))
    assert change_stack(DELETED) == {"answered": True}
    ((url, status, reason),) = cloud.told
    assert (url, status) == (URL, "FAILED") and code in reason and cloud.inputs == {}


def test_where_the_retirement_may_not_start_cloudformation_is_told_at_once(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken(refused("AccessDeniedException", 400))
    monkeypatch.setattr(stack, "client", lambda _service: broken)
    assert change_stack(DELETED) == {"answered": True}
    ((url, status, reason),) = cloud.told
    assert (url, status) == (URL, "FAILED") and "could not be started" in reason


def test_each_deletion_is_answered_at_its_own_url(cloud: Cloud) -> None:
    other = {**DELETED, "RequestId": "other", "ResponseURL": f"{URL}-other"}
    for event in (DELETED, other):
        change_stack(event)
    for given in cloud.inputs.values():
        answer_stack({"request": json.loads(given), **GONE})
    assert [url for url, _, _ in cloud.told] == [URL, f"{URL}-other"]


def test_an_execution_that_the_release_before_started_is_answered_by_what_it_has(
    cloud: Cloud,
) -> None:
    answer_stack({"request": {**ASKED, "ResponseURL": URL}, **GONE})
    assert cloud.told == [(URL, "SUCCESS", GONE["reason"])]


def test_where_nobody_knows_any_more_where_to_answer_it_fails_in_words(cloud: Cloud) -> None:
    with pytest.raises(AnswerError, match="not known any more"):
        answer_stack({"request": ASKED, **GONE})


def test_a_url_expires_a_day_after_it_was_kept(cloud: Cloud) -> None:
    change_stack(DELETED)
    (item,) = cloud.dynamodb.scan(TableName=TABLE)["Items"]
    assert item["expires_at"]["N"] == str(int((NOON + timedelta(days=1)).timestamp()))


@pytest.mark.parametrize("asked", ["Create", "Update"])
def test_what_is_no_deletion_is_answered_at_once_and_nothing_is_kept(
    asked: str, cloud: Cloud
) -> None:
    assert change_stack({**DELETED, "RequestType": asked}) == {"answered": True}
    assert cloud.told == [(URL, "SUCCESS", "nothing to do yet")]
    assert (cloud.inputs, cloud.dynamodb.scan(TableName=TABLE)["Items"]) == ({}, [])
