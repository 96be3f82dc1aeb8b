"""Messages as Slack's Block Kit: within its limits, with nothing in them that it would act on."""

from __future__ import annotations

from typing import Any

from .events.base import Severity
from .message import Message

HEADER_LIMIT = 150
TEXT_LIMIT = 3000
FIELD_LIMIT = 2000
MOST_FIELDS = 10

_COLOURS = {
    Severity.INFO: "#1f7a6d",
    Severity.WARNING: "#e0a63c",
    Severity.CRITICAL: "#a33b2e",
}
_MARKS = {Severity.INFO: "", Severity.WARNING: "⚠️ ", Severity.CRITICAL: "🚨 "}
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ELLIPSIS = "…"


def payload(message: Message) -> dict[str, Any]:
    """The body of an incoming webhook: `text` for notifications, blocks for the channel.

    The colour stands beside an attachment, the only place that Slack has for one.
    """
    title = _MARKS[message.severity] + message.title
    return {
        "text": escaped(f"{_MARKS[message.severity]}{message.fallback}", TEXT_LIMIT),
        "blocks": [
            {"type": "header", "text": _plain(title)},
        ],
        "attachments": [{"color": _COLOURS[message.severity], "blocks": _details(message)}],
    }


def escaped(text: str, limit: int) -> str:
    """Escapes &, < and >, and cuts to `limit` characters without cutting an escape in two."""
    pieces: list[str] = []
    length, after = 0, len(text)
    for character in text:
        piece = _ESCAPES.get(character, character)
        after -= 1
        if length + len(piece) > limit - (1 if after else 0):
            return "".join(pieces) + _ELLIPSIS
        pieces.append(piece)
        length += len(piece)
    return "".join(pieces)


def _details(message: Message) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "section", "text": _text(message.body or " ")}]
    if message.facts:
        fields = [_fact(label, value) for label, value in message.facts[:MOST_FIELDS]]
        blocks.append({"type": "section", "fields": fields})
    blocks.append({"type": "context", "elements": [_text(message.context)]})
    return blocks


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text, HEADER_LIMIT), "emoji": True}


def _text(text: str) -> dict[str, Any]:
    # verbatim: no link is made of what looks like one, no name becomes a mention
    return {"type": "mrkdwn", "text": escaped(text, TEXT_LIMIT), "verbatim": True}


def _fact(label: str, value: str) -> dict[str, Any]:
    head = f"*{escaped(label, HEADER_LIMIT)}*\n"
    body = escaped(value, FIELD_LIMIT - len(head))
    return {"type": "mrkdwn", "text": head + body, "verbatim": True}
