"""Server-sent events on their way through: what keeps a connection alive, and what is looked at
without holding anything up."""

from __future__ import annotations

import json
from typing import Any

_END = b"\n\n"
_END_OF_OTHERS = b"\r\n\r\n"
# Of the last event of a stream with usage: OpenAI's has no choice in it.
_NO_CHOICE = (b'"choices":[]', b'"choices": []')
DONE = b"data: [DONE]\n\n"


def comment(text: str) -> bytes:
    """Readers of events skip it; connections stay open by it."""
    return f": {text}\n\n".encode()


def event(name: str, document: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n".encode()


class Passage:
    """Passes a stream on, event by event, and remembers its usage, which nobody sees who did not
    ask for it. So whatever comes, what was passed ends where an error event may follow."""

    def __init__(self, *, keep_usage: bool) -> None:
        self._keep = keep_usage
        self._rest = b""
        self.usage: dict[str, Any] = {}

    def passed(self, data: bytes) -> bytes:
        """The whole events that there are now."""
        if self._rest:
            data = self._rest + data
        end = max(_after(data, _END), _after(data, _END_OF_OTHERS))
        whole, self._rest = data[:end], data[end:]
        if any(mark in whole for mark in _NO_CHOICE):
            return self._without_usage(whole)
        return whole

    def rest(self) -> bytes:
        """What came after the last whole event, when the stream is over."""
        rest, self._rest = self._rest, b""
        return rest

    def _without_usage(self, whole: bytes) -> bytes:
        kept = []
        for one in whole.replace(_END_OF_OTHERS, _END).split(_END):
            if any(mark in one for mark in _NO_CHOICE) and self._took(one) and not self._keep:
                continue
            kept.append(one)
        return _END.join(kept)

    def _took(self, one: bytes) -> bool:
        """Whether it is the event of the usage."""
        try:
            document = json.loads(one.removeprefix(b"data:"))
        except ValueError:
            return False
        usage = document.get("usage")
        if not isinstance(usage, dict):
            return False
        self.usage = usage
        return True


def _after(data: bytes, mark: bytes) -> int:
    """Where the last of these marks ends; 0 without one."""
    found = data.rfind(mark)
    return found + len(mark) if found >= 0 else 0
