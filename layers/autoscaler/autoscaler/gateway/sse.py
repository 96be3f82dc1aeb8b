"""Server-sent events on their way through: what keeps a connection alive, and what is looked at
without holding anything up."""

from __future__ import annotations

import json
import re
from typing import Any

from ..aws.streaming import BrokenStreamError

# An event is one token or some; whoever holds more of one waits for an end that never comes.
MOST_UNFINISHED_BYTES = 1024 * 1024
_END = b"\n\n"
_END_OF_OTHERS = b"\r\n\r\n"
_DONE = b"[DONE]"
DONE = b"data: [DONE]\n\n"
# What may make an event worth reading: reading each one would cost more than passing it on.
# OpenAI's event of the usage has no choice in it.
_TELLING = re.compile(
    rb'"choices"\s*:\s*\[\s*\]|"finish_reason"\s*:\s*"|"error"\s*:|data:\s*\[DONE\]'
)


def comment(text: str) -> bytes:
    """Readers of events skip it; connections stay open by it."""
    return f": {text}\n\n".encode()


def event(name: str, document: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n".encode()


class Passage:
    """Passes a stream on, event by event, and remembers its usage, which nobody sees who did not
    ask for it. So whatever comes, what was passed ends where an error event may follow.

    It remembers as well whether the answer came to its end: some containers say `[DONE]`, some
    only why each of the `choices` ended.
    """

    def __init__(self, *, keep_usage: bool, choices: int = 1) -> None:
        self._keep, self._choices = keep_usage, choices
        self._rest = bytearray()
        self._ended = False
        self._finished: set[int] = set()
        self.usage: dict[str, Any] = {}

    def passed(self, data: bytes) -> bytes:
        """The whole events that there are now. Raises BrokenStreamError for one without end."""
        known = max(0, len(self._rest) - len(_END_OF_OTHERS) + 1)  # searched, and without an end
        self._rest += data
        end = max(_after(self._rest, mark, known) for mark in (_END, _END_OF_OTHERS))
        whole = bytes(self._rest[:end])
        del self._rest[:end]
        if len(self._rest) > MOST_UNFINISHED_BYTES:
            raise BrokenStreamError(
                f"an event of it is longer than {MOST_UNFINISHED_BYTES:,} bytes"
            )
        return self._seen(whole)

    def rest(self) -> bytes:
        """When the stream is over: its last event, if that lacks nothing but the empty line.

        Raises BrokenStreamError when the stream ended before the answer did.
        """
        rest = bytes(self._rest).strip()
        self._rest.clear()
        said = _said(rest)
        whole = said == _DONE or _document(said) is not None
        last = self._seen(rest + _END) if whole else b""
        if not (self._ended or len(self._finished) >= self._choices):
            raise BrokenStreamError("the model's stream ended in the middle of its answer")
        return last

    def _seen(self, whole: bytes) -> bytes:
        """The same events, without that of the usage if it is not kept."""
        if not _TELLING.search(whole):
            return whole
        events = whole.replace(_END_OF_OTHERS, _END).split(_END)
        usages = [self._read(one) for one in events]
        if self._keep or not any(usages):
            return whole
        return _END.join(one for one, is_usage in zip(events, usages, strict=True) if not is_usage)

    def _read(self, one: bytes) -> bool:
        """Whether it is the event of the usage."""
        if not _TELLING.search(one):
            return False
        said = _said(one)
        document = _document(said) or {}
        # Who is told an error of the model's own needs no other.
        self._ended = self._ended or said == _DONE or bool(document.get("error"))
        choices = document.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("finish_reason"):
                index = choice.get("index", 0)
                self._finished.add(index if isinstance(index, int) else 0)
        usage = document.get("usage")
        if choices or not isinstance(usage, dict):
            return False
        self.usage = usage
        return True


def _said(one: bytes) -> bytes:
    """The data of one event, whatever other lines it has."""
    lines = (line.strip() for line in one.splitlines())
    found = (line.removeprefix(b"data:") for line in lines if line.startswith(b"data:"))
    return b"\n".join(found).strip()


def _document(said: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _after(data: bytearray, mark: bytes, start: int) -> int:
    """Where the last of these marks ends; 0 without one."""
    found = data.rfind(mark, start)
    return found + len(mark) if found >= 0 else 0
