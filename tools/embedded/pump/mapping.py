"""One SQS event source mapping at work: receives batches and invokes its function."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from typing import Any

from moto.sqs.exceptions import ReceiptHandleIsInvalid

from tools.embedded.pump.queues import Queues
from tools.embedded.pump.signals import wall_seconds_until
from tools.embedded.pump.sqs_event import (
    MalformedResponseError,
    failed_ids,
    passes_filters,
    sqs_record,
)
from tools.embedded.pump.view import AccountView

log = logging.getLogger(__name__)

DEFAULT_CONCURRENCY = 5  # what Lambda's pollers start with on a standard queue
LONGEST_THROTTLE_PAUSE = 30.0


class MappingPoller:
    """Polls for one mapping until stopped; reads the mapping's settings anew for each batch."""

    def __init__(self, account: AccountView, queues: Queues, mapping: Any) -> None:
        self.mapping = mapping
        self._account = account
        self._queues = queues
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._in_flight: set[threading.Thread] = set()
        self._thread = threading.Thread(
            target=self._run, name=f"mapping-{mapping.uuid[:8]}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._queues.signal.raise_()

    def join(self, wall_seconds: float) -> None:
        self._thread.join(wall_seconds)
        for worker in list(self._in_flight):
            worker.join(wall_seconds)

    def _run(self) -> None:
        if self._refused():
            return  # Lambda, too, polls nothing that the function's role may not read
        while not self._stop.is_set():
            seen = self._queues.signal.count
            queue = self._queue()
            busy = len(self._in_flight) >= self._concurrency()
            if queue is None or not is_enabled(self.mapping) or busy:
                self._queues.signal.wait(seen)
                continue
            batch = self._gather(queue)
            if batch:
                self._begin(queue, batch)
            else:
                due = self._queues.next_visible(queue)
                self._queues.signal.wait(seen, wall_seconds_until(self._account.clock, due))

    def _refused(self) -> bool:
        """Where roles are enforced: whether the function's may not read the queue."""
        acting = getattr(self._account, "acting", None)
        source, function = self.mapping.event_source_arn, self.mapping.function_arn
        return bool(acting and acting.poll(function, source))

    def _queue(self) -> Any | None:
        from moto.sqs.models import sqs_backends

        _, _, _, region, owner, name = self.mapping.event_source_arn.split(":", 5)
        return sqs_backends[owner][region].queues.get(name)

    def _concurrency(self) -> int:
        scaling = self.mapping.scaling_config or {}
        return int(scaling.get("MaximumConcurrency") or DEFAULT_CONCURRENCY)

    def _gather(self, queue: Any) -> list[Any]:
        """Up to BatchSize messages, waiting for more of them through the batching window."""
        size, clock = int(self.mapping.batch_size), self._account.clock
        batch: list[Any] = self._queues.receive(queue, size, queue.visibility_timeout)
        window = float(self.mapping.max_batch_window or 0)
        deadline = clock.time() + window
        while batch and len(batch) < size and clock.time() < deadline and not self._stop.is_set():
            seen = self._queues.signal.count
            more = self._queues.receive(queue, size - len(batch), queue.visibility_timeout)
            batch += more
            if not more:
                self._queues.signal.wait(seen, wall_seconds_until(clock, deadline))
        return batch

    def _begin(self, queue: Any, batch: list[Any]) -> None:
        worker = threading.Thread(
            target=self._work, args=(queue, batch), name=f"{self._thread.name}-batch", daemon=True
        )
        with self._lock:
            self._in_flight.add(worker)
        worker.start()

    def _work(self, queue: Any, batch: list[Any]) -> None:
        try:
            self._process(queue, batch)
        except Exception:  # a batch that breaks must not take its slot with it
            log.exception("mapping %s could not process a batch", self.mapping.uuid)
        finally:
            with self._lock:
                self._in_flight.discard(threading.current_thread())
            self._queues.signal.raise_()

    def _process(self, queue: Any, batch: list[Any]) -> None:
        records = [sqs_record(m, queue.queue_arn, queue.region) for m in batch]
        wanted = [r for r in records if passes_filters(r, self.mapping.filter_criteria)]
        kept = {r["messageId"] for r in wanted}
        self._delete(queue, [r["receiptHandle"] for r in records if r["messageId"] not in kept])
        if not wanted:
            return
        failed = self._invoke(wanted, float(queue.visibility_timeout))
        self._delete(queue, [r["receiptHandle"] for r in wanted if r["messageId"] not in failed])

    def _invoke(self, records: Sequence[dict[str, Any]], visibility: float) -> set[str]:
        """Invokes the function; returns the ids of the messages that stay in the queue."""
        everything = {r["messageId"] for r in records}
        payload = json.dumps({"Records": records}).encode()
        answer = self._invoke_unthrottled(payload, visibility)
        if answer is None or answer.function_error:
            return everything
        if "ReportBatchItemFailures" not in (self.mapping.function_response_types or []):
            return set()
        try:
            return failed_ids(answer.payload, sorted(everything))
        except MalformedResponseError as error:
            log.warning("mapping %s: %s", self.mapping.uuid, error)
            return everything

    def _invoke_unthrottled(self, payload: bytes, visibility: float) -> Any | None:
        """Retries a throttled function while the messages are surely still invisible."""
        clock, pause = self._account.clock, 1.0
        deadline = clock.time() + 0.8 * visibility
        while True:
            try:
                return self._account.functions.invoke(self.mapping.function_arn, payload)
            except LookupError:
                log.warning("mapping %s: no such function", self.mapping.uuid)
                return None
            except RuntimeError as error:
                if "TooManyRequests" not in str(error):
                    raise
            if clock.time() + pause > deadline or clock.sleep(pause, self._stop):
                return None
            pause = min(2 * pause, LONGEST_THROTTLE_PAUSE)

    def _delete(self, queue: Any, receipt_handles: Sequence[str]) -> None:
        for receipt_handle in receipt_handles:
            try:
                self._queues.delete(queue, receipt_handle)
            except ReceiptHandleIsInvalid:
                log.info("message was gone before its batch was done")


def is_enabled(mapping: Any) -> bool:
    return str(mapping.enabled).lower() != "false"
