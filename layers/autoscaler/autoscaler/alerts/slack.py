"""Messages as Slack's Block Kit: within its limits, with nothing in them that it would act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .chart import text_bars
from .events.base import Severity
from .message import Link, Message
from .sentences.base import MOST_FACTS, Bars, Fact

HEADER_LIMIT = 150
TEXT_LIMIT = 3000
FIELD_LIMIT = 2000
LINK_LIMIT = 2000

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
        blocks.append({"type": "section", "fields": _fields(message.facts)})
    if message.bars:
        blocks.append({"type": "section", "block_id": "chart", "text": _chart(message.bars)})
    if message.links:
        blocks.append({"type": "section", "text": _links(message.links)})
    below = (*(f"📌 {one}" for one in message.in_force), *(f"⚠️ {one}" for one in message.notes))
    blocks += [{"type": "context", "elements": [_text(line)]} for line in below]
    blocks.append({"type": "context", "elements": [_text(message.context)]})
    return blocks


def _chart(bars: Bars) -> dict[str, Any]:
    """Monospaced: a fence of backticks, which no label can end."""
    drawn = text_bars(bars).replace("`", "'")
    head = f"*{escaped(bars.title, HEADER_LIMIT)}*\n"
    inner = escaped(drawn, TEXT_LIMIT - len(head) - 2 * len("```") - 2)
    return {"type": "mrkdwn", "text": f"{head}```\n{inner}\n```", "verbatim": True}


def _links(links: Sequence[Link]) -> dict[str, Any]:
    # A link that does not fit is left out whole: cut, it would lead elsewhere.
    text = ""
    for label, url in links:
        one = f"<{escaped(url, LINK_LIMIT)}|{escaped(label, HEADER_LIMIT)}>"
        if len(url) < LINK_LIMIT // 2 and len(text) + len(one) + 3 <= TEXT_LIMIT:
            text += f"{' · ' if text else ''}{one}"
    return {"type": "mrkdwn", "text": text or " ", "verbatim": True}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text, HEADER_LIMIT), "emoji": True}


def _text(text: str) -> dict[str, Any]:
    # verbatim: no link is made of what looks like one, no name becomes a mention
    return {"type": "mrkdwn", "text": escaped(text, TEXT_LIMIT), "verbatim": True}


def _fields(facts: Sequence[Fact]) -> list[dict[str, Any]]:
    """Of more than Slack takes the first, and how many more there are."""
    if len(facts) <= MOST_FACTS:
        return [_fact(label, value) for label, value in facts]
    first = facts[: MOST_FACTS - 1]
    more = _text(f"{_ELLIPSIS} and {len(facts) - len(first)} more")
    return [*(_fact(label, value) for label, value in first), more]


def _fact(label: str, value: str) -> dict[str, Any]:
    head = f"*{escaped(label, HEADER_LIMIT)}*\n"
    body = escaped(value, FIELD_LIMIT - len(head))
    return {"type": "mrkdwn", "text": head + body, "verbatim": True}
