"""Names, reasons, errors and answers from outside, where something would act on them."""

from __future__ import annotations

import http.server
import json
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from autoscaler.alerts import plain
from autoscaler.alerts.console import Console
from autoscaler.alerts.events.base import Event
from autoscaler.alerts.grouping import digest, grouped
from autoscaler.alerts.message import Message, message_of
from autoscaler.alerts.pace import Pace
from autoscaler.alerts.slack import payload
from autoscaler.aws.slack import SlackRejectedError, WebhookSink
from autoscaler.catalog.prices import bundled
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.html import render_html
from autoscaler.ledger.periods import Period
from tests.alerts_events import ONE_OF_EACH
from tests.hostile import TEXTS
from tests.ledger_books import MONDAY
from tools.cli.harmless import all_harmless, harmless

HOSTILE = "<!channel> <@U0123|x> <https://evil.example|log in> *b* `c`\n> ‮&lt;!here&gt;"

SHORT = "<!channel> <https://evil.example|x>"  # as long as an endpoint's name


BENIGN = "x"


def saying(event: Event, text: str, short: str) -> Event:
    """With every text in it so, but for those that a closed list bounds."""
    fields: dict[str, Any] = {}
    for name in type(event).model_fields:
        value = getattr(event, name)
        if type(value) is str:
            fields[name] = short if name in ("endpoint", "shared") else text
        elif isinstance(value, tuple) and value and all(type(one) is str for one in value):
            fields[name] = (text,) * len(value)
    return event.model_copy(update=fields)


def told(event: Event) -> str:
    """With every text in it hostile."""
    console = Console("aws", "us-east-1", "123456789012", "stack")
    return json.dumps(payload(message_of(saying(event, HOSTILE, SHORT), console)))


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.detail_type)
def test_no_text_of_an_event_mentions_links_or_calls_anybody(event: Event) -> None:
    said = told(event)
    assert "evil.example" in said or event.endpoint == "", "nothing of it was hostile"
    for link in re.findall(r"<([^>]*)>", said):
        assert link.startswith("https://"), f"Slack would act on <{link}>"
        assert "evil" not in link.partition("|")[0].split("/")[2], link


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.detail_type)
def test_slack_makes_nothing_of_a_text_that_only_looks_like_a_link_or_a_name(event: Event) -> None:
    """`verbatim`: what is escaped has no brackets, and Slack would still find addresses in it."""
    texts = list(_markdown(json.loads(told(event))))
    assert texts and all(one.get("verbatim") is True for one in texts)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.detail_type)
def test_a_text_of_an_event_looks_like_nothing_of_ours(event: Event) -> None:
    """It begins no line, as one that is in force has; it is not bold, and ends no fence."""
    shown = [looks(saying(event, text, "llama")) for text in (HOSTILE, BENIGN)]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("many", [grouped, digest])
def test_nor_in_a_message_of_many(many: Callable[[list[Event]], Message]) -> None:
    events = [one for one in ONE_OF_EACH if one.endpoint]
    for kind in sorted({one.detail_type for one in events}):
        same = [one for one in events if one.detail_type == kind] * 2
        shown = [
            marks(payload(many([saying(one, text, "llama") for one in same])))
            for text in (HOSTILE, BENIGN)
        ]
        assert shown[0] == shown[1], kind


def looks(event: Event) -> list[Counter[str]]:
    message = message_of(event)
    return [marks(one) for one in (payload(message), plain.text(message), plain.document(message))]


def marks(value: Any) -> Counter[str]:
    """How often each mark stands in all its texts that could be taken for one of ours."""
    if isinstance(value, str):
        return Counter(c for c in value if c in "\n*`" or unicodedata.category(c) == "Cf")
    inner = value.values() if isinstance(value, dict) else value
    return sum((marks(one) for one in inner if isinstance(one, str | dict | list)), Counter())


def _markdown(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and value.get("type") == "mrkdwn":
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _markdown(inner)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_nothing_in_a_terminal_acts(text: str) -> None:
    shown = harmless(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f‪-‮⁦-⁩]", shown)
    assert harmless("plain\ttext\nand ünïcödé 漢字 😀") == "plain\ttext\nand ünïcödé 漢字 😀"


@pytest.mark.parametrize("mark", ["\u061c", "\u200e", "\u200f", *map(chr, range(0x2066, 0x206A))])
def test_each_mark_that_turns_a_line_is_shown(mark: str) -> None:
    """All of Unicode's Bidi_Control; the embeddings and overrides are among the hostile texts."""
    assert harmless(f"a{mark}b") == f"a\\u{ord(mark):04x}b"


def test_a_document_is_as_harmless_as_its_texts_and_json_as_before() -> None:
    found = all_harmless({"a\x1b": ["\x9b31m", {"b": "\u202e", "c": 1, "d": None}]})
    assert found == {"a\\u001b": ["\\u009b31m", {"b": "\\u202e", "c": 1, "d": None}]}
    written = json.dumps({"a": "\x7f\x9b"}, ensure_ascii=False)
    assert json.loads(harmless(written)) == {"a": "\x7f\x9b"}


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    """`/hook` sends on to `/metadata`, which must never be asked for."""

    status = 302
    asked: list[str] = []

    def _answer(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(self.status if self.path == "/hook" else 200)
        self.send_header("Location", "/metadata")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    _Elsewhere.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_slack_webhook_that_sends_elsewhere_is_not_followed(elsewhere: str, status: int) -> None:
    _Elsewhere.status = status
    sink = WebhookSink(elsewhere, "alerts", Pace(lambda: datetime.now(UTC)))
    with pytest.raises(SlackRejectedError, match=f"sends elsewhere \\(HTTP {status}\\)") as told_:
        sink.send(message_of(ONE_OF_EACH[0]))
    assert _Elsewhere.asked == ["POST /hook"]
    assert "hook:" not in str(told_.value) and "127.0.0.1" not in str(told_.value)


def test_a_report_may_run_and_load_nothing_should_an_escape_ever_be_missed() -> None:
    """That there is none, test_ledger_report says."""
    page = render_html(summarize(Books([], []), Period.day(MONDAY.date()), MONDAY, bundled()))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy and policy[1].startswith("default-src 'none';")
    assert "script-src" not in policy[1] and "img-src" not in policy[1]
    assert policy.start() < page.index("<style>"), "it counts from where it stands on"
