"""Sees what passes the account's front: who asked the model for what, and what was announced."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from typing import Any

from benchmarks.requests.sender import named_in
from tools.embedded.kernel.traffic import Call

ASKS = "sagemaker:InvokeEndpointWithResponseStream"
ANNOUNCES = "events:PutEvents"


class Witness:
    """Everything is counted by the id of a request; a generation is one wake or one sleep."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.announced: Counter[str] = Counter()
        self.places: defaultdict[str, set[str]] = defaultdict(set)  # of answers, as announced
        self.refused: dict[str, str] = {}
        self.waited: dict[str, float] = {}  # simulated seconds until the first announcement
        self.generations: defaultdict[str, set[int]] = defaultdict(set)  # by the kind of event
        self._lock = threading.Lock()

    def hear(self, call: Call) -> None:
        """For `Traffic.on_call`."""
        if call.operation == ASKS:
            if name := named_in(call.body):
                with self._lock:
                    self.asked[name] += 1
        elif call.operation == ANNOUNCES and call.trouble is None:
            for entry in json.loads(call.body)["Entries"]:
                with self._lock:
                    self._event(entry["DetailType"], json.loads(entry["Detail"]))

    def settled(self) -> int:
        """Requests whose sender has heard."""
        with self._lock:
            return len(self.announced.keys() | self.refused.keys())

    def _event(self, kind: str, detail: dict[str, Any]) -> None:
        self.generations[kind].add(detail.get("generation", 0))
        if kind == "RequestAnswered":
            name = detail["request_id"]
            self.announced[name] += 1
            self.places[name].add(detail["result_uri"])
            self.waited.setdefault(name, detail["waited_seconds"])
        elif kind == "RequestRefused":
            self.refused[detail["request_id"]] = detail["reason"]
