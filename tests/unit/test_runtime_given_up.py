"""Lambda's record of a call that came to nothing, as a person reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from autoscaler.alerts.message import message_of
from autoscaler.runtime.given_up import round_failed

ARN = "arn:aws:lambda:us-east-1:123456789012:function:autoscaler-sweep-account:$LATEST"
CALLED = {"functionArn": ARN, "condition": "RetriesExhausted", "approximateInvokeCount": 3}
RECORD = {
    "version": "1.0",
    "timestamp": "2026-11-24T06:08:19.482Z",
    "requestContext": CALLED,
    "requestPayload": {"sweep": "remove"},
    "responsePayload": {"errorType": "KeyError", "errorMessage": "'Name'\n  at line 7"},
}


def told(**changes: Any) -> tuple[str, str]:
    event = round_failed({**RECORD, **changes}, "autoscaler")
    json.loads(event.model_dump_json())  # as it is held
    message = message_of(event)
    return message.title, message.body


def test_what_failed_and_how_often_is_told() -> None:
    title, body = told()
    assert title == "sweep-account does not work"
    assert body.startswith("It failed in 3 tries: KeyError: 'Name'. Until it works again")


OTHERS = [
    ({"responsePayload": None}, "It failed in 3 tries: RetriesExhausted."),
    ({"responsePayload": "boom"}, "It failed in 3 tries: RetriesExhausted."),
    ({"responsePayload": {"errorType": None}}, "It failed in 3 tries: RetriesExhausted."),
    (
        {"responsePayload": {"errorMessage": "2026-11-24 Task timed out after 60.00 seconds"}},
        "It failed in 3 tries: 2026-11-24 Task timed out after 60.00 seconds.",
    ),
    (
        {"requestContext": {"functionArn": ARN, "condition": "EventAgeExceeded"}},
        "It was not run: KeyError",
    ),
    ({"responsePayload": {"errorMessage": "half \ud83d"}}, "It failed in 3 tries: half ?."),
    ({"responsePayload": {"errorMessage": "a `tick`"}}, "It failed in 3 tries: a 'tick'."),
    ({"requestPayload": None}, "It failed in 3 tries: KeyError"),
]


@pytest.mark.parametrize(("changes", "begin"), OTHERS)
def test_a_record_that_names_a_function_is_told_whatever_it_has(
    changes: dict[str, Any], begin: str
) -> None:
    assert told(**changes)[1].startswith(begin)


def test_a_long_failure_is_cut_and_says_so() -> None:
    failure = round_failed(
        {**RECORD, "responsePayload": {"errorMessage": "x" * 9000}}, "autoscaler"
    ).failure
    assert len(failure) == 500 and failure.endswith("...")


def test_the_report_that_is_missing_has_its_command() -> None:
    called = {**CALLED, "functionArn": ARN.replace("sweep-account", "report-costs")}
    title, body = told(requestContext=called, requestPayload={"period": "month", "closed": True})
    assert title == "report-costs of the month does not work"
    assert body.endswith(
        "`autoscaler report --period month --closed` writes the one that is missing."
    )


def test_another_report_and_another_day_are_other_failures() -> None:
    at = {"timestamp": "2026-11-25T06:08:19.482Z"}
    keys = {
        round_failed({**RECORD, **changes}, "autoscaler").dedupe_key
        for changes in ({}, at, {"requestPayload": {"period": "day"}}, {"requestPayload": {}})
    }
    assert len(keys) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"requestContext": {"functionArn": "arn:aws:lambda:us-east-1:1:function:else-notify"}},
        {"requestContext": {"functionArn": "x"}},
        {"requestContext": {}},
        {"timestamp": "yesterday"},
    ],
)
def test_what_is_no_record_of_ours_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, ValueError)):
        round_failed({**RECORD, **changes}, "autoscaler")
