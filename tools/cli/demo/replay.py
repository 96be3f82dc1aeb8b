"""Sends a trace's requests into the endpoint's queue, at the account's time, and checks answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tools.cli.demo.stage import Stage
from tools.cli.demo.trace import Arrival

_CHARACTERS_PER_TOKEN = 4


class Replay:
    """One pass over the arrivals in a thread of its own."""

    def __init__(self, stage: Stage, arrivals: Sequence[Arrival]) -> None:
        self._stage = stage
        self.arrivals = arrivals
        self.sent = 0
        self.finished = False
        self._first_sent: float | None = None
        self._speed = 1.0

    def start(self) -> None:
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

    def seconds_to_wake(self) -> float:
        """Wall seconds from the first message in the queue to the wish that wakes the endpoint."""
        assert self._first_sent is not None
        one = self._stage.client.command("get", endpoint=self._stage.name)["endpoints"][0]
        wished = [
            datetime.fromisoformat(line["at"]).timestamp()
            for line in one["history"]
            if line["phase"] == "WAKING"
        ]
        after = [moment for moment in wished if moment >= self._first_sent]
        return (min(after) - self._first_sent) / self._speed if after else float("inf")

    def _run(self) -> None:
        clock, sqs = self._stage.account.clock, self._stage.account.boto("sqs")
        url, start = self._stage.queue_url, clock.time()
        self._speed = clock.speed
        for number, arrival in enumerate(self.arrivals):
            clock.sleep(start + arrival.seconds - clock.time())
            if self._first_sent is None:
                self._first_sent = clock.time()
            sqs.send_message(QueueUrl=url, MessageBody=_body(number, arrival))
            self.sent += 1
        self.finished = True


def _body(number: int, arrival: Arrival) -> str:
    prompt = "x" * (arrival.input_tokens * _CHARACTERS_PER_TOKEN)
    return json.dumps(
        {
            "id": _name(number),
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": arrival.output_tokens,
        }
    )


def _name(number: int) -> str:
    return f"request-{number:05}"


def _is_whole(result: Mapping[str, Any], arrival: Arrival) -> bool:
    answer = result.get("answer") or {}
    tokens = (answer.get("usage") or {}).get("completion_tokens")
    return tokens == arrival.output_tokens and bool(answer["choices"][0].get("finish_reason"))
