"""Writes to tables one after the other, as DynamoDB's conditions need it.

moto checks a condition and writes without a lock, and a transaction that is refused puts the whole
table back as it was when it began: what somebody else wrote in between was lost.
"""

from __future__ import annotations

import threading
from functools import cache, wraps
from typing import Any

_WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")
_LOCK = threading.RLock()  # a transaction calls the single writes


@cache
def install() -> None:
    """Mends moto once."""
    from moto.dynamodb.models import DynamoDBBackend

    for name in _WRITES:
        setattr(DynamoDBBackend, name, _alone(getattr(DynamoDBBackend, name)))


def _alone(write: Any) -> Any:
    @wraps(write)
    def alone(*args: Any, **kwargs: Any) -> Any:
        with _LOCK:
            return write(*args, **kwargs)

    return alone
