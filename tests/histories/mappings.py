"""Lambda's event source mappings: one batch at a time, when the test says so."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from moto.awslambda.models import LambdaBackend, lambda_backends
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import sqs_backends

from tests.histories.step_functions import Invoked
from tools.embedded.pump.mapping import is_enabled
from tools.embedded.pump.mappings import _listed, _once
from tools.embedded.pump.patches import Patches
from tools.embedded.pump.queues import Queues
from tools.embedded.pump.sqs_event import failed_ids, sqs_record
from tools.embedded.types import ACCOUNT_ID, DEFAULT_REGION


class Mappings:
    """Reads the queues that have a reader."""

    def __init__(self, queues: Queues, invoke: Callable[[str, Any], Invoked]) -> None:
        self._queues, self._invoke = queues, invoke
        self._patches = Patches()

    def install(self) -> None:
        """One mapping a pair, found by any name of its function, as in the embedded account."""
        create = self._patches.set(LambdaBackend, "create_event_source_mapping", None)
        LambdaBackend.create_event_source_mapping = _once(create)  # type: ignore[method-assign]
        self._patches.set(LambdaBackend, "list_event_source_mappings", _listed)

    def uninstall(self) -> None:
        self._patches.restore()

    def read(self) -> list[tuple[Any, Any]]:
        """Each enabled mapping with its queue."""
        backend = lambda_backends[ACCOUNT_ID][DEFAULT_REGION]
        found = []
        for mapping in list(backend._event_source_mappings.values()):
            name = mapping.event_source_arn.rpartition(":")[2]
            queue = sqs_backends[ACCOUNT_ID][DEFAULT_REGION].queues.get(name)
            if queue is not None and is_enabled(mapping):
                found.append((mapping, queue))
        return found

    def deliver(self) -> bool:
        """Hands over one batch; False if no message is in sight."""
        for mapping, queue in self.read():
            size, hidden = int(mapping.batch_size), queue.visibility_timeout
            batch = self._queues.receive(queue, size, hidden)
            if batch:
                self._work(mapping, queue, batch)
                return True
        return False

    def next_due(self) -> float:
        """When a message comes into sight; infinity: none will."""
        moments = [
            max(message.visible_at, message.delayed_until) / 1000
            for _, queue in self.read()
            for message in queue._messages
        ]
        return min(moments, default=math.inf)

    def waiting(self) -> int:
        """Messages in all queues that are read."""
        return sum(len(queue._messages) for _, queue in self.read())

    def oldest(self, name: str) -> float:
        """When the oldest message of a queue was sent that nobody has deleted yet, as SQS tells its
        age; infinity: there is none."""
        found = [queue for _, queue in self.read() if queue.name == name]
        sent = [one.sent_timestamp / 1000 for queue in found for one in queue._messages]
        return min(sent, default=math.inf)

    def _work(self, mapping: Any, queue: Any, batch: list[Any]) -> None:
        records = [sqs_record(one, queue.queue_arn, queue.region) for one in batch]
        done = self._invoke(mapping.function_arn, {"Records": records})
        ids = [record["messageId"] for record in records]
        stay = set(ids) if done.error else failed_ids(json.dumps(done.payload).encode(), ids)
        for record in records:
            if record["messageId"] not in stay:
                try:
                    self._queues.delete(queue, record["receiptHandle"])
                except ReceiptHandleIsInvalid:
                    continue  # it came to somebody else meanwhile
