"""What a message may say under its reserved key, and one sentence for each wrong field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.spec.request import RequestError, RequestOptions, parse_options

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECRET = "https://hooks.example.com/T0/secret"


def test_everything_that_may_be_said_is_read() -> None:
    options = parse_options(
        {
            "id": "a1",
            "priority": 9,
            "deadline": "2026-11-26T13:00:00+01:00",
            "deferrable": True,
            "reply_to": {"queue": "https://sqs.eu-west-1.amazonaws.com/123456789012/answers"},
            "tenant": "search",
            "body": "s3://results/requests/llama/a1.json",
        }
    )
    assert (options.id, options.priority, options.deferrable) == ("a1", 9, True)
    assert options.due_at(NOON - timedelta(days=1)) == NOON
    assert options.reply_to is not None and options.reply_to.queue


def test_a_time_to_live_counts_from_when_the_message_was_sent() -> None:
    assert parse_options({"ttl": "2h"}).due_at(NOON) == NOON + timedelta(hours=2)
    assert RequestOptions().due_at(NOON) is None


def test_what_is_left_out_has_its_default() -> None:
    assert parse_options({}) == RequestOptions(priority=5, deferrable=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"priority": 10}, "autoscaler.priority: 10 is above 9"),
        ({"priority": True}, "autoscaler.priority: true is not a number"),
        ({"priority": 1.5}, "autoscaler.priority: 1.5 is not a whole number"),
        ({"id": "a/b"}, "autoscaler.id: 'a/b' cannot name a result"),
        ({"id": 7}, "autoscaler.id: 7 is not a text"),
        ({"id": None, "tenant": ""}, "autoscaler.tenant: '' is not a tenant's name"),
        ({"deadline": "2026-11-26T12:00:00"}, "autoscaler.deadline: .* has no time zone"),
        ({"deadline": "tomorrow"}, "autoscaler.deadline: 'tomorrow' is not a time such as"),
        ({"deadline": 1764158400}, "autoscaler.deadline: 1764158400 is not a time such as"),
        ({"ttl": "soon"}, "autoscaler.ttl: 'soon' is not a duration"),
        ({"ttl": "0s"}, "autoscaler.ttl: 0s leaves no time"),
        ({"ttl": "1h", "deadline": "2026-11-26T12:00:00Z"}, "autoscaler: give .* not both"),
        ({"deferrable": "yes"}, "autoscaler.deferrable: is neither true nor false"),
        ({"prority": 1}, "autoscaler.prority: unknown key; did you mean `priority`"),
        ({"xyz": "q"}, "autoscaler.xyz: unknown key; known keys: id, priority"),
        ({"reply_to": {}}, "autoscaler.reply_to: give exactly one of"),
        ({"reply_to": {"event": False}}, "autoscaler.reply_to: give exactly one of"),
        ({"reply_to": {"event": True, "url": SECRET}}, "autoscaler.reply_to: give exactly one of"),
        ({"reply_to": {"mail": "x"}}, "autoscaler.reply_to.mail: unknown key"),
        ({"reply_to": "x"}, "autoscaler.reply_to: 'x' is not a mapping"),
        ({"reply_to": {"queue": "answers"}}, "autoscaler.reply_to.queue: 'answers' is neither"),
        ({"reply_to": {"url": "http://x.example/"}}, "autoscaler.reply_to.url: .* https only"),
        ({"reply_to": {"url": "https://u:p@x.example/"}}, "autoscaler.reply_to.url: has a user"),
        ({"reply_to": {"url": "https:///path"}}, "autoscaler.reply_to.url: is not a URL"),
        (
            {"reply_to": {"url": "https://x.example:99999/"}},
            "autoscaler.reply_to.url: is not a URL",
        ),
        (
            {"body": "s3://b/results/llama/x.json"},
            "autoscaler.body: .* is not where a body may lie",
        ),
        ("text", "autoscaler: is not a mapping"),
    ],
)
def test_a_wrong_field_is_named_with_the_way_out(options, said) -> None:
    with pytest.raises(RequestError, match=said):
        parse_options(options)


@pytest.mark.parametrize("url", [SECRET.replace("https", "http"), SECRET + "#x", SECRET + "\n"])
def test_a_callback_is_in_no_sentence_and_in_no_representation(url) -> None:
    with pytest.raises(RequestError) as refused:
        parse_options({"reply_to": {"url": url}})
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert "secret" not in repr(parse_options({"reply_to": {"url": SECRET}}))
