"""Deliveries in the background: retries, expiry and dead-letter queues."""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.embedded.pump.signals import Signal, wall_seconds_until
from tools.embedded.types import Clock

log = logging.getLogger(__name__)

WORKERS = 4
LONGEST_PAUSE = 60.0


class DeliveryError(Exception):
    """A delivery that failed; `code` goes into the dead letter."""

    def __init__(self, code: str, message: str, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


@dataclass
class Delivery:
    """One event for one target."""

    send: Callable[[int], None]  # gets the number of the attempt, from 1
    body: str  # what a dead-letter queue is sent
    origin_arn: str
    target_arn: str
    dead_letter_arn: str | None = None
    max_retries: int = 185
    max_age_seconds: float = 86_400.0
    dead_letter_attributes: Mapping[str, str] = field(default_factory=dict)
    may_bury: Callable[[str], bool] = lambda _queue: True  # the rights of whoever sends it
    created: float = 0.0
    attempts: int = 0


class Deliveries:
    """A few workers that send what is due, in the order in which it came."""

    def __init__(
        self,
        clock: Clock,
        dead_letter: Callable[[str, str, Mapping[str, str]], None],
        on_failure: Callable[[Delivery], None],
    ) -> None:
        self._clock = clock
        self._dead_letter = dead_letter
        self._on_failure = on_failure
        self._heap: list[tuple[float, int, Delivery]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._signal = Signal()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"delivery-{n}", daemon=True)
            for n in range(WORKERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._signal.raise_()
        for thread in self._threads:
            thread.join(0.25)

    def put(self, delivery: Delivery) -> None:
        delivery.created = self._clock.time()
        self._push(delivery.created, delivery)

    def _push(self, due: float, delivery: Delivery) -> None:
        with self._lock:
            heapq.heappush(self._heap, (due, next(self._numbers), delivery))
        self._signal.raise_()

    def _run(self) -> None:
        while not self._stop.is_set():
            seen = self._signal.count
            delivery, due = self._pop()
            if delivery is None:
                wait = 5.0 if due is None else wall_seconds_until(self._clock, due)
                self._signal.wait(seen, wait)
                continue
            self._attempt(delivery)

    def _pop(self) -> tuple[Delivery | None, float | None]:
        with self._lock:
            if not self._heap:
                return None, None
            due = self._heap[0][0]
            if due > self._clock.time():
                return None, due
            return heapq.heappop(self._heap)[2], due

    def _attempt(self, delivery: Delivery) -> None:
        delivery.attempts += 1
        try:
            delivery.send(delivery.attempts)
        except DeliveryError as error:
            self._failed(delivery, error)
        except Exception as error:  # noqa: BLE001 - whatever a target raises counts as its failure
            self._failed(delivery, DeliveryError(type(error).__name__, str(error), retryable=True))

    def _failed(self, delivery: Delivery, error: DeliveryError) -> None:
        age = self._clock.time() - delivery.created
        pause = min(LONGEST_PAUSE, 2.0 ** min(delivery.attempts, 10))
        exhausted = ""
        if delivery.attempts > delivery.max_retries:
            exhausted = "MaximumRetryAttempts"
        elif age + pause > delivery.max_age_seconds:
            exhausted = "MaximumEventAgeInSeconds"
        if error.retryable and not exhausted:
            self._push(self._clock.time() + pause, delivery)
            return
        log.warning(
            "delivery from %s to %s failed: %s", delivery.origin_arn, delivery.target_arn, error
        )
        self._on_failure(delivery)
        if delivery.dead_letter_arn and delivery.may_bury(delivery.dead_letter_arn):
            self._bury(delivery, error, exhausted)

    def _bury(self, delivery: Delivery, error: DeliveryError, exhausted: str) -> None:
        attributes = {
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": str(error) or error.code,
            "TARGET_ARN": delivery.target_arn,
            "RETRY_ATTEMPTS": str(delivery.attempts - 1),
            **delivery.dead_letter_attributes,
        }
        if exhausted:
            attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
        try:
            self._dead_letter(str(delivery.dead_letter_arn), delivery.body, attributes)
        except Exception:
            log.exception("the dead letter for %s was lost", delivery.origin_arn)


def retry_limits(target: Mapping[str, Any]) -> dict[str, Any]:
    """RetryPolicy and DeadLetterConfig of a target, as Delivery's arguments."""
    policy = target.get("RetryPolicy") or {}
    return {
        "max_retries": int(policy.get("MaximumRetryAttempts", 185)),
        "max_age_seconds": float(policy.get("MaximumEventAgeInSeconds", 86_400)),
        "dead_letter_arn": (target.get("DeadLetterConfig") or {}).get("Arn"),
    }


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
