"""DynamoDB as moto has it, one write at a time, and its transactions all or nothing.

moto takes a whole copy of the table before each transaction and puts it back when a condition
fails: what others wrote in between is lost, and a large table takes seconds. Here conditions are
looked at first, nobody writes in between, and nothing has to be put back.

A transaction whose token was seen before is answered as before, and not done again: botocore sends
the same ClientRequestToken when it repeats a call whose answer was lost. DynamoDB remembers a token
for ten minutes; here the newest ten thousand are remembered, whatever the speed of the clock.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cache, wraps
from types import SimpleNamespace
from typing import Any

_TOKENS_KEPT = 10_000
_ALONE = ("put_item", "update_item", "delete_item", "get_item", "query", "scan")
_LOCK = threading.RLock()


@cache
def install() -> None:
    from moto.dynamodb import models
    from moto.dynamodb.responses import DynamoHandler

    backend = models.DynamoDBBackend
    for name in _ALONE:
        setattr(backend, name, _alone(getattr(backend, name)))
    backend.transact_write_items = _checked_first(backend.transact_write_items)
    models.copy = SimpleNamespace(**{**vars(models.copy), "deepcopy": _copy_of})
    DynamoHandler.transact_write_items = _once(DynamoHandler.transact_write_items)


class _Writing(threading.local):
    """Whether this thread is in a transaction."""

    now = False


_writing = _Writing()


def _copy_of(thing: Any) -> Any:
    """A copy; of a table in a transaction none is needed."""
    import copy

    from moto.dynamodb.models.table import Table

    return thing if _writing.now and isinstance(thing, Table) else copy.deepcopy(thing)


def _alone(work: Any) -> Any:
    @wraps(work)
    def alone(*args: Any, **kwargs: Any) -> Any:
        with _LOCK:
            return work(*args, **kwargs)

    return alone


def _checked_first(write: Any) -> Any:
    @wraps(write)
    def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> Any:
        with _LOCK:
            _check(backend, transact_items)
            _writing.now = True
            try:
                return write(backend, transact_items)
            finally:
                _writing.now = False

    return transact_write_items


def _check(backend: Any, transact_items: list[dict[str, Any]]) -> None:
    """Raises moto's MultipleTransactionsException for an item that is written twice, and its
    TransactionCanceledException if any condition does not hold."""
    from moto.dynamodb.exceptions import (
        MultipleTransactionsException,
        TransactionCanceledException,
    )

    written = [_item_of(backend, next(iter(item.values()))) for item in transact_items]
    if any(one in written[:number] for number, one in enumerate(written)):
        raise MultipleTransactionsException
    errors = [_error(backend, next(iter(item.values()))) for item in transact_items]
    if any(code is not None for code, _, _ in errors):
        raise TransactionCanceledException(errors)


def _item_of(backend: Any, action: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Its table and its key."""
    table = backend.get_table(action["TableName"])
    names = (table.hash_key_attr, table.range_key_attr)
    given = action.get("Key") or action["Item"]
    return table.name, {name: given[name] for name in names if name}


def _error(backend: Any, action: dict[str, Any]) -> tuple[Any, Any, Any]:
    from moto.dynamodb.comparisons import get_filter_expression

    condition = action.get("ConditionExpression")
    if condition is None:
        return None, None, None
    table, key = _item_of(backend, action)
    current = backend.get_item(table, key)
    holds = get_filter_expression(
        condition,
        action.get("ExpressionAttributeNames"),
        action.get("ExpressionAttributeValues"),
    ).expr(current)
    if holds:
        return None, None, None
    told = action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current
    before = current.to_json()["Attributes"] if told else None
    return "ConditionalCheckFailed", "The conditional request failed", before


def _once(write: Any) -> Any:
    done: OrderedDict[str, Any] = OrderedDict()

    @wraps(write)
    def transact_write_items(handler: Any) -> Any:
        token = handler.body.get("ClientRequestToken")
        with _LOCK:
            if token in done:
                return done[token]
            reply = write(handler)
            if token:
                done[token] = reply
            while len(done) > _TOKENS_KEPT:
                done.popitem(last=False)
            return reply

    return transact_write_items
