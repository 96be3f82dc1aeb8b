"""When a message of notify's queue comes back."""

from __future__ import annotations

import math
from typing import Any

from .clients import client

_MOST_SECONDS = 3600


class AlertQueue:
    """The queue whose batches notify is given."""

    def __init__(self, url: str, sqs: Any = None) -> None:
        self._url = url
        self._sqs = sqs or client("sqs")

    def put_off(self, receipt: str, seconds: float) -> None:
        """It is out of sight for so long from now on, instead of for the queue's own timeout."""
        self._sqs.change_message_visibility(
            QueueUrl=self._url,
            ReceiptHandle=receipt,
            VisibilityTimeout=min(_MOST_SECONDS, max(1, math.ceil(seconds))),
        )
