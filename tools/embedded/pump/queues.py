"""moto's SQS made fit for threads, simulated time and pollers that wake at once.

As shipped, `delete_message` rebuilds the list without the lock that `add_message` takes, so a
message sent in that moment is lost; a long poll sleeps whole wall seconds; a message past its
retention ends a receive; and a send invokes mapped functions inside the sender's request.
"""

from __future__ import annotations

import threading
from collections import Counter
from copy import deepcopy
from typing import Any

from moto.sqs import models
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid

from tools.embedded.pump.leftovers import Leftovers
from tools.embedded.pump.patches import Patches
from tools.embedded.pump.signals import Signal, wall_seconds_until
from tools.embedded.types import Clock

MAX_INVISIBLE_MS = 43_200_000
DEDUPLICATION_MS = 300_000


class Queues:
    """The queue operations that replace moto's while installed."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.signal = Signal()
        self.leftovers: Leftovers | None = None
        self._sent: Counter[str] = Counter()
        self._sent_lock = threading.Lock()
        self._patches = Patches()
        self._closed = threading.Event()

    def install(self) -> None:
        put, own = self._patches.set, self
        self._patches.set_time(models, self.clock)
        put(models.Queue, "add_message", lambda queue, message: own.add(queue, message))
        put(models.Queue, "delete_message", lambda queue, receipt: own.delete(queue, receipt))
        put(models.SQSBackend, "change_message_visibility", _change_visibility_with(own))
        put(models.SQSBackend, "receive_message", _receive_with(own))
        original = put(models.SQSBackend, "purge_queue", None)
        models.SQSBackend.purge_queue = _purge_with(own, original)  # type: ignore[method-assign]

    def uninstall(self) -> None:
        self._closed.set()
        self.signal.raise_()
        self._patches.restore()

    def take_sent(self) -> Counter[str]:
        """Messages sent to each queue since the last call, by name."""
        with self._sent_lock:
            sent, self._sent = self._sent, Counter()
        return sent

    def add(self, queue: models.Queue, message: models.Message) -> None:
        with queue._messages_lock:
            if queue.fifo_queue and self._is_duplicate(queue, message):
                return
            queue._messages.append(message)
            queue._messages_lock.notify_all()
        with self._sent_lock:
            self._sent[queue.name] += 1
        self.signal.raise_()

    @staticmethod
    def _is_duplicate(queue: models.Queue, message: models.Message) -> bool:
        key = message.deduplication_id
        if key is None:
            return False
        recent: dict[str, int] = queue.__dict__.setdefault("_pump_deduplication", {})
        sent = int(message.sent_timestamp or 0)
        if sent - recent.get(key, -DEDUPLICATION_MS) < DEDUPLICATION_MS:
            return True
        recent[key] = sent
        return False

    def receive(
        self, queue: models.Queue, count: int, visibility_timeout: int
    ) -> list[models.Message]:
        """Takes up to `count` visible messages; moves those received too often to the DLQ."""
        now = self.clock.time() * 1000
        redriven: list[models.Message] = []
        taken: list[models.Message] = []
        with queue._messages_lock:
            expired = now - int(queue.message_retention_period) * 1000  # type: ignore[attr-defined]
            blocked = _busy_groups(queue, now)
            for message in list(queue._messages):
                if len(taken) >= count:
                    break
                if message.visible_at > now or message.delayed_until > now:
                    continue
                if (message.sent_timestamp or now) < expired:
                    queue._messages.remove(message)
                elif message.group_id and message.group_id in blocked:
                    continue
                elif _received_too_often(queue, message):
                    queue._messages.remove(message)
                    _forget_receipts(queue, message)
                    redriven.append(message)
                else:
                    self._leave(queue, message, now)
                    self._take(queue, message, now, visibility_timeout)
                    taken.append(deepcopy(message))
        for message in redriven:
            message.visible_at = 0.0
            self.add(queue.dead_letter_queue, message)  # type: ignore[arg-type]
        return taken

    def _leave(self, queue: models.Queue, message: models.Message, now: float) -> None:
        """A copy of a message that is about to be taken, if this receive leaves one."""
        if self.leftovers and (copy := self.leftovers.of(queue, message, now)):
            queue._messages.append(copy)

    @staticmethod
    def _take(queue: models.Queue, message: models.Message, now: float, timeout: int) -> None:
        message.mark_received(visibility_timeout=None)
        message.visible_at = now + int(timeout) * 1000
        receipts: dict[Any, models.Message] = queue.__dict__.setdefault("_pump_receipts", {})
        receipts[message.receipt_handle] = message

    def delete(self, queue: models.Queue, receipt_handle: str) -> None:
        with queue._messages_lock:
            if receipt_handle in queue.deleted_messages:
                return
            message = _find(queue, receipt_handle)
            _forget_receipts(queue, message)
            if message in queue._messages:
                queue._messages.remove(message)
        if queue.fifo_queue:
            self.signal.raise_()

    def change_visibility(self, queue: models.Queue, receipt_handle: str, timeout: int) -> None:
        with queue._messages_lock:
            message = _find(queue, receipt_handle)
            until = self.clock.time() * 1000 + int(timeout) * 1000
            if until - int(message.sent_timestamp or 0) > MAX_INVISIBLE_MS and timeout:
                raise InvalidParameterValue(
                    f"Value {timeout} for parameter VisibilityTimeout is invalid. Reason: Total "
                    "VisibilityTimeout for the message is beyond the limit [43200 seconds]"
                )
            message.visible_at = until
        self.signal.raise_()

    def next_visible(self, queue: models.Queue) -> float | None:
        """The simulated second at which the next hidden message shows itself."""
        now = self.clock.time() * 1000
        with queue._messages_lock:
            times = [max(m.visible_at, m.delayed_until) for m in queue._messages]
        later = [t for t in times if t > now]
        return min(later) / 1000 if later else None

    def long_poll(
        self, queue: models.Queue, count: int, wait_seconds: float, timeout: int
    ) -> list[models.Message]:
        deadline = self.clock.time() + wait_seconds
        while True:
            seen = self.signal.count
            messages = self.receive(queue, count, timeout)
            if messages or self.clock.time() >= deadline or self._closed.is_set():
                return messages
            due = min(deadline, self.next_visible(queue) or deadline)
            self.signal.wait(seen, wall_seconds_until(self.clock, due))


def _receive_with(queues: Queues) -> Any:
    def receive_message(
        backend: Any,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[models.Message]:
        queue = backend.get_queue(queue_name)
        messages = queues.long_poll(queue, count, wait_seconds_timeout, visibility_timeout)
        for message in messages:
            models._filter_message_attributes(message, message_attribute_names or [])
        return messages

    return receive_message


def _change_visibility_with(queues: Queues) -> Any:
    def change_message_visibility(
        backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int
    ) -> None:
        queues.change_visibility(
            backend.get_queue(queue_name), receipt_handle, int(visibility_timeout)
        )

    return change_message_visibility


def _purge_with(queues: Queues, original: Any) -> Any:
    def purge_queue(backend: Any, queue_name: str) -> None:
        with backend.get_queue(queue_name)._messages_lock:
            original(backend, queue_name)
            backend.get_queue(queue_name).__dict__.pop("_pump_receipts", None)

    return purge_queue


def _forget_receipts(queue: models.Queue, message: models.Message) -> None:
    queue.deleted_messages.update(h for h in message.all_receipt_handles if h)
    for handle in message.all_receipt_handles:
        queue.__dict__.get("_pump_receipts", {}).pop(handle, None)


def _find(queue: models.Queue, receipt_handle: str) -> models.Message:
    message = queue.__dict__.get("_pump_receipts", {}).get(receipt_handle)
    if message is not None:
        return message
    for message in queue._messages:  # received before the patches were installed
        if message.had_receipt_handle(receipt_handle):
            return message
    raise ReceiptHandleIsInvalid


def _busy_groups(queue: models.Queue, now: float) -> set[str]:
    """FIFO groups with a message in flight: nothing behind it may overtake it."""
    if not queue.fifo_queue:
        return set()
    return {
        m.group_id
        for m in queue._messages
        if m.group_id and m.approximate_receive_count and m.visible_at > now
    }


def _received_too_often(queue: models.Queue, message: models.Message) -> bool:
    policy = queue.redrive_policy  # type: ignore[attr-defined]
    if queue.dead_letter_queue is None or not policy:
        return False
    return message.approximate_receive_count >= int(policy["maxReceiveCount"])
