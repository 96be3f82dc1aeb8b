"""A status is written by whoever saw it last, once, however often the call is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from autoscaler.aws.table import TableStore
from autoscaler.policy.types import Stop
from autoscaler.ports import ConflictError
from tests.memory import NOON
from tests.samples import asleep, spec
from tests.tables import TABLE, in_moto

NAME = "llama"


class LosingAnswers:
    """DynamoDB's client; while `losing`, PutItem is done and its answer lost, and the SDK sends it
    once more."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb, self.losing, self.lost = dynamodb, False, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)

    def put_item(self, **given: Any) -> Any:
        if self.losing:
            self._dynamodb.put_item(**given)
            self.lost += 1
        return self._dynamodb.put_item(**given)


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with in_moto() as found:
        yield LosingAnswers(found)


@pytest.fixture
def store(dynamodb: Any) -> TableStore:
    store = TableStore(TABLE, dynamodb)
    store.create(spec(NAME), asleep(NAME))
    return store


def test_of_two_who_read_the_same_the_second_is_told(store: TableStore) -> None:
    record = store.load(NAME)
    assert record is not None
    saved = store.save(record.status.model_copy(update={"wakes_today": 1}))
    with pytest.raises(ConflictError):
        store.save(record.status.model_copy(update={"wakes_today": 2}))
    found = store.load(NAME)
    assert found is not None
    assert found.status == saved


def test_a_write_whose_answer_was_lost_is_no_conflict_with_itself(
    store: TableStore, dynamodb: Any
) -> None:
    record = store.load(NAME)
    assert record is not None
    dynamodb.losing = True
    saved = store.save(record.status.model_copy(update={"wakes_today": 1}))
    dynamodb.losing = False
    assert dynamodb.lost == 1
    found = store.load(NAME)
    assert found is not None
    assert found.status == saved
    assert store.save(saved).version == saved.version + 1


def test_what_is_no_conflict_is_told_as_it_is(store: TableStore, dynamodb: Any) -> None:
    def broken(**_given: Any) -> Any:
        raise ConnectionClosedError(endpoint_url="http://table")

    record = store.load(NAME)
    assert record is not None
    dynamodb.put_item = broken
    with pytest.raises(ConnectionClosedError):
        store.save(record.status)


def test_so_is_one_of_the_stacks_settings(store: TableStore, dynamodb: Any) -> None:
    """Else a `start` whose answer was lost would find that nothing is stopped, and say so."""
    read = store.stack()
    dynamodb.losing = True
    saved = store.save_stack(read.model_copy(update={"stopped": Stop(NOON, "ada", "a leak")}))
    dynamodb.losing = False
    assert dynamodb.lost == 1
    assert store.stack() == saved
    with pytest.raises(ConflictError):
        store.save_stack(read)


READS: dict[str, Callable[[TableStore], object]] = {
    "all endpoints": lambda store: store.load_all(),
    "one endpoint": lambda store: store.load(NAME),
    "the stack's settings": lambda store: store.stack(),
    "the last generation": lambda store: store.last_generation(NAME),
    "usage": lambda store: store.usage(NOON, NOON + timedelta(hours=1)),
    "traffic": lambda store: store.traffic(NOON.date(), NOON.date()),
    "the newest history": lambda store: store.history(NAME),
    "history": lambda store: store.history_within(NAME, NOON, NOON + timedelta(hours=1)),
}


@pytest.mark.parametrize("read", READS)
def test_whatever_is_decided_on_is_read_as_it_was_written_last(
    store: TableStore, dynamodb: Any, read: str
) -> None:
    """A switch that was set a moment ago is in force, and an endpoint that was made is there. The
    prices may be old: they change once a day."""
    store.prices()  # remembered from here on
    asked: list[Any] = []

    def record(params: dict[str, Any], **_: Any) -> None:
        asked.append(params.get("ConsistentRead"))

    for operation in ("Query", "GetItem"):
        dynamodb.meta.events.register(f"provide-client-params.dynamodb.{operation}", record)
    READS[read](store)
    assert asked and all(asked)
