"""A deterministic request that comes again is answered by what was kept, and wakes nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.control.dispatch import dispatch as dispatch_batch
from autoscaler.control.kept_answers import digest, is_deterministic
from autoscaler.control.messages import Message
from autoscaler.endpoints.status import EndpointRecord, EndpointStatus
from autoscaler.policy.types import Phase
from autoscaler.ports import BusyError, ModelError
from autoscaler.spec import EndpointSpec, SpecError, parse_spec
from tests.desk import NAME, TestDesk, dispatch, memory_desk, message
from tests.samples import asleep, awake, document, put, spec

COMMIT = "a" * 40
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "why?"}], "temperature": 0}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def keeping(**changes: Any) -> EndpointSpec:
    return spec(NAME, **{"answers": {"keep": "1h"}, **changes})


def of(status: EndpointStatus | None = None, **changes: Any) -> EndpointRecord:
    return EndpointRecord(spec=keeping(**changes), status=status or awake(NAME, commit=COMMIT))


@pytest.fixture
def desk() -> TestDesk:
    """One that is awake and keeps answers for an hour."""
    desk = memory_desk()
    put(desk.world, awake(NAME, commit=COMMIT), keeping())
    return desk


def request(number: int, **changes: Any) -> Message:
    return message(number, {"id": f"r-{number}", **BODY, **changes})


def falls_asleep(desk: TestDesk, wanted: EndpointSpec | None = None, **changes: Any) -> None:
    before = desk.world.store.records.pop(NAME)
    status = asleep(NAME, **{"commit": COMMIT, **changes})
    put(desk.world, status, wanted or before.spec)


def result(desk: TestDesk, number: int) -> Any:
    return desk.results.stored.get(f"{NAME}/r-{number}")


def test_the_same_request_is_answered_without_a_wake(desk) -> None:
    dispatch(desk, NAME, [request(1)])
    falls_asleep(desk)
    assert dispatch(desk, NAME, [request(2)]) == []
    assert result(desk, 2)["answer"] == result(desk, 1)["answer"]
    assert (result(desk, 2)["cached"], "cached" in result(desk, 1)) == (True, False)
    assert (desk.world.flows.started, len(desk.models.asked)) == ([], 1)
    last = desk.world.announcer.events[-1]
    assert (last.detail_type, last.request_id) == ("RequestAnswered", "r-2")


def test_hits_are_counted_as_requests_whose_tokens_nobody_made(desk) -> None:
    dispatch(desk, NAME, [request(1)])
    dispatch(desk, NAME, [request(2), request(3), message(4)])
    (counted,) = desk.world.store.counters.values()
    assert (counted.requests, counted.kept) == (4, 2)
    assert (counted.input_tokens, counted.output_tokens) == (14, 6), "of the two that were asked"


def test_one_that_is_new_among_those_that_were_answered_wakes_it(desk) -> None:
    dispatch(desk, NAME, [request(1)])
    falls_asleep(desk)
    assert dispatch(desk, NAME, [request(2), request(3, max_tokens=9)]) == ["m-3"]
    assert result(desk, 2) and len(desk.world.flows.started) == 1


@pytest.mark.parametrize(
    ("body", "same"),
    [
        ({"temperature": 0}, True),
        ({"temperature": 0.0}, True),
        ({"temperature": -0.0}, True),
        ({"seed": 7}, True),
        ({"seed": 7, "temperature": 1.5}, True),
        ({"temperature": 0, "n": 1}, True),
        ({"inputs": "x", "parameters": {"seed": 7}}, True),
        ({"inputs": "x", "parameters": {"do_sample": False}}, True),
        ({}, False),
        ({"temperature": 0.1}, False),
        ({"temperature": None}, False),
        ({"temperature": False}, False),
        ({"temperature": "0"}, False),
        ({"seed": True}, False),
        ({"seed": None}, False),
        ({"temperature": 0, "n": 2}, False),
        ({"temperature": 0, "n": True}, False),
        ({"seed": 7, "n": None}, False),
        ({"inputs": "x", "parameters": 7}, False),
        ({"inputs": "x", "parameters": {"temperature": 0.7}}, False),
    ],
)
def test_what_is_deterministic(body: dict[str, Any], same: bool) -> None:
    assert is_deterministic(body) is same


def test_other_requests_are_not_even_looked_for(desk) -> None:
    dispatch(desk, NAME, [message(1), message(2)])
    assert (desk.kept.looked, desk.kept.kept) == (0, {})
    assert len(desk.models.asked) == 2


def test_nothing_is_kept_unless_the_file_says_so(desk) -> None:
    desk.world.store.records.clear()
    put(desk.world, awake(NAME, commit=COMMIT))
    dispatch(desk, NAME, [request(1)])
    dispatch(desk, NAME, [request(2)])
    assert (desk.kept.looked, desk.kept.kept) == (0, {})


@pytest.mark.parametrize(
    "change",
    [
        {"stream": True},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"user": "u-1"},
        {"metadata": {"a": "b"}},
        {"temperature": 0.0},
    ],
    ids=str,
)
def test_how_it_is_sent_and_for_whom_does_not_count(desk, change) -> None:
    dispatch(desk, NAME, [request(1)])
    dispatch(desk, NAME, [request(2, **change)])
    assert result(desk, 2)["cached"]


@given(st.dictionaries(st.text(), JSON), st.randoms())
def test_the_order_of_keys_does_not_count(more: dict[str, Any], random: Any) -> None:
    items = list({**more, **BODY, "n": 1}.items())
    random.shuffle(items)
    shuffled = json.loads(json.dumps(dict(items)))
    assert digest(of(), {**more, **BODY, "n": 1}) == digest(of(), shuffled) is not None


@pytest.mark.parametrize("value", [1, 0.5, True, "1", None, [1], {"a": 1}], ids=repr)
def test_everything_else_of_the_body_counts(value: Any) -> None:
    seen = {digest(of(), {**BODY, "top_p": one}) for one in (value, 2, "two")}
    assert len(seen | {digest(of(), BODY)}) == 4


def test_numbers_that_differ_stay_apart() -> None:
    exact = 2**53
    assert digest(of(), {**BODY, "seed": exact}) != digest(of(), {**BODY, "seed": exact + 1})
    assert digest(of(), {**BODY, "top_p": 1e400}) is not None, "infinity, as Python reads it"


@pytest.mark.parametrize(
    "after",
    [
        {"commit": "b" * 40},
        {"wanted": keeping(model={"id": "acme/other"})},
        {"wanted": keeping(serving={"parameters": {"max-num-seqs": 8}})},
        {"wanted": keeping(serving={"context_tokens": 4096})},
        {"wanted": keeping(serving={"engine": "sglang"})},
        {"created_at": asleep(NAME).created_at + timedelta(seconds=1)},
        {"commit": None},
    ],
    ids=["commit", "model", "parameter", "context", "engine", "applied anew", "not known"],
)
def test_an_answer_of_something_else_is_not_found(desk, after) -> None:
    dispatch(desk, NAME, [request(1)])
    falls_asleep(desk, **after)
    assert dispatch(desk, NAME, [request(2)]) == ["m-2"]


@pytest.mark.parametrize(
    "wanted",
    [
        keeping(serving={"routing": "random", "concurrency_per_copy": 4}),
        keeping(scaling={"max_copies": 7}, budget={"monthly_usd": 5}, team="another"),
    ],
    ids=["how it is served", "policy"],
)
def test_a_change_that_alters_no_answer_loses_none(desk, wanted) -> None:
    dispatch(desk, NAME, [request(1)])
    falls_asleep(desk, wanted)
    assert dispatch(desk, NAME, [request(2)]) == []


def test_a_kept_answer_ends_with_its_time(desk) -> None:
    dispatch(desk, NAME, [request(1)])
    falls_asleep(desk)
    desk.world.clock.forward(minutes=59, seconds=59)
    assert dispatch(desk, NAME, [request(2)]) == []
    desk.world.clock.forward(seconds=1)
    assert dispatch(desk, NAME, [request(3)]) == ["m-3"], "a hit does not make it younger"


def test_a_shorter_time_in_the_file_holds_for_what_is_kept_already(desk) -> None:
    dispatch(desk, NAME, [request(1)])
    falls_asleep(desk, keeping(answers={"keep": "10m"}))
    desk.world.clock.forward(minutes=11)
    assert dispatch(desk, NAME, [request(2)]) == ["m-2"]


@pytest.mark.parametrize("error", [ModelError("no such tool"), BusyError("busy")])
def test_an_error_is_never_kept(desk, error) -> None:
    desk.models.errors.append(error)
    dispatch(desk, NAME, [request(1)])
    assert desk.kept.kept == {} and desk.models.errors == []


def test_what_the_fallback_answers_is_not_kept(desk) -> None:
    failed = awake(NAME, commit=COMMIT, phase=Phase.FAILED)
    desk.world.store.records.clear()
    put(desk.world, failed, keeping(fallback="small"))
    put(desk.world, awake("small", commit=COMMIT), spec("small", answers={"keep": "1h"}))
    dispatch(desk, NAME, [request(1)])
    assert result(desk, 1)["answered_by"] == "small"
    assert desk.kept.kept == {}


def test_one_that_failed_for_good_still_gives_what_was_kept(desk) -> None:
    dispatch(desk, NAME, [request(1)])
    falls_asleep(desk, phase=Phase.FAILED)
    assert dispatch(desk, NAME, [request(2)]) == []


def test_one_that_is_removed_gives_nothing_any_more(desk) -> None:
    dispatch(desk, NAME, [request(1)])
    falls_asleep(desk, phase=Phase.RETIRING)
    dispatch(desk, NAME, [request(2)])
    assert result(desk, 2)["error"] == "'llama' is being removed"


@pytest.mark.parametrize(
    "meanwhile", [{"phase": Phase.UPDATING}, {"generation": 2}], ids=["rolls", "rolled and back"]
)
def test_an_answer_that_a_copy_of_another_file_may_have_given_is_not_kept(desk, meanwhile) -> None:
    plain = desk.models.ask

    def ask(*args: Any, **more: Any) -> Any:
        desk.world.store.records[NAME] = desk.world.store.records[NAME].having(
            awake(NAME, commit=COMMIT, **meanwhile)
        )
        return plain(*args, **more)

    desk.models.ask = ask
    dispatch(desk, NAME, [request(1)])
    assert desk.models.asked and desk.kept.kept == {}
    assert "answer" in result(desk, 1)


def test_a_look_that_fails_is_a_miss_and_is_told(desk) -> None:
    dispatch(desk, NAME, [request(1)])
    desk.kept.broken = ConnectionError("S3 does not answer, as the test ordered")
    done = dispatch_batch(desk, NAME, [request(2)])
    assert [str(one) for one in done.troubles] == [str(desk.kept.broken)] * 2, "the look, the keep"
    assert (done.stay, done.all_troubled) == ([], False)
    assert "answer" in result(desk, 2) and "cached" not in result(desk, 2)


def test_a_look_that_fails_while_it_sleeps_wakes_it(desk) -> None:
    falls_asleep(desk)
    desk.kept.broken = ConnectionError("S3 does not answer, as the test ordered")
    done = dispatch_batch(desk, NAME, [request(1)])
    assert (done.troubles, done.stay) == ([desk.kept.broken], ["m-1"])
    assert len(desk.world.flows.started) == 1


def test_an_answer_that_cannot_be_kept_is_stored_all_the_same(desk) -> None:
    desk.kept.broken = ConnectionError("S3 does not answer, as the test ordered")
    done = dispatch_batch(desk, NAME, [request(1)])
    assert desk.kept.broken in done.troubles
    assert (done.stay, done.all_troubled) == ([], False)
    assert desk.world.announcer.kinds() == ["RequestAnswered"]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"keep": "30s"}, "answers.keep: 30s is too short: at least 1m; leave `answers` out"),
        ({"keep": "soon"}, "answers.keep: 'soon' is not a duration"),
        ({"for": "1h"}, "answers.for: unknown key"),
    ],
)
def test_a_wrong_key_is_refused_with_its_name(answers, words) -> None:
    with pytest.raises(SpecError, match=words.replace(".", r"\.")):
        parse_spec(document(answers=answers))


def test_an_async_endpoint_keeps_none() -> None:
    with pytest.raises(SpecError, match=r"answers\.keep: an async endpoint's answer may be older"):
        parse_spec(document(kind="async", answers={"keep": "1h"}))
    assert parse_spec(document(kind="realtime", answers={"keep": "1h"})).answers.keep
