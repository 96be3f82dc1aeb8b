"""Where a prompt and its answer do not get to.

Requests with a canary are answered awake and asleep, kept, refused by the model and by the
dispatcher; the last test searches for it in whatever the account keeps, logs and tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.overheard import Heard, executions, metrics
from tests.embedded.stack import Stack, deployed, wait_for

CANARY = "canary7Yq2mN4xW9"
NAME = "llama"
PROMPT = {"messages": [{"role": "user", "content": f"Who is {CANARY}?"}], "max_tokens": 3}
# The stand-in's answers are nonsense, but for the name of the model that was asked.
ANSWERS = {**PROMPT, "model": CANARY, "user": CANARY, "metadata": {"who": CANARY}}
REFUSED = {"too-long": {**PROMPT, "max_tokens": CANARY}, "unclear": {"question": CANARY}}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(tmp_path_factory.mktemp("account")) as found:
        found.net.watch(CANARY)
        yield found


@pytest.fixture(scope="module")
def heard(stack: Stack) -> Heard:
    return Heard(stack)


def test_it_is_answered_and_the_answer_has_the_canary(stack: Stack, heard: Heard) -> None:
    assert stack.apply(NAME, answers={"keep": "1h"})["ok"]
    stack.until(NAME, "AWAKE")
    stack.ask(NAME, {"id": "plain", **ANSWERS})
    stack.ask(NAME, {"id": "same", **ANSWERS, "temperature": 0})
    for request_id in ("plain", "same"):
        assert stack.result(NAME, request_id)["answer"]["model"] == CANARY


def test_what_is_refused_lies_among_the_dead_letters(stack: Stack) -> None:
    for request_id, body in REFUSED.items():
        stack.ask(NAME, {"id": request_id, **body})
    stack.ask(NAME, f"{{{CANARY}")
    for request_id in REFUSED:
        assert stack.result(NAME, request_id)["error"]
    found: dict[str, str] = {}

    def letters() -> dict[str, str]:
        found.update({one["MessageId"]: one["Body"] for one in stack.dead_letters(NAME)})
        return found

    wait_for(letters, lambda all_: len(all_) == len(REFUSED) + 1, "the dead letters")
    assert all(CANARY in body for body in found.values())


def test_asleep_it_is_answered_by_what_was_kept_and_nothing_wakes(stack: Stack) -> None:
    wait_for(lambda: stack.command("sleep", endpoint=NAME)["ok"], bool, "the order to sleep")
    before = stack.until(NAME, "ASLEEP")
    asked = stack.account.sagemaker.invocations
    with stack.without_ticks():  # one is 0.7 s here, and would see it before anybody has taken it
        stack.ask(NAME, {"id": "again", **ANSWERS, "temperature": 0.0, "user": "another"})
        result = stack.result(NAME, "again")
        assert (result["cached"], result["answer"]["model"]) == (True, CANARY)
        now = stack.get(NAME)
        assert (now["phase"], now["generation"]) == ("ASLEEP", before["generation"])
        assert stack.account.sagemaker.invocations == asked


def test_asleep_it_is_answered_after_a_wake(stack: Stack) -> None:
    stack.ask(NAME, {"id": "wakes", **ANSWERS})
    assert stack.result(NAME, "wakes")["answer"]["model"] == CANARY


def test_the_report_counts_what_was_kept(stack: Stack) -> None:
    written = stack.report()
    bucket, _, key = written["uris"]["json"].removeprefix("s3://").partition("/")
    body = stack.account.boto("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    (one,) = json.loads(body)["endpoints"]
    assert (one["served"]["requests"], one["served"]["kept"]) == (4, 1)
    assert one["served"]["kept_share"] == 0.25


def kept_answers(stack: Stack) -> list[str]:
    s3, bucket = stack.account.boto("s3"), stack.outputs["ResultsBucketName"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix="answers/").get("Contents", [])
    return [s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read().decode() for o in found]


def test_it_is_in_no_log_event_metric_input_item_or_message(stack: Stack, heard: Heard) -> None:
    heard.look_at_table()
    told = wait_for(
        stack.slack.titles,
        lambda all_: sum("cannot answer" in title for title in all_) >= len(REFUSED) + 1,
        "the refusals in Slack",
    )
    messages = [json.dumps(message) for message in stack.slack.messages]
    kept: dict[str, list[Any]] = {
        "executions": list(executions(stack)),
        "items": heard.items,
        "events": heard.events(),
        "logs": heard.lines,
        "metrics": metrics(stack),
        "messages": [*told, *messages],
    }
    # Each of them holds what it should hold, or the search would find nothing for nothing.
    for what, word in (
        ("executions", f"{NAME}-"),
        ("items", "TRAFFIC#"),
        ("events", "too-long"),
        ("events", "RequestAnswered"),
        ("logs", "dispatched"),
        ("metrics", "Copies"),
        ("messages", "too-long"),
    ):
        assert any(word in text for text in kept[what]), (what, word)
    for what, texts in kept.items():
        assert [text for text in texts if CANARY in text] == [], what
    (answer,) = kept_answers(stack)
    assert CANARY in answer and "Who is" not in answer, "the answer, and no prompt"
