"""Messages where there is no Block Kit: an e-mail's subject and text, and JSON. Pure."""

from __future__ import annotations

from typing import Any

from .chart import text_bars
from .message import Message

_SUBJECT_LIMIT = 100  # SNS: ASCII, below 100 characters, no line break


def subject(message: Message) -> str:
    """`[critical] llama failed while CREATING`."""
    ascii_title = message.title.translate(_ASCII).encode("ascii", "replace").decode()
    whole = " ".join(f"[{message.severity}] {ascii_title}".split())
    return whole if len(whole) < _SUBJECT_LIMIT else whole[: _SUBJECT_LIMIT - 4] + "..."


_ASCII = str.maketrans({"−": "-", "×": "x", "·": "-", "…": "...", "–": "-", "“": '"', "”": '"'})


def text(message: Message) -> str:
    """The whole message as plain text."""
    parts = [message.title, message.body.replace("*", "")]
    if message.facts:
        parts.append("\n".join(f"{label}: {value}" for label, value in message.facts))
    if message.bars:
        parts.append(text_bars(message.bars))
    if message.links:
        parts.append("\n".join(f"{label}: {url}" for label, url in message.links))
    parts += (*message.in_force, *message.notes)
    return "\n\n".join([*parts, message.context]) + "\n"


def document(message: Message) -> dict[str, Any]:
    """For a webhook that is not Slack's. `text` is what most receivers show."""
    return {
        "version": 1,
        "severity": message.severity.value,
        "kind": message.kind,
        "endpoint": message.endpoint,
        "title": message.title,
        "text": message.fallback,
        "facts": [{"name": label, "value": value} for label, value in message.facts],
        "links": [{"name": label, "url": url} for label, url in message.links],
        "in_force": list(message.in_force),
        "notes": list(message.notes),
        "context": message.context,
    }
