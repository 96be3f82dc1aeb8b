"""A DynamoDB transaction whose token was seen before is answered as before, and not done again.

botocore sends the same ClientRequestToken when it repeats a call whose answer was lost; without
this the second try would meet the first one's own writes as a conflict. DynamoDB remembers a token
for ten minutes; here the newest ten thousand are remembered, whatever the speed of the clock.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cache
from typing import Any

_TOKENS_KEPT = 10_000


@cache
def install() -> None:
    from moto.dynamodb.responses import DynamoHandler

    DynamoHandler.transact_write_items = _once(DynamoHandler.transact_write_items)


def _once(write: Any) -> Any:
    done: OrderedDict[str, Any] = OrderedDict()
    lock = threading.Lock()

    def transact_write_items(handler: Any) -> Any:
        token = handler.body.get("ClientRequestToken")
        with lock:
            if token in done:
                return done[token]
        reply = write(handler)
        with lock:
            if token:
                done[token] = reply
            while len(done) > _TOKENS_KEPT:
                done.popitem(last=False)
        return reply

    return transact_write_items
