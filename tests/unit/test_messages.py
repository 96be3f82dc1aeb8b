"""What a message may be: its options, bodies that lie elsewhere, deadlines, and whom to tell."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.control.messages import DEEPEST, BadRequestError, messages_of, parse
from autoscaler.control.reply_to import LARGEST_BYTES, TRIES, document
from autoscaler.policy.types import Override, OverrideKind, Phase
from autoscaler.ports import Answer, ModelError, ReplyError
from tests.desk import NAME, TestDesk, dispatch, memory_desk, message
from tests.memory import NOON
from tests.samples import asleep, awake, put

URI = f"s3://results/requests/{NAME}/big.json"
HOOK = "https://hooks.example.com/secret"


@pytest.fixture
def desk() -> TestDesk:
    found = memory_desk()
    put(found.world, awake(NAME))
    return found


def asked(number: int = 1, **options) -> object:
    return message(number, {"id": f"r-{number}", "prompt": "why?", "autoscaler": options})


def test_the_reserved_key_is_read_and_never_sent_to_the_model(desk) -> None:
    dispatch(desk, NAME, [message(1, {"prompt": "x", "autoscaler": {"id": "mine"}})])
    assert desk.models.asked == [{"prompt": "x"}]
    assert "answer" in desk.results.stored[f"{NAME}/mine"]


@pytest.mark.parametrize(
    ("body", "said", "key"),
    [
        ({"prompt": "x", "autoscaler": {"prio": 1}}, "autoscaler.prio: unknown key", "m-1"),
        ({"id": "i", "prompt": "x", "autoscaler": 7}, "autoscaler: is not a mapping", "i"),
        ({"id": "i", "prompt": "x", "autoscaler": {"id": "j"}}, "'j' are two: give one", "m-1"),
        ({"id": "i", "prompt": "x", "autoscaler": {"body": URI}}, "'prompt' beside it", "i"),
        ({"id": "i" * 200, "prompt": "x"}, "cannot name a result", "m-1"),
        ('{"prompt": "x", "temperature": NaN}', "NaN is no number in JSON", "m-1"),
        ({"id": "i", "inputs": [1]}, "nor `inputs`", "i"),
        ({"id": "i", "prompt": [1, "a"]}, "`prompt` is neither text nor token ids nor", "i"),
    ],
)
def test_what_is_wrong_with_a_message_is_said_and_stored(desk, body, said, key) -> None:
    assert dispatch(desk, NAME, [message(1, body)]) == []
    assert said in desk.results.stored[f"{NAME}/{key}"]["error"]
    assert desk.results.stored[f"{NAME}/{key}"]["code"] == "bad_request"
    assert len(desk.results.stored[f"{NAME}/{key}"]["error"]) < 400


@pytest.mark.parametrize("levels", [DEEPEST - 2, DEEPEST + 1])
def test_a_body_is_nested_so_deep_and_no_deeper(levels) -> None:
    schema: dict = {}
    for _ in range(levels):
        schema = {"items": schema}
    body = {"prompt": "x", "response_format": schema}
    if levels < DEEPEST:
        assert parse(message(1, body), NAME).body == body
    else:
        with pytest.raises(BadRequestError, match="nested more than 64 deep"):
            parse(message(1, body), NAME)


@pytest.mark.parametrize("prompt", ["a", ["a", "b"], [1, 2], [[1, 2], [3]]])
def test_several_prompts_and_their_token_ids_are_asked(desk, prompt) -> None:
    desk.bodies.stored[URI] = json.dumps({"prompt": prompt}).encode()
    plain = message(1, {"id": "i", "prompt": prompt})
    stored = message(2, {"autoscaler": {"id": "big", "body": URI}})
    assert dispatch(desk, NAME, [plain, stored]) == []
    assert desk.models.asked == [{"prompt": prompt}] * 2


def test_a_larger_body_is_fetched_from_where_the_message_says(desk) -> None:
    desk.bodies.stored[URI] = json.dumps({"prompt": "long"}).encode()
    assert dispatch(desk, NAME, [message(1, {"autoscaler": {"id": "big", "body": URI}})]) == []
    assert desk.models.asked == [{"prompt": "long"}]
    assert "answer" in desk.results.stored[f"{NAME}/big"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "nothing lies at"),
        (b"\xff", "is not UTF-8"),
        (b"[]", "must be a JSON object"),
        (b'{"prompt": "x", "autoscaler": {}}', "belongs into the message"),
        (b'{"input": "x"}', "has neither `messages`"),
    ],
)
def test_a_body_that_is_not_there_or_none_is_refused_under_the_requests_id(
    desk, content, said
) -> None:
    if content is not None:
        desk.bodies.stored[URI] = content
    dispatch(desk, NAME, [message(1, {"autoscaler": {"id": "big", "body": URI}})])
    assert said in desk.results.stored[f"{NAME}/big"]["error"]
    assert desk.models.asked == []


def test_a_request_whose_time_is_over_is_refused_before_it_wakes_anything(desk) -> None:
    desk.world.store.records.clear()
    put(desk.world, asleep(NAME))
    late = {"deadline": (NOON - timedelta(seconds=95)).isoformat()}
    assert dispatch(desk, NAME, [asked(1, **late), asked(2, ttl="4s"), asked(3, ttl="5s")]) == [
        "m-3"
    ]
    first, second = (desk.results.stored[f"{NAME}/r-{n}"] for n in (1, 2))
    assert first["code"] == second["code"] == "expired"
    assert "11:58:25Z, 1m35s ago" in first["error"]
    assert desk.world.flows.started, "the third one still has time"


def test_a_request_that_expires_while_a_person_lets_nothing_wake_it_is_told_so(desk) -> None:
    until = NOON + timedelta(hours=2)
    sleep = Override(OverrideKind.SLEEP_UNTIL, NOON, until, "no budget.", "ada", True)
    desk.world.store.records.clear()
    put(desk.world, asleep(NAME, overrides=(sleep,)))
    assert dispatch(desk, NAME, [asked(1, ttl="64s"), asked(2)]) == ["m-1", "m-2"]
    assert desk.world.flows.started == [], "nothing wakes it"
    assert sorted(desk.requests.postponed) == [timedelta(seconds=30), timedelta(minutes=30)]
    desk.world.clock.forward(seconds=61)
    assert dispatch(desk, NAME, [asked(1, ttl="64s")]) == []
    assert desk.results.stored[f"{NAME}/r-1"]["error"] == (
        "expired: it was to be answered by 2026-11-24T12:01:00Z, 1s ago; llama sleeps, even for "
        "requests, until 24 Nov 14:00 UTC, as ada asked: no budget; send it again with a later "
        "deadline"
    )


def test_a_request_that_waits_comes_back_while_there_is_time_to_answer_it(desk) -> None:
    desk.world.store.records.clear()
    put(desk.world, asleep(NAME))
    dispatch(desk, NAME, [asked(1, ttl="64s"), asked(2)])  # sent 4 s ago
    assert sorted(desk.requests.postponed) == [timedelta(seconds=30), timedelta(seconds=300)]


def test_only_late_ones_wake_nothing(desk) -> None:
    desk.world.store.records.clear()
    put(desk.world, asleep(NAME))
    assert dispatch(desk, NAME, [asked(1, ttl="1s")]) == []
    assert desk.world.store.records[NAME].status.phase is Phase.ASLEEP
    assert "expired: it was to be answered" in desk.world.announcer.events[0].reason


def test_an_answer_after_its_deadline_is_stored_and_says_so(desk) -> None:
    desk.models.takes = timedelta(seconds=90)
    dispatch(desk, NAME, [asked(1, ttl="60s"), asked(2, ttl="2h")])
    assert desk.results.stored[f"{NAME}/r-1"]["late"] is True
    assert "late" not in desk.results.stored[f"{NAME}/r-2"]
    assert sorted(event.late for event in desk.world.announcer.events) == [False, True]


def test_what_the_model_said_to_a_request_is_for_its_sender_only(desk) -> None:
    desk.models.errors = [ModelError("1 validation error: input 'my secret prompt'")]
    dispatch(desk, NAME, [message()])
    assert "secret" in desk.results.stored[f"{NAME}/r-1"]["error"]
    (event,) = desk.world.announcer.events
    assert "secret" not in event.model_dump_json()
    assert event.reason == "the model refused it; what it said is in the result"


def test_two_deliveries_at_once_have_one_answer_that_counts_once(desk) -> None:
    def another_answers_first() -> None:
        if not desk.results.stored:
            desk.results.put(NAME, "r-1", {"id": "r-1", "answer": "the first"})

    desk.models.meanwhile = another_answers_first
    assert dispatch(desk, NAME, [message()]) == []
    assert desk.results.stored[f"{NAME}/r-1"]["answer"] == "the first"
    assert desk.world.store.counters == {}, "whoever stored it has counted it"


def test_a_message_does_not_show_its_body() -> None:
    shown = repr(message()) + repr(parse(message(), NAME))
    assert "why?" not in shown
    assert "m-1" in shown


def test_whoever_asked_for_it_is_told_its_answer(desk) -> None:
    dispatch(desk, NAME, [asked(1, reply_to={"url": HOOK}), asked(2, reply_to={"event": True})])
    ((place, said),) = desk.outlets.sent
    assert place == HOOK
    assert (said["id"], said["endpoint"], said["result_uri"]) == (
        "r-1",
        NAME,
        f"s3://results/{NAME}/r-1",
    )
    assert said["answer"]["choices"]


def test_a_reply_that_failed_is_sent_again_without_another_answer(desk) -> None:
    desk.outlets.errors = [ReplyError("503")] * 2
    for _ in range(2):
        assert dispatch(desk, NAME, [asked(reply_to={"url": HOOK})]) == ["m-1"]
    assert desk.outlets.errors == [], "the fault fired"
    assert dispatch(desk, NAME, [asked(reply_to={"url": HOOK})]) == []
    assert len(desk.outlets.sent) == 1
    assert len(desk.models.asked) == 1
    assert desk.world.announcer.kinds() == ["RequestAnswered"]
    (traffic,) = desk.world.store.counters.values()
    assert traffic.requests == 1


def test_after_five_tries_the_event_says_why_nobody_was_told(desk) -> None:
    desk.outlets.errors = [ReplyError("the callback at 'hooks.example.com' answered 503")] * TRIES
    for _ in range(TRIES - 1):
        assert dispatch(desk, NAME, [asked(reply_to={"url": HOOK})]) == ["m-1"]
    assert dispatch(desk, NAME, [asked(reply_to={"url": HOOK})]) == []
    assert desk.outlets.errors == [], "the fault fired"
    (event,) = desk.world.announcer.events
    assert "answered 503; gave up after 5 tries" in event.reply_trouble
    assert "secret" not in event.model_dump_json()


def test_an_address_outside_the_lists_is_refused_before_anything_wakes(desk) -> None:
    desk.world.store.records.clear()
    put(desk.world, asleep(NAME))
    desk.outlets.refused = {HOOK}
    assert dispatch(desk, NAME, [asked(reply_to={"url": HOOK})]) == []
    assert "autoscaler.reply_to: " in desk.results.stored[f"{NAME}/r-1"]["error"]
    assert desk.world.flows.started == []


def test_a_refusal_is_sent_once_to_whoever_asked(desk) -> None:
    desk.models.errors = [ModelError("no")]
    dispatch(desk, NAME, [asked(reply_to={"url": HOOK})])
    assert desk.outlets.sent[0][1]["code"] == "refused_by_model"
    desk.models.errors, desk.outlets.errors = [ModelError("no")], [ReplyError("503")]
    assert dispatch(desk, NAME, [asked(2, reply_to={"url": HOOK})]) == []
    assert desk.world.announcer.events[-1].reply_trouble == "503"


def test_a_large_answer_is_told_by_its_place() -> None:
    result = {"id": "r-1", "answered_at": "now", "answer": "x" * LARGEST_BYTES}
    said = json.loads(document(NAME, result, "s3://b/k"))
    assert said == {
        "id": "r-1",
        "answered_at": "now",
        "endpoint": NAME,
        "result_uri": "s3://b/k",
    }


def test_an_answer_of_the_containers_own_is_stored_as_it_is(desk) -> None:
    desk.models.answers = [Answer([{"generated_text": "because"}], 0, 1)]
    dispatch(desk, NAME, [message(1, {"inputs": "why?", "parameters": {"max_new_tokens": 1}})])
    assert desk.models.asked == [{"inputs": "why?", "parameters": {"max_new_tokens": 1}}]
    assert desk.results.stored[f"{NAME}/m-1"]["answer"] == [{"generated_text": "because"}]


def test_a_message_that_was_moved_is_as_old_as_it_was() -> None:
    record = {
        "messageId": "m", "receiptHandle": "h", "body": "{}",
        "attributes": {"SentTimestamp": "2000"},
        "messageAttributes": {"sent_at": {"stringValue": "1000", "dataType": "Number"}},
    }  # fmt: skip

    def moment(milliseconds: int):
        return NOON + timedelta(milliseconds=milliseconds)

    (by_main,) = messages_of([record], moment)
    (by_later,) = messages_of([record], moment, later=True)
    assert (by_main.sent_at, by_later.sent_at) == (moment(2000), moment(1000))


@pytest.mark.parametrize("said", ["²", "٣", "9" * 30, "-1", "1e3", "", " 1000", "\x00"])
def test_a_time_that_a_sender_made_up_does_not_stop_the_batch(said: str) -> None:
    """Whoever may send to the queue of what may wait may put anything beside the message."""
    record = {
        "messageId": "m", "receiptHandle": "h", "body": "{}",
        "attributes": {"SentTimestamp": "2000"},
        "messageAttributes": {"sent_at": {"stringValue": said}},
    }  # fmt: skip

    def moment(milliseconds: int):
        return datetime.fromtimestamp(milliseconds / 1000, UTC)

    (one,) = messages_of([record], moment, later=True)
    assert one.sent_at == moment(2000)
