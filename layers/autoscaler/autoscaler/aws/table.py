"""The endpoint store in one DynamoDB table; `items` says what lies in it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from ..catalog.prices import HOLDS_AFTER, PriceBook
from ..endpoints.learned import StoredPattern
from ..endpoints.stack_state import StackState
from ..endpoints.status import (
    EndpointRecord,
    EndpointStatus,
    HistoryEntry,
    Traffic,
    UsageSegment,
)
from ..ports import ConflictError
from ..spec import EndpointSpec
from .clients import client, error_code
from .items import (
    FLEET,
    STACK_SK,
    WAITS,
    Item,
    due_item,
    early_items,
    entry_of,
    forgotten_item,
    history_item,
    item_key,
    pattern_item,
    records_of,
    segment_item,
    segment_of,
    spec_item,
    stack_item,
    stack_of,
    status_item,
    traffic_key,
    traffic_of,
)
from .pages import items_of, span
from .price_book import PRICES_SK, price_item, read_book

FAILURE_DAYS = 15  # a message lives 14 days at most
_PRICES_SECONDS = HOLDS_AFTER.total_seconds()  # a book changes once a day
_TRANSACTION_LIMIT = 100
_OF_AN_ENDPOINT = ("STATUS", "SPEC", "PATTERN", "LATER")
_CONFLICTS = {"ConditionalCheckFailedException", "TransactionConflictException"}


class TableStore:
    """EndpointStore over DynamoDB. Every write of a status is conditional on its version."""

    def __init__(self, table: str, dynamodb: Any = None) -> None:
        self._table = table
        self._db = dynamodb or client("dynamodb")
        self._prices: tuple[float, PriceBook] | None = None

    def load_all(self) -> list[EndpointRecord]:
        items = list(self._query(FLEET))
        book = self._remember(next((i for i in items if i["sk"]["S"] == PRICES_SK), None))
        stack = stack_of(next((i for i in items if i["sk"]["S"] == STACK_SK), None))
        return records_of(items, book, stack)

    def load(self, name: str) -> EndpointRecord | None:
        items = self._query(FLEET, begins_with=f"{name}#")
        # The switch is read after the endpoint, and never from memory: it is in force at once.
        records = records_of(list(items), self.prices(), self.stack())
        return records[0] if records else None

    def stack(self) -> StackState:
        key = item_key(FLEET, STACK_SK)
        found = self._db.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return stack_of(found.get("Item"))

    def save_stack(self, state: StackState) -> StackState:
        saved = state.model_copy(update={"version": state.version + 1})
        condition = {**_unchanged(state)}
        if state.version == 0:
            condition["ConditionExpression"] = "attribute_not_exists(pk) OR version = :read"
        put = self._put(stack_item(saved), **condition)
        self._write([put], "the stack's settings were changed meanwhile")
        return saved

    def prices(self) -> PriceBook:
        if self._prices is None or time.monotonic() - self._prices[0] > _PRICES_SECONDS:
            key = item_key(FLEET, PRICES_SK)
            return self._remember(self._db.get_item(TableName=self._table, Key=key).get("Item"))
        return self._prices[1]

    def keep_prices(self, book: PriceBook) -> None:
        item = price_item(item_key(FLEET, PRICES_SK), book)
        self._db.put_item(TableName=self._table, Item=item)
        self._prices = (time.monotonic(), book)

    def _remember(self, item: Item | None) -> PriceBook:
        book = read_book(item, self._db.meta.region_name)
        self._prices = (time.monotonic(), book)
        return book

    def create(self, spec: EndpointSpec, status: EndpointStatus) -> None:
        absent = {"ConditionExpression": "attribute_not_exists(pk)"}
        self._write([self._put(status_item(status), **absent), self._put(spec_item(spec))])

    def save(
        self,
        status: EndpointStatus,
        *,
        spec: EndpointSpec | None = None,
        pattern: StoredPattern | None = None,
        segments: Sequence[UsageSegment] = (),
        entries: Sequence[HistoryEntry] = (),
    ) -> EndpointStatus:
        saved = status.model_copy(update={"version": status.version + 1})
        puts = [self._put(status_item(saved), **_unchanged(status))]
        puts += [self._put(spec_item(spec))] if spec else []
        puts += [self._put(pattern_item(status.name, pattern))] if pattern else []
        version = saved.version
        puts += [self._put(history_item(one, version, n)) for n, one in enumerate(entries)]
        early = max(0, len(segments) - (_TRANSACTION_LIMIT - len(puts)))
        self._write_early(segments[:early])
        puts += [self._put(segment_item(one, version, n)) for n, one in enumerate(segments[early:])]
        self._write(puts)
        return saved

    def _write_early(self, segments: Sequence[UsageSegment]) -> None:
        """What does not fit into the write of its status, after months in which nobody looked: it
        goes first, and under keys of its own. If the status is not written then, its meters go on
        from where they were, and whoever closes them next puts the same days in the same places."""
        puts = [self._put(item) for item in early_items(segments)]
        for first in range(0, len(puts), _TRANSACTION_LIMIT):
            self._write(puts[first : first + _TRANSACTION_LIMIT])

    def last_generation(self, name: str) -> int:
        item = self._db.get_item(
            TableName=self._table, Key=item_key("FORGOTTEN", name), ConsistentRead=True
        ).get("Item")
        return int(item["generation"]["N"]) if item else 0

    def forget(self, status: EndpointStatus) -> None:
        keys = [item_key(FLEET, f"{status.name}#{part}") for part in _OF_AN_ENDPOINT]
        deletes = [{"Delete": {"TableName": self._table, "Key": key}} for key in keys]
        deletes[0]["Delete"].update(_unchanged(status))
        self._write([*deletes, self._put(forgotten_item(status))])

    def usage(self, start: datetime, end: datetime) -> list[UsageSegment]:
        first = start.replace(hour=0, minute=0, second=0, microsecond=0)
        segments = [
            segment_of(item)
            for month in _months(start.date(), end.date())
            for item in self._query(f"USAGE#{month}", between=(first.isoformat(), end.isoformat()))
        ]
        return [segment for segment in segments if segment.start < end and segment.end > start]

    def history(self, name: str, limit: int = 50) -> list[HistoryEntry]:
        return [entry_of(item) for item in self._query(f"HISTORY#{name}", newest=limit)]

    def history_within(self, name: str, start: datetime, end: datetime) -> list[HistoryEntry]:
        items = self._query(f"HISTORY#{name}", between=span(start, end))
        return [entry_of(item) for item in items]

    def count_traffic(self, traffic: Traffic) -> None:
        counters = traffic.model_dump(exclude={"endpoint", "start", "hours", "waits"})
        counters |= {f"{WAITS}{number}": count for number, count in traffic.waits.items()}
        self._db.update_item(
            TableName=self._table,
            Key=traffic_key(traffic),
            UpdateExpression="SET endpoint = :endpoint, traffic_hour = :hour ADD "
            + ", ".join(f"{name} :{name}" for name in counters),
            ExpressionAttributeValues={
                ":endpoint": {"S": traffic.endpoint},
                ":hour": {"S": traffic.start.isoformat()},
                **{f":{name}": {"N": str(value)} for name, value in counters.items()},
            },
        )

    def traffic(self, start: date, end: date) -> list[Traffic]:
        return [
            traffic_of(item)
            for month in _months(start, end)
            for item in self._query(
                f"TRAFFIC#{month}", between=(start.isoformat(), f"{end.isoformat()}~")
            )
        ]

    def count_failure(self, name: str, message_id: str, now: datetime) -> int:
        """Counts one failed try of a message; returns how many there were."""
        reply = self._db.update_item(
            TableName=self._table,
            Key=item_key(f"FAILURES#{name}", message_id),
            UpdateExpression="SET expires_at = :expires ADD failures :one",
            ExpressionAttributeValues={
                ":one": {"N": "1"},
                ":expires": {"N": str(int((now + timedelta(days=FAILURE_DAYS)).timestamp()))},
            },
            ReturnValues="UPDATED_NEW",
        )
        return int(reply["Attributes"]["failures"]["N"])

    def note_due(self, name: str, due_at: datetime, now: datetime) -> None:
        condition = "attribute_not_exists(pk) OR due_at > :due OR due_at < :now"
        values = {":due": _number(due_at), ":now": _number(now)}
        self._unless_refused("put_item", condition, values, Item=due_item(name, due_at))

    def forget_due(self, name: str, due_at: datetime) -> None:
        key = item_key(FLEET, f"{name}#LATER")
        self._unless_refused("delete_item", "due_at = :due", {":due": _number(due_at)}, Key=key)

    def _unless_refused(
        self, operation: str, condition: str, values: Mapping[str, Any], **what: Any
    ) -> None:
        """A condition that does not hold says that somebody else has put it right already."""
        try:
            getattr(self._db, operation)(
                TableName=self._table,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                **what,
            )
        except ClientError as refused:
            if not _is_conflict(refused):
                raise

    def _put(self, item: Item, **condition: Any) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": item, **condition}}

    def _write(
        self,
        actions: list[dict[str, Any]],
        opposed: str = "the endpoint was changed by somebody else",
    ) -> None:
        if len(actions) > _TRANSACTION_LIMIT:
            raise ValueError(f"{len(actions)} items do not fit into one DynamoDB transaction")
        try:
            if len(actions) == 1 and "Put" in actions[0]:
                self._put_alone(actions[0]["Put"])
            else:
                self._db.transact_write_items(TransactItems=actions)
        except ClientError as refused:
            if _is_conflict(refused):
                raise ConflictError(opposed) from refused
            raise

    def _put_alone(self, put: dict[str, Any]) -> None:
        """Half the price of a transaction, and the tick writes one item of each endpoint that is
        awake. What a transaction's token does: a write whose answer was lost, and that is sent
        again, finds itself."""
        try:
            self._db.put_item(**put, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except ClientError as refused:
            if refused.response.get("Item") != put["Item"]:
                raise

    def _query(self, pk: str, **which: Any) -> Iterator[Item]:
        return items_of(self._db, self._table, pk, **which)


def _number(moment: datetime) -> dict[str, str]:
    return {"N": str(moment.timestamp())}


def _is_conflict(error: ClientError) -> bool:
    if error_code(error) in _CONFLICTS:
        return True
    reasons = error.response.get("CancellationReasons", ())
    return any(r.get("Code") in {"ConditionalCheckFailed", "TransactionConflict"} for r in reasons)


def _unchanged(read: EndpointStatus | StackState) -> Mapping[str, Any]:
    return {
        "ConditionExpression": "version = :read",
        "ExpressionAttributeValues": {":read": {"N": str(read.version)}},
    }


def _months(start: date, end: date) -> list[str]:
    months, year, month = [], start.year, start.month
    while (year, month) <= (end.year, end.month):
        months.append(f"{year:04}-{month:02}")
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return months
