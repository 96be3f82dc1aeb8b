"""Failures that Step Functions wraps in JSON come out as one sentence."""

import json

import pytest

from autoscaler.control.causes import sentence_of
from autoscaler.control.progress import record_failed
from autoscaler.policy.types import Phase
from tests.memory import memory_world
from tests.samples import asleep, put, spec

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


def wrapped(words: str) -> str:
    told = json.dumps({"errorType": "ModelError", "errorMessage": words})
    return json.dumps({"Error": "States.TaskFailed", "Cause": told})


def test_a_containers_words_that_nest_without_end_are_words() -> None:
    words = "[" * 20_000
    sentence = sentence_of("States.TaskFailed", wrapped(words))
    assert sentence.startswith("ModelError: [[[")
    assert len(sentence) == 2000 and sentence.endswith("…"), "it is stored a dozen times"


def test_a_containers_words_are_characters_that_every_store_takes() -> None:
    sentence = sentence_of("States.TaskFailed", wrapped("half \ud83d, bell \x07, \ufffe"))
    assert sentence == "ModelError: half \ufffd, bell \ufffd, \ufffd"
    assert sentence.encode()


def test_a_containers_words_are_told_without_credentials_and_our_own_as_they_are() -> None:
    told = sentence_of("States.TaskFailed", wrapped("401 for Bearer S3CRET at https://u:S3CRET@h/"))
    assert told == "ModelError: 401 for *** at https://***@h/"
    ours = "the Hub does not accept the token in autoscaler/hub-token: HubTokenSecretName=make"
    assert sentence_of("HubReplyError", ours) == f"HubReplyError: {ours}"


def test_a_failed_wake_is_recorded_whatever_the_container_said() -> None:
    """Or its machines would stay, and be paid for."""
    for words in ("[" * 20_000, "half \ud83d", "x" * 30_000):
        world = memory_world()
        put(world, asleep("llama", phase=Phase.WAKING), spec("llama"))
        record_failed(world, "llama", 1, "States.TaskFailed", wrapped(words))
        assert world.store.records["llama"].status.phase is Phase.SLEEPING
