"""Prices from the simulated Price List API to the ledger, through the deployed function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.aws.price_list import AwsPriceList
from autoscaler.aws.table import TableStore
from tests.embedded.stack import Stack, deployed, wait_for
from tests.samples import document
from tools.embedded.types import Fault


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        yield found


def refresh(stack: Stack) -> dict[str, Any]:
    reply = stack.account.boto("lambda").invoke(FunctionName="autoscaler-refresh-prices")
    assert "FunctionError" not in reply
    return json.loads(reply["Payload"].read())


def book(stack: Stack) -> TableStore:
    return TableStore(stack.outputs["TableName"], stack.account.boto("dynamodb"))


def test_prices_are_read_soon_after_deployment_without_anybody_asking(stack: Stack) -> None:
    found = wait_for(lambda: book(stack).prices(), lambda b: b.read_at is not None, "prices")
    assert found.price("ml.g6e.xlarge").kind == "list"
    assert found.usd_per_hour("ml.g6e.xlarge") == Decimal("2.61")
    assert len(found.listed) > 30


def test_a_new_price_is_kept_and_a_throttled_list_changes_nothing(stack: Stack) -> None:
    wait_for(lambda: book(stack).prices(), lambda b: b.read_at is not None, "prices")
    stack.account.pricing.prices["us-east-1"]["ml.g6e.xlarge"] = "2.77"
    assert refresh(stack)["changed"] == ["ml.g6e.xlarge"]
    kept = book(stack).prices()
    assert kept.usd_per_hour("ml.g6e.xlarge") == Decimal("2.77")

    told = stack.command("plan", document=document())["result"]["prices"]
    assert (told["region"], told["usd_per_hour"]) == ("us-east-1", {"ml.g6e.xlarge": "2.77"})
    assert kept.read_at and told["read_at"] == kept.read_at.isoformat()

    fault = Fault("pricing:GetProducts", "ThrottlingException", "slow down", 400, times=4)
    stack.account.front.inject(fault)
    done = refresh(stack)

    assert [shot.operation for _, shot in stack.account.pricing.fired] == [fault.operation] * 4
    assert "ThrottlingException" in done["problem"]
    assert book(stack).prices() == kept


def test_each_region_has_prices_of_its_own_in_pages(stack: Stack) -> None:
    here = stack.account.pricing.prices["us-east-1"]
    dearer = {f"{name}": str(Decimal(usd) * 2) for name, usd in here.items()}
    many = {f"ml.m{n}.large": "0.1" for n in range(150)}
    stack.account.pricing.prices["eu-west-1"] = {**dearer, **many}
    read = AwsPriceList(stack.account.boto("pricing")).read("eu-west-1")
    assert read["ml.g6e.xlarge"] == Decimal(dearer["ml.g6e.xlarge"])
    assert len(read) == len(here) + 150


def test_what_could_not_be_called_in_time_is_kept_for_people(stack: Stack) -> None:
    """By the schedules' own role. Last in this file: the function is gone afterwards."""
    stack.account.runtime.undefine("autoscaler-refresh-prices")
    stack.account.clock.jump(25 * 3600)
    queues = stack.account.boto("sqs")
    urls = queues.list_queues(QueueNamePrefix="autoscaler-NotifyDead")["QueueUrls"]

    def kept() -> list[dict[str, Any]]:
        reply = queues.receive_message(
            QueueUrl=urls[0], VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        return reply.get("Messages", [])

    (letter,) = wait_for(kept, bool, "a dead letter")
    missed = letter["MessageAttributes"]["SCHEDULE_ARN"]["StringValue"]
    assert missed.endswith("/autoscaler-prices")
