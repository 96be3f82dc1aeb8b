"""Faults of docs/failures.md that only a whole stack shows. One story."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control.tend import LEAP
from tests.embedded.stack import TUESDAY_NIGHT, Stack, deployed, wait_for
from tools.embedded.types import Fault

NAME = "llama"
QUESTION = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 7}
EVER = TUESDAY_NIGHT - timedelta(days=1), TUESDAY_NIGHT + timedelta(days=9)
PARTS = ("STATUS", "SPEC", "PATTERN")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


def rows(stack: Stack) -> list[dict[str, Any]]:
    """What the table has of the endpoint."""
    dynamodb = stack.account.boto("dynamodb")
    (table,) = dynamodb.list_tables()["TableNames"]
    keys = [{"pk": {"S": "FLEET"}, "sk": {"S": f"{NAME}#{part}"}} for part in PARTS]
    found = (dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True) for key in keys)
    return [one["Item"] for one in found if "Item" in one]


def set_back(stack: Stack, then: list[dict[str, Any]]) -> None:
    dynamodb = stack.account.boto("dynamodb")
    (table,) = dynamodb.list_tables()["TableNames"]
    for item in then:
        dynamodb.put_item(TableName=table, Item=item)


def asked(stack: Stack, request: str) -> None:
    stack.ask(NAME, {"id": request, **QUESTION})
    assert stack.result(NAME, request)["answer"]


def test_a_hub_token_that_may_not_be_read_is_told_and_bills_nothing(stack: Stack) -> None:
    denied = Fault(
        "secretsmanager:GetSecretValue",
        "AccessDeniedException",
        "not authorized to perform secretsmanager:GetSecretValue on autoscaler/hub-token",
        times=100,
        matching={"SecretId": "autoscaler/hub-token"},
    )
    stack.account.front.inject(denied)
    answer = stack.apply(NAME)
    assert not answer["ok"]
    (problem,) = answer["problems"]
    assert "model: the Hub's secret 'autoscaler/hub-token' may not be read" in problem
    assert stack.get(NAME)["phase"] is None, "nothing was begun"
    assert stack.instances() == 0
    assert stack.account.front.fired
    stack.account.front.faults.disarm()


def test_the_token_read_again_it_is_created(stack: Stack) -> None:
    assert stack.apply(NAME, scaling={"max_copies": 2, "keep_alive": "10m"})["ok"]
    stack.until(NAME, "AWAKE")


def test_a_table_that_is_set_back_ends_where_the_file_says(stack: Stack) -> None:
    """To a time two wishes ago, whose names are taken by what ran since."""
    stack.until(NAME, "ASLEEP")
    asked(stack, "one")
    stack.until(NAME, "AWAKE")
    then = rows(stack)
    stack.until(NAME, "ASLEEP")
    asked(stack, "two")
    now = stack.until(NAME, "AWAKE")
    set_back(stack, then)
    before = stack.get(NAME)
    assert before["generation"] < now["generation"], "it is set back"
    wait_for(lambda: stack.get(NAME)["generation"], lambda seen: seen > LEAP, "a leap")
    stack.until(NAME, "ASLEEP")
    assert stack.instances() == 0
    asked(stack, "three")
    assert stack.dead_letters(NAME) == []
    assert any("the table was set back" in line["text"] for line in stack.get(NAME)["history"])


def test_all_that_ran_is_in_the_ledger(stack: Stack) -> None:
    """What was booked before the table was set back lies in rows of its own."""
    stack.until(NAME, "ASLEEP")
    billed = stack.account.sagemaker.billed()
    seconds = sum(gone - began for *_, began, gone in billed if gone is not None)
    booked = sum(one.instance_seconds for one in stack.store().usage(*EVER))
    assert booked >= 0.9 * seconds
