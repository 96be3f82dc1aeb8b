"""What has become of a request, and who may know."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.aws.tickets import Waiting
from autoscaler.gateway.access import Caller
from autoscaler.gateway.errors import GatewayError
from autoscaler.gateway.held import Held
from autoscaler.gateway.states import GOOD_SECONDS
from autoscaler.gateway.tickets import endpoint_of, look, new_ticket
from autoscaler.gateway.troubles import logged, told
from autoscaler.gateway.waiting import because, refuse_if_hopeless, sentence
from autoscaler.policy.types import Override, OverrideKind, Phase
from autoscaler.ports import Answer
from tests.desk import NAME, dispatch, memory_desk, message
from tests.gateway_alone import BUCKET
from tests.gateway_awake import gateway_of
from tests.memory import NOON, memory_world
from tests.samples import asleep, awake, put, spec


class MemoryTickets:
    def __init__(self, tenant: str | None, result: dict[str, Any] | None) -> None:
        self._tenant, self._result = tenant, result

    def waiting(self, endpoint: str, ticket: str) -> Waiting | None:
        return None if self._tenant is None else Waiting(NOON, self._tenant)

    def result(self, endpoint: str, ticket: str) -> dict[str, Any] | None:
        return self._result


def found(
    tenant: str | None, result: dict[str, Any] | None, caller: str = "", days: float = 0
) -> Any:
    """So many days after it was asked."""
    store: Any = MemoryTickets(tenant, result)
    return look(store, "llama", "llama.1", Caller(caller), NOON + timedelta(days=days))


def test_a_ticket_carries_its_endpoint_and_is_never_the_same() -> None:
    tickets = {new_ticket("my-llama") for _ in range(100)}
    assert len(tickets) == 100
    chance = [bytes.fromhex(one.rpartition(".")[2]) for one in tickets]
    assert {len(one) for one in chance} == {16}, "128 bits"
    assert all(len({one[place] for one in chance}) > 20 for place in range(16)), "none is fixed"
    assert {endpoint_of(ticket) for ticket in tickets} == {"my-llama"}
    assert endpoint_of("chosen-by-its-sender") == ""


def test_a_stored_request_proves_that_it_was_made() -> None:
    assert found("", None).status == "waiting"
    assert found(None, {"answer": {}}).status == "answered"
    with pytest.raises(GatewayError) as caught:
        found(None, None)
    assert (caught.value.status, caught.value.code) == (404, "request_not_found")


@pytest.mark.parametrize(
    ("code", "status"),
    [("expired", 410), ("gone", 410), ("refused_by_model", 422), (None, 422)],
)
def test_a_refusal_says_why(code: str | None, status: int) -> None:
    result = {"error": "because", **({"code": code} if code else {})}
    with pytest.raises(GatewayError) as caught:
        found("", result)
    assert (caught.value.status, caught.value.message) == (status, "because")


def test_a_tenant_sees_its_own_requests_only() -> None:
    assert found("search", {"answer": {}}, "search").status == "answered"
    for owner in ("ads", "", None):
        with pytest.raises(GatewayError) as caught:
            found(owner, {"answer": {}}, "search")
        assert caught.value.status == 404


def test_a_result_that_outlives_its_question_is_its_tenants() -> None:
    """Bodies are kept for 28 days, answers for the stack's ResultDays."""
    desk = memory_desk()
    put(desk.world, awake(NAME))
    desk.models.answers = [Answer({"choices": []}, 1, 1)]
    asked = {"messages": [], "autoscaler": {"tenant": "search"}}
    over = {"messages": [], "autoscaler": {"tenant": "search", "deadline": NOON.isoformat()}}
    dispatch(desk, NAME, [message(1, asked), message(2, over)])
    answer, refusal = (desk.results.stored[f"{NAME}/m-{number}"] for number in (1, 2))
    assert found(None, answer, "search").status == "answered"
    for result, caller, status in ((answer, "ads", 404), (refusal, "search", 410)):
        with pytest.raises(GatewayError) as caught:
            found(None, result, caller)
        assert caught.value.status == status


def test_what_was_answered_does_not_wait_again_when_its_answer_has_expired() -> None:
    """With fewer ResultDays than the 28 days of bodies; no queue holds a message 14 days."""
    assert found("search", None, "search", days=14).status == "waiting"
    for days in (14.1, 27):
        with pytest.raises(GatewayError) as caught:
            found("search", None, "search", days=days)
        assert (caught.value.status, caught.value.code) == (410, "expired")
        assert "waits no more: its answer has expired, if there was one" in caught.value.message
    assert found("search", {"answer": {}}, "search", days=27).status == "answered"
    with pytest.raises(GatewayError) as caught:
        found("search", None, "ads", days=27)
    assert caught.value.status == 404, "nobody else learns that it was asked"


def test_there_are_so_many_places_and_so_many_bytes() -> None:
    held = Held(2, 100)
    with held.place(60), held.place(40):
        with pytest.raises(GatewayError) as caught:
            held.place(0).__enter__()
        assert caught.value.status == 429
    with held.place(60), pytest.raises(GatewayError):
        held.place(41).__enter__()
    assert (held.count, held.weight) == (0, 0)


@pytest.mark.parametrize(
    ("phase", "code"),
    [(Phase.RETIRING, "endpoint_removed"), (Phase.FAILED, "endpoint_failed"), (Phase.WAKING, "")],
)
def test_what_only_a_person_brings_back_is_not_waited_for(phase: Phase, code: str) -> None:
    record = put(memory_world(), asleep("llama", phase=phase, failure="no such image"))
    if not code:
        refuse_if_hopeless(record)
        return
    with pytest.raises(GatewayError) as caught:
        refuse_if_hopeless(record)
    assert (caught.value.status, caught.value.code) == (503, code)
    fallen = put(memory_world(), asleep("llama", phase=Phase.FAILED), spec(fallback="small"))
    refuse_if_hopeless(fallen)


def test_who_waits_while_a_person_lets_nothing_wake_it_is_told_why() -> None:
    until = NOON + timedelta(hours=2)
    sleep = Override(OverrideKind.SLEEP_UNTIL, NOON, until, "no budget", "ada", True)
    record = put(memory_world(), asleep("llama", overrides=(sleep,)))
    why = "llama sleeps, even for requests, until 24 Nov 14:00 UTC, as ada asked: no budget"
    assert because(record, NOON) == {"because": why}
    assert because(record, until) == {}
    assert sentence(record, timedelta(hours=2), why) == f"asleep ({why}), ready in about 7200 s"
    requests_wake_it = replace(sleep, even_for_requests=False)
    record = put(memory_world(), asleep("llama", overrides=(requests_wake_it,)))
    assert because(record, NOON) == {}


def test_an_error_that_nobody_foresaw_says_nothing_of_the_request() -> None:
    try:
        raise ValueError("a secret prompt")
    except ValueError as error:
        explained, line = told(error), logged(error)
    assert explained.status == 500
    assert "secret" not in explained.message + str(line)
    assert line["error"] == "ValueError"
    assert "test_gateway_tickets.py" in line["error_at"]


TICKET = f"llama.{'0' * 32}"


@pytest.mark.parametrize(
    ("tenant", "owner", "result", "status"),
    [
        ("", "search", {"answer": "because"}, 200),
        ("search", "search", {"answer": "because"}, 200),
        ("search", "search", {"error": "too late", "code": "expired"}, 410),
        ("search", "ads", {"answer": "because"}, 404),
        ("ads", None, {"answer": "because"}, 404),
        ("", "search", None, 410),
        ("", None, None, 404),
    ],
)
def test_an_answer_outlives_its_endpoint_for_whom_it_is(
    tenant: str, owner: str | None, result: dict[str, Any] | None, status: int
) -> None:
    with gateway_of(asleep("other"), tenant) as gateway:
        if owner is not None:
            place = {"Bucket": BUCKET, "Key": f"requests/llama/{TICKET}.json"}
            gateway.s3.put_object(**place, Body=b"{}", Metadata={"tenant": owner})
        if result is not None:
            place = {"Bucket": BUCKET, "Key": f"results/llama/{TICKET}.json"}
            gateway.s3.put_object(**place, Body=json.dumps(result).encode())
        for query in ("", "?endpoint=llama"):
            reply = gateway.client.get(f"/v1/requests/{TICKET}{query}")
            assert reply.status_code == status, reply.text
            assert "?endpoint=" not in reply.text
            assert ("because" in reply.text) is (status == 200)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 202),
        # Deleted, its requests let go, and applied again.
        ({"created_at": NOON + timedelta(hours=1)}, 410),
        # Applied again after a failure: its queue, and what lies in it, stayed.
        ({"created_at": NOON + timedelta(hours=1), "applied_at": NOON}, 202),
    ],
)
def test_a_ticket_of_an_endpoint_that_was_deleted_does_not_wait_for_the_next_of_its_name(
    changes: dict[str, Any], status: int
) -> None:
    with gateway_of(asleep("llama", created_at=NOON)) as gateway:
        body = {"model": "llama", "messages": [{"role": "user"}]}
        ticket = gateway.asked(body, prefer="respond-async").json()["id"]
        gateway.world.store.records.clear()
        put(gateway.world, asleep("llama", **{"created_at": NOON, **changes}))
        time.sleep(1.1 * GOOD_SECONDS)  # the gateway looks again
        reply = gateway.client.get(f"/v1/requests/{ticket}")
    assert reply.status_code == status, reply.text
    if status == 410:
        error = reply.json()["error"]
        assert error["code"] == "gone"
        assert "no endpoint 'llama' any more that this was sent to" in error["message"]


@pytest.mark.parametrize("prefer", ["respond-async", "wait=1"])
def test_before_there_is_a_queue_nothing_is_kept_and_its_caller_is_told(prefer: str) -> None:
    with gateway_of(asleep("new", phase=Phase.STAGING)) as gateway:
        url = gateway.sqs.get_queue_url(QueueName="autoscaler-new")["QueueUrl"]
        gateway.sqs.delete_queue(QueueUrl=url)
        reply = gateway.asked({"model": "new", "messages": [{"role": "user"}]}, prefer=prefer)
        stored = gateway.s3.list_objects_v2(Bucket=BUCKET, Prefix="requests/new/")["KeyCount"]
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (503, "no_queue")
    assert "'new' is STAGING and has no queue" in error["message"]
    assert int(reply.headers["retry-after"]) > 0
    assert stored == 0


def test_an_id_without_an_endpoint_says_how_to_give_it() -> None:
    with gateway_of(asleep("llama")) as gateway:
        for path, hint in (("mine", True), ("mine?endpoint=No", False), ("a%00?endpoint=b", False)):
            reply = gateway.client.get(f"/v1/requests/{path}")
            assert (reply.status_code, reply.json()["error"]["param"]) == (404, "endpoint")
            assert ("give it as ?endpoint=NAME" in reply.text) is hint
