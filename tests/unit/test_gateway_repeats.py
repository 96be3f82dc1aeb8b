"""Kept answers, of which S3 says nothing."""

from __future__ import annotations

import threading
import time
from typing import Any

from autoscaler.gateway.repeats import KEEP_SECONDS
from tests.gateway_awake import gateway_of, said
from tests.samples import awake, spec


class SilentStore:
    """Holds whoever looks until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def find(self, endpoint: str, digest: str) -> Any:
        self.over.wait(60)

    def put(self, endpoint: str, digest: str, answer: Any) -> bool:
        self.over.wait(60)
        return False


def test_a_model_answers_while_s3_says_nothing_of_what_was_kept() -> None:
    silent = SilentStore()
    wanted = spec("llama", answers={"keep": "1h"})
    with gateway_of(awake("llama", commit="c0ffee"), wanted=wanted, kept=silent) as gate:
        gate.model.pieces = [said("because", "stop")]
        began = time.monotonic()
        answer = gate.chat(temperature=0)
        taken = time.monotonic() - began
        silent.over.set()
    assert answer.json()["choices"][0]["message"]["content"] == "because"
    assert KEEP_SECONDS <= taken < 5 * KEEP_SECONDS  # once for looking, once for keeping
