"""Tables of the account under writers at once: no write is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.embedded.kernel.account import Account

WRITES = 40


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Any]:
    with Account(tmp_path) as account:
        db = account.boto("dynamodb")
        db.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        yield db


def put(db: Any, key: str, version: int, read: int | None) -> bool:
    """A transaction that is refused unless the version is still what was read."""
    write: dict[str, Any] = {
        "TableName": "t", "Item": {"pk": {"S": key}, "version": {"N": str(version)}},
    }  # fmt: skip
    if read is not None:
        write["ConditionExpression"] = "version = :read"
        write["ExpressionAttributeValues"] = {":read": {"N": str(read)}}
    try:
        db.transact_write_items(TransactItems=[{"Put": write}])
    except ClientError:
        return False
    return True


def test_a_refused_transaction_takes_back_nothing_of_anybody_else(db: Any) -> None:
    for n in range(300):  # so that a table takes its time to be put back
        put(db, f"other-{n}", 0, None)
    over = threading.Event()

    def be_refused() -> int:
        refused = 0
        while not over.is_set():
            refused += not put(db, "other-0", 1, 99)
        return refused

    with ThreadPoolExecutor(4) as pool:
        stubborn = [pool.submit(be_refused) for _ in range(4)]
        written = [put(db, f"ours-{n}", 1, None) for n in range(WRITES)]
        over.set()
    assert all(written)
    assert all(one.result() for one in stubborn), "each was refused at least once"
    kept = [db.get_item(TableName="t", Key={"pk": {"S": f"ours-{n}"}}) for n in range(WRITES)]
    assert ["Item" in one for one in kept] == [True] * WRITES


def test_a_transaction_that_writes_an_item_twice_is_refused_and_leaves_nothing(db: Any) -> None:
    puts = [
        {"Put": {"TableName": "t", "Item": {"pk": {"S": key}, "n": {"N": str(number)}}}}
        for number, key in enumerate(("one", "two", "one"))
    ]
    with pytest.raises(ClientError, match="multiple operations on one item"):
        db.transact_write_items(TransactItems=puts)
    assert db.scan(TableName="t")["Items"] == []
