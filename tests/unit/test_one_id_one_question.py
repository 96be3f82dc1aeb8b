"""An id names one question of one tenant. Whoever repeats it gets its answer again; whoever asks
something else under it gets no part of that, and is told."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.ports import Answer
from tests.desk import NAME, TestDesk, dispatch, memory_desk, message
from tests.samples import awake, put, spec

SECRET = "the answer of tenant a"
QUESTION = [{"role": "user", "content": "a private question"}]
URL = "https://hooks.example/x"


def asks(tenant: str | None = "a", content: Any = QUESTION, **options: Any) -> dict[str, Any]:
    reserved = {**({"tenant": tenant} if tenant else {}), **options}
    return {"id": "order-42", "autoscaler": reserved, "messages": content}


@pytest.fixture
def desk() -> TestDesk:
    """Tenant a's question is answered."""
    made = memory_desk()
    put(made.world, awake(NAME))
    made.models.answers = [Answer({"choices": [{"message": {"content": SECRET}}]}, 7, 3)]
    dispatch(made, NAME, [message(1, asks())])
    assert SECRET in str(made.results.stored[f"{NAME}/order-42"])
    return made


@pytest.mark.parametrize(
    "other",
    [
        asks("b", [{"role": "user", "content": "anything"}], reply_to={"url": URL}),
        asks("b", reply_to={"url": URL}),
        asks(None, reply_to={"url": URL}),
        asks("a", [{"role": "user", "content": "another"}], reply_to={"url": URL}),
        asks("b"),
    ],
    ids=["all is other", "tenant", "no tenant", "question", "no reply"],
)
def test_another_question_gets_no_part_of_the_answer(desk: TestDesk, other: Any) -> None:
    before = dict(desk.results.stored)
    dispatch(desk, NAME, [message(2, other)])
    assert SECRET not in str(desk.outlets.sent)
    assert len(desk.models.asked) == 1
    said = desk.results.stored.pop(f"{NAME}/m-2")
    assert desk.results.stored == before, "nor is it replaced"
    assert said["code"] == "bad_request" and "'order-42' is of another request" in said["error"]
    if "reply_to" in other["autoscaler"]:
        assert [sent["error"] for _, sent in desk.outlets.sent] == [said["error"]]
    assert len(desk.requests.refused) == 1


@pytest.mark.parametrize(
    "again", [asks(), asks(reply_to={"url": URL}), asks(ttl="2h"), asks(priority=9)]
)
def test_the_same_question_has_its_answer_again_wherever_that_is_to_go(
    desk: TestDesk, again: Any
) -> None:
    dispatch(desk, NAME, [message(2, again)])
    assert len(desk.models.asked) == 1 and desk.requests.refused == []
    assert (SECRET in str(desk.outlets.sent)) is ("reply_to" in again["autoscaler"])
    assert desk.world.announcer.kinds() == ["RequestAnswered", "RequestAnswered"]


def test_an_answer_of_before_there_were_digests_is_had_again(desk: TestDesk) -> None:
    kept = desk.results.stored[f"{NAME}/order-42"]
    desk.results.stored[f"{NAME}/order-42"] = {k: v for k, v in kept.items() if k != "asked"}
    dispatch(desk, NAME, [message(2, asks("b", reply_to={"url": URL}))])
    assert desk.requests.refused == [] and len(desk.models.asked) == 1


def test_of_two_at_the_same_moment_one_is_answered_and_the_other_told() -> None:
    """Neither finds an answer when it begins: the second finds one when it stores its own."""
    made = memory_desk()
    put(made.world, awake(NAME))
    other = message(2, asks("b", [{"role": "user", "content": "x"}], reply_to={"url": URL}))

    def first() -> None:
        made.models.meanwhile = None
        dispatch(made, NAME, [message(1, asks())])

    made.models.meanwhile = first
    made.models.answers = [Answer({"choices": [{"message": {"content": SECRET}}]}, 7, 3)]
    dispatch(made, NAME, [other])
    assert SECRET not in str(made.outlets.sent)
    assert made.results.stored[f"{NAME}/m-2"]["code"] == "bad_request"


def test_a_model_that_answers_later_is_asked_both_questions() -> None:
    made = memory_desk()
    put(made.world, awake(NAME), spec(NAME, kind="async"))
    first, second = message(1, asks()), message(2, asks("b", [{"role": "user", "content": "x"}]))
    dispatch(made, NAME, [first, second])
    assert len(set(made.late.asked)) == 2, "the answer of one is not the other's"
    made.late.come[made.late.asked[0]] = Answer({"choices": [{"message": {"content": "1"}}]}, 1, 1)
    dispatch(made, NAME, [first])
    made.late.come[made.late.asked[1]] = Answer({"choices": [{"message": {"content": "2"}}]}, 1, 1)
    dispatch(made, NAME, [second])
    assert "'1'" in str(made.results.stored[f"{NAME}/order-42"])
    assert made.results.stored[f"{NAME}/m-2"]["code"] == "bad_request"
