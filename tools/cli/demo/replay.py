"""Sends a trace's requests into the endpoint's queue, at the account's time, and checks answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.cli.demo.stage import Stage
from tools.cli.demo.trace import Arrival, Trace

_CHARACTERS_PER_TOKEN = 4
_LONGEST_PROMPT = 200_000  # characters; SQS takes 256 KiB a message
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class WakeSeen:
    """How the first message woke the endpoint, as seen from outside; seconds of the wall."""

    seconds: float
    cause: str


class Replay:
    """One pass over the arrivals: the first by `wake`, the others in a thread of their own."""

    def __init__(self, stage: Stage, trace: Trace) -> None:
        self._stage = stage
        self.arrivals = trace.arrivals
        self.sent = 0
        self.error: Exception | None = None
        self._began = 0.0

    @property
    def finished(self) -> bool:
        return self.sent == len(self.arrivals)

    def wake(self) -> WakeSeen | None:
        """Sends the first message and watches for the execution that wakes; None: none came.

        The account's clock should run as the wall does: then no tick of the controller comes in
        between, and what is measured is the message's own way.
        """
        before = {one["name"] for one in self._stage.executions("wake-endpoint")}
        self._began = self._stage.account.clock.time()
        start = time.monotonic()
        self._send(0)
        while (passed := time.monotonic() - start) < _PATIENCE_SECONDS:
            names = {one["name"] for one in self._stage.executions("wake-endpoint")}
            passed = time.monotonic() - start
            if names - before:
                return WakeSeen(passed, str(self._stage.describe()["cause"]))
            time.sleep(_LOOK_SECONDS)
        return None

    def start(self) -> None:
        """Sends the others, each at its time after the first."""
        threading.Thread(target=self._run, name="replay", daemon=True).start()

    def compare(self, results: Mapping[str, Mapping[str, Any]]) -> tuple[int, int]:
        """Requests without an answer, and answers that are not whole."""
        lost = wrong = 0
        for number, arrival in enumerate(self.arrivals[: self.sent]):
            result = results.get(_name(number))
            if result is None:
                lost += 1
            elif not _is_whole(result, arrival):
                wrong += 1
        return lost, wrong

    def _run(self) -> None:
        clock = self._stage.account.clock
        try:
            for number in range(1, len(self.arrivals)):
                clock.sleep(self._began + self.arrivals[number].seconds - clock.time())
                self._send(number)
        except Exception as error:  # noqa: BLE001 - told by whoever waits for the end
            self.error = error

    def _send(self, number: int) -> None:
        body = _body(number, self.arrivals[number])
        self._stage.account.boto("sqs").send_message(
            QueueUrl=self._stage.queue_url, MessageBody=body
        )
        self.sent += 1


def _body(number: int, arrival: Arrival) -> str:
    length = min(arrival.input_tokens * _CHARACTERS_PER_TOKEN, _LONGEST_PROMPT)
    return json.dumps(
        {
            "id": _name(number),
            "messages": [{"role": "user", "content": "x" * length}],
            "max_tokens": arrival.output_tokens,
        }
    )


def _name(number: int) -> str:
    return f"request-{number:05}"


def _is_whole(result: Mapping[str, Any], arrival: Arrival) -> bool:
    answer = result.get("answer") or {}
    tokens = (answer.get("usage") or {}).get("completion_tokens")
    choices = answer.get("choices") or [{}]
    return tokens == arrival.output_tokens and bool(choices[0].get("finish_reason"))
