"""What the template says of the table is what its items are written for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from autoscaler.aws.items import Item, forgotten_item, history_item, item_key, status_item
from autoscaler.endpoints.status import HistoryEntry
from autoscaler.policy.types import Phase
from tests.contract.test_watching import of_type
from tests.memory import NOON
from tests.samples import asleep

LINE = HistoryEntry(endpoint="llama", at=NOON, generation=1, phase=Phase.ASLEEP, text="Applied.")
EXPIRING = [forgotten_item(asleep("llama", at=NOON)), history_item(LINE, 1, 0)]


def table() -> dict[str, Any]:
    (found,) = of_type("AWS::DynamoDB::Table").values()
    return found


@pytest.mark.parametrize("item", EXPIRING, ids=lambda item: item["pk"]["S"])
def test_what_is_to_expire_says_so_in_the_attribute_that_dynamodb_looks_at(item: Item) -> None:
    """In any other it would stay for ever, and be paid for."""
    expiry = table()["TimeToLiveSpecification"]
    assert expiry["Enabled"] is True
    seconds = item[expiry["AttributeName"]]["N"]
    assert datetime.fromtimestamp(int(seconds), NOON.tzinfo) > NOON


def test_a_status_never_expires() -> None:
    name = table()["TimeToLiveSpecification"]["AttributeName"]
    assert name not in status_item(asleep("llama"))


def test_every_key_is_written_as_the_table_has_it() -> None:
    keys = {one["AttributeName"]: one["KeyType"] for one in table()["KeySchema"]}
    types = {one["AttributeName"]: one["AttributeType"] for one in table()["AttributeDefinitions"]}
    assert keys == {"pk": "HASH", "sk": "RANGE"}
    assert {name: set(value) for name, value in item_key("a", "b").items()} == {
        name: {types[name]} for name in keys
    }
