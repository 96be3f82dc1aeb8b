"""The requests: each names itself in its prompt, so that its answer can be told from any other."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from tools.embedded.sagemaker import container

PER_CALL = 10  # messages that SQS takes at a time
_NAMED = re.compile(r"request (q\d{5,})")
_SHORTEST, _LENGTHS = 3, 18  # tokens
_LOOK_SECONDS = 0.02


def request_id(number: int) -> str:
    return f"q{number:05}"


def body_of(number: int) -> dict[str, Any]:
    """The message's body without what is reserved; chats and completions in turn."""
    said = f"Please answer request {request_id(number)}."
    tokens = _SHORTEST + number % _LENGTHS
    if number % 2:
        return {"prompt": said, "max_tokens": tokens, "temperature": 0}
    return {"messages": [{"role": "user", "content": said}], "max_tokens": tokens}


def named_in(raw: bytes) -> str | None:
    """The request that a body was made for; None: somebody else's, as the probe of a wake."""
    found = _NAMED.search(raw.decode(errors="replace"))
    return found[1] if found else None


def expected(number: int) -> str:
    """The whole text that the stand-in of a model says to this request, and to no other."""
    body = body_of(number)
    prompt = container.understand(json.dumps(body).encode(), {})
    return f"{prompt.seed:08x}: {prompt.words(0, prompt.output_tokens)}"


def said(answer: dict[str, Any]) -> str:
    """The same, of an answer that was stored; the model puts the prompt's digest into its id."""
    choice = answer["choices"][0]
    text = choice["message"]["content"] if "message" in choice else choice["text"]
    digest = str(answer["id"]).partition("-")[2][:8]
    return f"{digest}: {text}"


class Sender:
    """Puts requests into a queue, never faster than `per_second` of the wall."""

    def __init__(self, sqs: Any, url: str, per_second: float) -> None:
        self._sqs, self._url, self._per_second = sqs, url, per_second
        self.sent = 0
        self.wall_seconds = 0.0

    def send(self, numbers: Sequence[int], may_send: Callable[[], bool]) -> None:
        """All of them, in the order of their numbers; looks before each call whether it may."""
        began = time.monotonic()
        for first in range(0, len(numbers), PER_CALL):
            batch = numbers[first : first + PER_CALL]
            due = began + first / self._per_second
            while time.monotonic() < due or not may_send():
                time.sleep(_LOOK_SECONDS)
            self._put(batch)
        self.wall_seconds += time.monotonic() - began

    def _put(self, numbers: Sequence[int]) -> None:
        entries = [
            {
                "Id": str(number),
                "MessageBody": json.dumps({"id": request_id(number), **body_of(number)}),
            }
            for number in numbers
        ]
        failed = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed")
        if failed:
            raise AssertionError(f"the queue did not take {failed}")
        self.sent += len(numbers)
