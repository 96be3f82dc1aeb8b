"""Failures that Step Functions wraps in JSON come out as one sentence."""

import json

import pytest

from autoscaler.control.causes import sentence_of

LAMBDA = json.dumps({"errorType": "ModelNotFoundError", "errorMessage": "no such model"})
NESTED = json.dumps({"Status": "FAILED", "Error": "States.TaskFailed", "Cause": LAMBDA})


@pytest.mark.parametrize(
    ("error", "cause", "sentence"),
    [
        ("NoCapacity", "none left", "NoCapacity: none left"),
        ("NoCapacity", "", "NoCapacity"),
        ("States.TaskFailed", LAMBDA, "ModelNotFoundError: no such model"),
        ("States.TaskFailed", NESTED, "ModelNotFoundError: no such model"),
        ("E", '{"Error": "Inner"}', "Inner"),
        ("E", "[1, 2]", "E: [1, 2]"),
        ("E", '{"cut of', 'E: {"cut of'),
        ("HubError", '{"errorMessage": "the \\"Hub\\" is aw', 'HubError: the "Hub" is aw'),
        ("HubError", '{"errorMessage": "it is away", "errorType": "Hu', "HubError: it is away"),
        (
            "E",
            json.dumps({"Cause": LAMBDA, "Error": "E", "Input": "x"})[:-3],
            "ModelNotFoundError: no such model",
        ),
        ("E", '{"errorMessage": "cut \\u00', 'E: {"errorMessage": "cut \\u00'),
    ],
)
def test_the_innermost_failure_is_what_a_person_reads(error, cause, sentence) -> None:
    assert sentence_of(error, cause) == sentence
