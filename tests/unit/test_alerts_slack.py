"""Block Kit: escaped, within Slack's limits, coloured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.alerts.events.base import Severity
from autoscaler.alerts.message import Message
from autoscaler.alerts.slack import HEADER_LIMIT, TEXT_LIMIT, escaped, payload
from tools.receiver import InvalidPayloadError, validated


def message(**changes: object) -> Message:
    fields: dict = {
        "severity": Severity.INFO,
        "title": "llama is awake",
        "body": "It answered.",
        "facts": (("Copies", "1"),),
        "context": "info",
    }
    return Message(**{**fields, **changes})


def test_the_shape_of_a_message() -> None:
    sent = payload(message())
    assert sent["text"] == "llama is awake. It answered."
    assert sent["blocks"][0]["text"]["text"] == "llama is awake"
    (attachment,) = sent["attachments"]
    assert [block["type"] for block in attachment["blocks"]] == ["section", "section", "context"]
    assert attachment["blocks"][1]["fields"][0]["text"] == "*Copies*\n1"


def test_each_severity_has_its_colour_and_mark() -> None:
    sent = {severity: payload(message(severity=severity)) for severity in Severity}
    assert len({body["attachments"][0]["color"] for body in sent.values()}) == 3
    assert sent[Severity.CRITICAL]["text"].startswith("🚨 ")


def test_nothing_becomes_a_mention_or_a_link() -> None:
    text = "<!channel> <https://evil.example|click> & so on"
    sent = payload(message(title=text, body=text, facts=((text, text),), context=text))
    raw = json.dumps(sent)
    assert "<" not in raw and ">" not in raw
    assert "&lt;!channel&gt;" in raw and "&amp; so on" in raw


def test_a_cut_never_splits_an_escape() -> None:
    assert escaped("a" * 9 + "<<", 10) == "a" * 9 + "…"
    assert escaped("<<<", 12) == "&lt;&lt;&lt;"
    assert escaped("<<<", 11) == "&lt;&lt;…"


@given(st.text(max_size=400), st.integers(5, 160))
def test_escaped_text_is_within_its_limit(text: str, limit: int) -> None:
    cut = escaped(text, limit)
    assert len(cut) <= limit
    assert cut.endswith("…") or len(cut) >= len(text)


def test_facts_that_slack_has_no_room_for_are_counted() -> None:
    def shown(many: int) -> list[str]:
        facts = tuple((f"fact {n}", str(n)) for n in range(many))
        blocks = payload(message(facts=facts))["attachments"][0]["blocks"]
        return [field["text"] for field in blocks[1]["fields"]]

    assert shown(10)[-1] == "*fact 9*\n9"
    assert shown(13)[8:] == ["*fact 8*\n8", "… and 4 more"]


@given(st.text(max_size=300), st.text(max_size=5000), st.lists(st.text(max_size=3000), max_size=14))
def test_slack_takes_whatever_an_event_says(title: str, body: str, values: list[str]) -> None:
    facts = tuple((f"fact {n}", value) for n, value in enumerate(values))
    sent = payload(message(title=title or "x", body=body, facts=facts))
    assert validated(json.dumps(sent).encode())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "invalid_payload"),
        (b"{}", "no_text"),
        (b'{"blocks":[{"type":"heading"}]}', "invalid_blocks"),
        (b'{"blocks":[{"type":"section"}]}', "invalid_blocks"),
        (b'{"blocks":[{"type":"divider","colour":1}]}', "invalid_blocks"),
    ],
)
def test_the_receiver_is_as_strict_as_slack(body: bytes, why: str) -> None:
    with pytest.raises(InvalidPayloadError, match=why):
        validated(body)


def test_the_receiver_knows_the_limits() -> None:
    long = {"type": "plain_text", "text": "x" * (HEADER_LIMIT + 1)}
    with pytest.raises(InvalidPayloadError, match="151 characters"):
        validated(json.dumps({"blocks": [{"type": "header", "text": long}]}).encode())
    many = [{"type": "divider"}] * 51
    with pytest.raises(InvalidPayloadError, match="51 blocks"):
        validated(json.dumps({"blocks": many}).encode())
    wide = {"type": "mrkdwn", "text": "x" * (TEXT_LIMIT + 1)}
    with pytest.raises(InvalidPayloadError, match="3001"):
        validated(json.dumps({"blocks": [{"type": "section", "text": wide}]}).encode())


def test_the_pictures_of_the_docs_can_be_drawn_again() -> None:
    from tests.slack_page import pages

    drawn = pages()
    assert "30 endpoints are awake" in drawn["slack-grouped"]
    assert "data:image/png" in drawn["slack-report"] and "<pre>" in drawn["slack-report-webhook"]
    shown = re.findall(r"\]\(images/(slack-[a-z-]+)\.png\)", Path("docs/alerts.md").read_text())
    assert set(shown) == set(drawn) - {"all"}
