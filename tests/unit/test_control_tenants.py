"""Tenants of one endpoint: shares within a batch, limits over all dispatchers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from autoscaler.aws.tenants import TableTenants
from autoscaler.control.messages import parse
from autoscaler.ports import Answer, TenantLeases
from autoscaler.spec import SpecError, Tenant, parse_spec
from tests.desk import NAME, MemoryTenants, TestDesk, dispatch, memory_desk, message
from tests.memory import NOON
from tests.samples import asleep, awake, document, put, spec
from tests.tables import make_table

END = NOON + timedelta(minutes=16)
OF_SEARCH = {"prompt": "x", "autoscaler": {"tenant": "search"}}
LIMITS = {"search": {"share": 3, "in_flight": 2}, "*": {"requests_per_minute": 1}}


@pytest.fixture
def desk() -> TestDesk:
    found = memory_desk()
    put(found.world, awake(NAME), spec(NAME, tenants=LIMITS))
    return found


def of(number: int, tenant: str | None = None, priority: int = 5) -> object:
    options = {"priority": priority, **({"tenant": tenant} if tenant else {})}
    return message(number, {"id": f"r-{number}", "prompt": "x", "autoscaler": options})


def test_over_its_limit_a_tenants_requests_go_back_and_count_as_no_failure(desk) -> None:
    assert dispatch(desk, NAME, [of(n, "search") for n in range(1, 5)]) == ["m-3", "m-4"]
    assert desk.requests.postponed == [timedelta(seconds=5)] * 2
    assert desk.world.store.failures == {}
    assert desk.requests.refused == []
    assert sorted(desk.tenants.given_back) == ["m-1", "m-2"]
    assert dispatch(desk, NAME, [of(3, "search"), of(4, "search")]) == []


def test_the_first_priority_goes_first(desk) -> None:
    stay = dispatch(desk, NAME, [of(1, "search", 1), of(2, "search", 9), of(3, "search", 5)])
    assert stay == ["m-1"]


def test_whoever_is_not_named_shares_the_part_of_all_others(desk) -> None:
    assert dispatch(desk, NAME, [of(1, "x"), of(2, "y"), of(3)]) == ["m-2", "m-3"]
    assert desk.requests.postponed == [timedelta(minutes=1)] * 2, "until the next minute"
    desk.world.clock.forward(minutes=1)
    assert dispatch(desk, NAME, [of(2, "y")]) == []


def test_one_tenants_limit_is_nothing_to_the_others(desk) -> None:
    batch = [of(n, "search") for n in (1, 2, 3)] + [of(4, "ads")]
    assert dispatch(desk, NAME, batch) == ["m-3"]


def test_what_waits_for_a_wake_takes_no_place(desk) -> None:
    desk.world.store.records.clear()
    put(desk.world, asleep(NAME), spec(NAME, tenants=LIMITS))
    assert len(dispatch(desk, NAME, [of(n, "search") for n in range(4)])) == 4
    assert desk.tenants.leases == {}


def test_nobody_else_pays_for_it(desk) -> None:
    desk.world.store.records.clear()
    put(desk.world, awake(NAME))
    dispatch(desk, NAME, [of(1, "search"), of(2)])
    assert desk.tenants.leases == {}
    assert desk.tenants.given_back == []


def of_async(desk: TestDesk, **limits: int) -> None:
    desk.world.store.records.clear()
    put(desk.world, awake(NAME), spec(NAME, kind="async", tenants={"search": limits}))


def looked_at(desk: TestDesk, number: int, look: int) -> list[str]:
    one = replace(message(number, OF_SEARCH | {"id": f"r-{number}"}), receipt_handle=f"h-{look}")
    return dispatch(desk, NAME, [one])


def answered(desk: TestDesk, number: int) -> None:
    body = OF_SEARCH | {"id": f"r-{number}"}
    late = parse(message(number, body), NAME).late_id
    desk.late.come[f"{NAME}/{late}"] = Answer({"choices": []}, 7, 3)


def test_what_sagemaker_has_is_at_work_until_its_answer_is_stored(desk) -> None:
    of_async(desk, in_flight=1)
    assert looked_at(desk, 1, look=1) == ["m-1"]
    for look in range(2, 14):
        assert looked_at(desk, 2, look=look) == ["m-2"]
        assert looked_at(desk, 1, look=look) == ["m-1"]
        desk.world.clock.forward(minutes=30)
    assert len(desk.late.asked) == 1
    answered(desk, 1)
    assert looked_at(desk, 1, look=14) == []
    looked_at(desk, 2, look=14)
    assert len(desk.late.asked) == 2


def test_a_look_for_an_answer_is_none_of_the_requests_of_a_minute(desk) -> None:
    of_async(desk, requests_per_minute=1)
    looked_at(desk, 1, look=1)
    desk.world.clock.forward(minutes=1)
    for look in range(2, 5):
        looked_at(desk, 1, look=look)
    looked_at(desk, 2, look=1)
    assert len(desk.late.asked) == 2
    looked_at(desk, 3, look=1)
    assert len(desk.late.asked) == 2


@pytest.fixture(params=["memory", "dynamodb"])
def leases(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryTenants()
        return
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        make_table(dynamodb)
        yield TableTenants("table", dynamodb)


def test_leases_are_taken_up_to_the_limit_and_given_back(leases: TenantLeases) -> None:
    two = Tenant(in_flight=2)
    assert leases.take("llama", "t", ["a", "b", "c"], two, NOON, END) == ["a", "b"]
    assert leases.take("llama", "t", ["c"], two, NOON, END) == []
    assert leases.take("other", "t", ["c"], two, NOON, END) == ["c"]
    assert leases.running("llama", NOON) == {"t": 2}
    leases.give_back("llama", "t", "a")
    assert leases.take("llama", "t", ["c"], two, NOON, END) == ["c"]
    assert leases.running("llama", NOON) == {"t": 2}


def test_the_places_of_a_dispatcher_that_died_are_free_after_sixteen_minutes(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(desk.tenants, "give_back", lambda *_: None)  # who died gives nothing back
        assert dispatch(desk, NAME, [of(1, "search"), of(2, "search")]) == []
    assert dispatch(desk, NAME, [of(3, "search")]) == ["m-3"]
    desk.world.clock.forward(minutes=15, seconds=59)
    assert dispatch(desk, NAME, [of(3, "search")]) == ["m-3"]
    desk.world.clock.forward(seconds=1)
    assert dispatch(desk, NAME, [of(3, "search")]) == []


def test_a_lease_ends_by_itself_when_its_dispatcher_died(leases: TenantLeases) -> None:
    one = Tenant(in_flight=1)
    assert leases.take("llama", "t", ["a"], one, NOON, END) == ["a"]
    assert leases.take("llama", "t", ["b"], one, END - timedelta(seconds=1), END) == []
    assert leases.running("llama", END) == {"t": 0}
    assert leases.take("llama", "t", ["b"], one, END, END + timedelta(minutes=16)) == ["b"]


def test_a_message_that_comes_again_keeps_its_own_place(leases: TenantLeases) -> None:
    one = Tenant(in_flight=1)
    assert leases.take("llama", "t", ["a"], one, NOON, END) == ["a"]
    assert leases.take("llama", "t", ["b", "a"], one, NOON, END + timedelta(hours=1)) == ["a"]
    assert leases.running("llama", END) == {"t": 1}, "and for longer"


def test_a_message_that_comes_again_is_begun_once(leases: TenantLeases) -> None:
    one = Tenant(requests_per_minute=1)
    assert leases.take("llama", "t", ["a"], one, NOON, END) == ["a"]
    assert leases.take("llama", "t", ["a", "b"], one, NOON, END) == ["a"]
    later = NOON + timedelta(minutes=1)
    assert leases.take("llama", "t", ["a", "b"], one, later, END) == ["a", "b"]


def test_so_many_a_minute_whoever_is_done(leases: TenantLeases) -> None:
    three = Tenant(requests_per_minute=3)
    assert leases.take("llama", "t", ["a", "b"], three, NOON, END) == ["a", "b"]
    leases.give_back("llama", "t", "a")
    assert leases.take("llama", "t", ["c", "d"], three, NOON, END) == ["c"]
    later = NOON + timedelta(minutes=1)
    assert leases.take("llama", "t", ["d"], three, later, END) == ["d"]


def test_of_two_dispatchers_that_write_at_once_one_reads_again() -> None:
    """Both have read that there is room for one."""
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        make_table(dynamodb)
        first, second = TableTenants("table", dynamodb), TableTenants("table", dynamodb)
        read, overtaken = first._read, []

        def reads(endpoint: str, tenant: str) -> dict[str, Any]:
            found = read(endpoint, tenant)
            if not overtaken:
                overtaken.append(second.take("llama", "t", ["b"], Tenant(in_flight=1), NOON, END))
            return found

        object.__setattr__(first, "_read", reads)
        assert first.take("llama", "t", ["a"], Tenant(in_flight=1), NOON, END) == []
        assert overtaken == [["b"]], "the other one was in between"


@pytest.mark.parametrize(
    ("tenants", "said"),
    [
        ({"search": {"share": 0}}, "tenants.search.share: 0 is not above 0"),
        ({"search": {"in_flight": 0}}, "tenants.search.in_flight: 0 is below 1"),
        ({"search": {"inflight": 1}}, "tenants.search.inflight: unknown key"),
    ],
)
def test_a_wrong_part_is_named(tenants, said) -> None:
    with pytest.raises(SpecError, match=said):
        parse_spec(document(NAME, tenants=tenants))
