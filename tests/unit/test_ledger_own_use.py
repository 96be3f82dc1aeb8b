"""What the controller used and AWS counts for no stack alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.endpoints.status import EndpointRecord, HistoryEntry, Traffic, UsageKind
from autoscaler.ledger.controller import ControllerUsage, Known, controller_cost
from autoscaler.ledger.costs import Books
from autoscaler.ledger.metrics_read import covered, metrics_read
from autoscaler.ledger.own_use import Setup, estimated, lives_of, transitions
from autoscaler.ledger.periods import Period
from autoscaler.policy.types import Phase
from autoscaler.spec import Kind
from tests.ledger_books import BOOK, MONDAY, segment
from tests.samples import asleep, spec

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NEVER: dict[str, Decimal] = {}
ONE = {"max_copies": 1}
BEFORE, AFTER = MONDAY - DAY, MONDAY + 2 * DAY


def used(
    books: Books,
    invocations: dict[str, Decimal] = NEVER,
    since: datetime | None = None,
    **setup: int,
) -> dict[str, Decimal]:
    """Of one UTC day that is over."""
    stack = {"minutes": 1, "alarms": 0, "of_a_report": 0, **setup}
    traced = bool(stack.get("traced"))
    told = Setup(stack["minutes"] * MINUTE, stack["alarms"], since, traced=traced)
    day = Period.day(MONDAY.date())
    return estimated(books, day, AFTER, BOOK, told, invocations, stack["of_a_report"])


def there(created_at: datetime = BEFORE, **scaling: int) -> EndpointRecord:
    status = asleep("llama", created_at=created_at)
    return EndpointRecord(spec=spec("llama", scaling=scaling), status=status)


def woken(name: str, at: datetime) -> HistoryEntry:
    return HistoryEntry(endpoint=name, at=at, generation=2, phase=Phase.WAKING, text="Woken.")


@pytest.mark.parametrize(
    ("spans", "minutes"),
    [
        ([], 0),
        ([(0, 30)], 30),
        ([(0, 30), (30, 60)], 60),
        ([(0, 30), (10, 20), (20, 50)], 50),  # two instance types at once
        ([(40, 60), (0, 10)], 30),
    ],
)
def test_time_that_is_covered_twice_counts_once(spans: list[tuple[int, int]], minutes: int) -> None:
    moments = [(MONDAY + a * MINUTE, MONDAY + b * MINUTE) for a, b in spans]
    assert covered(moments) == minutes * MINUTE


@pytest.mark.parametrize(
    ("what", "metrics"),
    [
        ({"kind": UsageKind.PROVISIONING}, "0"),  # nothing to read yet
        ({}, "24"),
        ({"kind": UsageKind.IDLE_TAIL}, "24"),
        ({"kind": UsageKind.KEPT_WARM}, "15"),  # nothing is asked of it
        ({"instances": 2}, "120"),  # one of them may have to go at any time
    ],
)
def test_how_often_two_metrics_are_read_in_an_hour(what: dict[str, Any], metrics: str) -> None:
    assert metrics_read([segment(MONDAY, 60, **what)], MINUTE) == Decimal(metrics)


def test_what_runs_two_types_at_once_is_looked_at_once_and_never_more_often_than_the_tick() -> None:
    ran = [segment(MONDAY, 60), segment(MONDAY, 60, instance_type="ml.g6e.2xlarge")]
    assert metrics_read(ran, MINUTE) == 2 * 12
    assert metrics_read(ran, 6 * MINUTE) == 2 * 10


def test_a_report_pays_for_the_metrics_that_it_reads() -> None:
    assert round(used(Books([], []), of_a_report=74)["metrics_read"]) == 87  # day, week and month


@pytest.mark.parametrize(
    ("kind", "copies", "looks", "counted"),
    [  # as tests/histories/test_own_use.py counts them: the wake and the sleep, on average
        (Kind.COMPONENT, 1, 4, 28),
        (Kind.COMPONENT, 2, 4, 30),
        (Kind.COMPONENT, 3, 4, 33),
        (Kind.REALTIME, 1, 5, 37),
        (Kind.REALTIME, 3, 5, 42),
        (Kind.ASYNC, 1, 4, 26),
        (Kind.ASYNC, 3, 4, 28),
    ],
)
def test_transitions_follow_from_the_calls_of_functions(
    kind: Kind, copies: int, looks: int, counted: int
) -> None:
    calls = {"plan-wake": 1, "look-at-start": looks, "guard-sleep": 1, "probe-endpoint": 1}
    woken = [spec("llama", kind=kind.value, scaling={"max_copies": copies})]
    assert transitions({name: Decimal(count) for name, count in calls.items()}, woken) == counted


def test_of_kinds_that_are_mixed_transitions_are_between_and_without_wakes_as_of_components() -> (
    None
):
    calls = {"plan-wake": Decimal(4), "guard-sleep": Decimal(8), "reconcile": Decimal(1440)}
    kinds = [Kind.COMPONENT] * 3 + [Kind.ASYNC]
    mixed = transitions(calls, [spec("llama", kind=kind.value, scaling=ONE) for kind in kinds])
    assert mixed == 3 * (4 + 2 * 12) + (4 + 2 * 10)
    assert transitions(calls, []) == 4 * (4 + 2 * 12)
    lines = [woken("real", MONDAY - HOUR), woken("real", MONDAY + HOUR), woken("gone", MONDAY)]
    record = EndpointRecord(spec=spec("real", kind="realtime", scaling=ONE), status=asleep("real"))
    books = Books([record], [], history={"real": lines[:2], "gone": lines[2:]})
    assert used(books, calls)["state_transitions"] == 4 * (8 + 2 * 14)


def test_queues_are_read_by_lambda_whether_or_not_anything_is_in_them() -> None:
    polls = 86_400 // 4
    assert used(Books([], []))["queue_requests"] == polls, "the alerts' queue"
    looks = 1440 + 1440 // 5
    assert used(Books([there()], []))["queue_requests"] == 2 * polls + looks
    asked = [Traffic(endpoint="llama", start=MONDAY, requests=90, refused=10)]
    assert used(Books([there()], [], asked))["queue_requests"] == 2 * polls + looks + 300
    half = there(MONDAY + 12 * HOUR)
    assert used(Books([half], []))["queue_requests"] == 1.5 * polls + looks // 2


def test_an_endpoint_that_is_gone_was_there_while_it_had_instances() -> None:
    until = MONDAY + DAY
    retired = asleep("old", created_at=BEFORE, phase=Phase.RETIRED, phase_since=MONDAY + HOUR)
    records = [EndpointRecord(spec=spec("old"), status=retired)]
    ran = [segment(MONDAY + HOUR, 30, endpoint="gone"), segment(MONDAY, 10, endpoint="gone")]
    assert lives_of(records, ran, MONDAY, until) == {"old": HOUR, "gone": 90 * MINUTE}


def test_between_two_endpoints_of_one_name_there_was_none() -> None:
    first, second, third = (MONDAY + HOUR * hours for hours in (0, 8, 20))
    ran = [segment(made, 30, made_at=made) for made in (first, second)]
    until = MONDAY + DAY
    assert lives_of([], ran, MONDAY, until) == {"llama": HOUR}
    newest = asleep("llama", created_at=third)
    records = [EndpointRecord(spec=spec("llama"), status=newest)]
    assert lives_of(records, ran, MONDAY, until) == {"llama": HOUR + 4 * HOUR}


def test_alarms_that_go_with_the_instances_are_paid_for_by_the_time_awake() -> None:
    books = Books([there(max_copies=3)], [segment(MONDAY, 6 * 60)])
    found = used(books, alarms=7)
    assert (found["alarms"], found["high_resolution_alarms"]) == (7 + 2, Decimal(3) / 4)


def test_events_are_told_for_answers_and_for_wakes() -> None:
    lines = [woken("llama", MONDAY - HOUR), woken("llama", MONDAY + HOUR)]
    asked = [Traffic(endpoint="llama", start=MONDAY, requests=90, refused=10)]
    assert used(Books([], [], asked, {"llama": lines}))["bus_events"] == 102


@pytest.mark.parametrize(("minutes", "calls"), [(1, 2880), (5, 1728)])
def test_the_schedules_of_tick_and_alerts_are_called_all_day(minutes: int, calls: int) -> None:
    assert used(Books([], []), minutes=minutes)["schedule_calls"] == calls


@pytest.mark.parametrize(("traced", "traces"), [(True, 1500), (False, 0)])
def test_traces_are_paid_for_where_the_stack_has_them(traced: bool, traces: int) -> None:
    calls = {"reconcile": Decimal(1440), "plan-wake": Decimal(60)}
    assert used(Books([], []), calls, traced=traced)["traces"] == traces


@pytest.mark.parametrize(
    ("since", "share"), [(None, 1), (BEFORE, 1), (MONDAY + 6 * HOUR, 0.75), (AFTER, 0)]
)
def test_before_the_stack_was_there_it_cost_nothing(since: datetime | None, share: float) -> None:
    found = used(Books([], []), since=since, alarms=8)
    assert found["alarms"] == 8 * share
    assert found["queue_requests"] == 86_400 // 4 * share
    assert found["metric_hours"] == 2 * 24 * share
    assert found["schedule_calls"] == 2880 * share
    assert Setup(MINUTE, 0, since).share(MONDAY, MONDAY + DAY) == Decimal(share)


def test_each_line_says_how_it_is_known() -> None:
    usage = ControllerUsage(
        lambda_requests=7, queue_requests=1_000_000, estimated=frozenset({"queue_requests"})
    )
    cost = controller_cost(usage, Decimal(1))
    known = {line.item: line.known for line in cost.lines}
    assert known["Lambda requests"] is Known.COUNTED
    assert known["SQS requests"] is Known.ESTIMATED
    assert known["Secrets"] is Known.UNKNOWN and "Secrets" in cost.unknown
    assert cost.estimated_usd == Decimal("0.4")
    with pytest.raises(ValueError, match="queues is no count of this usage"):
        ControllerUsage(estimated=frozenset({"queues"}))
