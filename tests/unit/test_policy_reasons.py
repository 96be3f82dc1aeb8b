"""Every reason, when it is given, and its sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from autoscaler.policy import (
    History,
    Observation,
    OverrideKind,
    Phase,
    ReasonCode,
    StackLimit,
    StackWakes,
    Stop,
)
from autoscaler.policy.types import Reach
from autoscaler.spec import EndpointSpec, WhenSpent
from tests.unit.policy_cases import (
    NOON,
    PEAK,
    a_hold,
    a_spec,
    an_override,
    codes,
    days_with_requests_at,
    decided,
    recommended,
    seen,
)

BUDGET = {"monthly_usd": 900, "wakes_per_day": 24}
AFTERNOON = {**PEAK, "name": "afternoon", "start": "12:03", "end": "18:00", "min_copies": 2}
MORNING = {**PEAK, "name": "morning", "start": "08:00", "end": "11:56"}
SIX_COPIES = a_spec(scaling={"max_copies": 6})

CASES: list[tuple[ReasonCode, EndpointSpec, Observation, History, str]] = [
    (
        ReasonCode.BACKLOG_WAITING,
        a_spec(),
        seen(Phase.ASLEEP, backlog=37),
        History(),
        "37 requests are waiting and one copy works off 192 in 2m: 1 copy.",
    ),
    (
        ReasonCode.BACKLOG_WAITING,
        a_spec(),
        seen(Phase.ASLEEP, backlog=1),
        History(),
        "1 request is waiting and one copy works off 192 in 2m: 1 copy.",
    ),
    (
        ReasonCode.CONCURRENCY_HIGH,
        a_spec(),
        seen(in_flight=13.0),
        History(),
        "13 requests are in flight and one copy shall have 8: 2 copies.",
    ),
    (
        ReasonCode.WAITING_COSTS_MORE,
        SIX_COPIES,
        seen(
            backlog=116,
            in_flight=16.0,
            seconds_per_request=10.0,
            arrivals_per_second=3.0,
            usd_per_copy_hour=2.61,
        ),
        History(),
        "116 requests and those to come would wait for longer than another copy costs: 6 copies.",
    ),
    (
        ReasonCode.DEMAND_FELL,
        SIX_COPIES,
        seen(desired_copies=5, in_flight=3.0),
        recommended((9, 2)),
        "Demand asked for at most 2 copies in the last 5m: down from 5.",
    ),
    (
        ReasonCode.WINDOW_OPEN,
        a_spec(windows=[PEAK]),
        seen(),
        History(),
        "Window peak is open: 1 to 4 copies.",
    ),
    (
        ReasonCode.WINDOW_AHEAD,
        a_spec(windows=[AFTERNOON]),
        seen(Phase.ASLEEP),
        History(),
        "Window afternoon opens in 3m and a start takes 6m: at least 2 copies already now.",
    ),
    (
        ReasonCode.WINDOW_CLOSED,
        a_spec(windows=[MORNING]),
        seen(),
        History(),
        "Window morning closed at 11:56 (UTC): 0 to 2 copies now.",
    ),
    (
        ReasonCode.HELD,
        a_spec(),
        seen(Phase.ASLEEP, hold=a_hold(2)),
        History(),
        "Held at 2 copies or more by anna until 13 May 13:00 UTC: load test.",
    ),
    (
        ReasonCode.PUT_TO_SLEEP,
        a_spec(windows=[PEAK]),
        seen(overrides=(an_override(OverrideKind.SLEEP_UNTIL),)),
        History(),
        "Put to sleep until 13 May 13:00 UTC by anna: maintenance; requests wake it.",
    ),
    (
        ReasonCode.REQUESTS_HELD_BACK,
        a_spec(),
        seen(
            Phase.ASLEEP,
            backlog=3,
            overrides=(an_override(OverrideKind.SLEEP_UNTIL, even_for_requests=True),),
        ),
        History(),
        "3 requests wait until 13 May 13:00 UTC, or until it is released.",
    ),
    (
        ReasonCode.CLOSED,
        a_spec(windows=[{**PEAK, "min_copies": 0, "max_copies": 0}]),
        seen(backlog=1),
        History(),
        "Window peak keeps it closed until 13 May 18:00 UTC; requests wait.",
    ),
    (
        ReasonCode.KEPT_WARM,
        a_spec(),
        seen(Phase.ASLEEP, overrides=(an_override(OverrideKind.KEEP_WARM),)),
        History(),
        "Kept warm until 13 May 13:00 UTC by anna: maintenance.",
    ),
    (
        ReasonCode.SCALE_IN_PAUSED,
        a_spec(),
        seen(overrides=(an_override(OverrideKind.PAUSE_SCALE_IN),)),
        History(),
        "No copy is taken away until 13 May 13:00 UTC by anna: maintenance.",
    ),
    (
        ReasonCode.PATTERN_AHEAD,
        a_spec(scaling={"keep_alive": "learned"}),
        replace(
            seen(Phase.ASLEEP), usd_per_copy_hour=2.61, last_active_at=NOON - timedelta(hours=11)
        ),
        History(pattern=days_with_requests_at(12, 0)),
        "By 27 idle times of its own, requests come within 15m with a chance of 98%: a start now "
        "costs less than their wait.",
    ),
    (
        ReasonCode.DEFERRED_DUE,
        a_spec(),
        seen(Phase.ASLEEP, deferrable=16, deferrable_due_at=NOON + timedelta(minutes=7)),
        History(),
        "The first of 16 requests that may wait is due at 13 May 12:07 UTC; a start and their "
        "work take 5m10s: it wakes now.",
    ),
    (
        ReasonCode.DEFERRED_WORTH,
        a_spec(windows=[{**MORNING, "end": "13:00", "min_copies": 0, "deferrable": True}]),
        seen(Phase.ASLEEP, deferrable=1),
        History(),
        "Window morning is kept for 1 request that may wait: it wakes for them.",
    ),
    (
        ReasonCode.IDLE,
        a_spec(),
        seen(last_active_at=NOON - timedelta(minutes=12)),
        History(),
        "No request for 12m, keep-alive is 10m: it goes to sleep.",
    ),
    (
        ReasonCode.STILL_BUSY,
        a_spec(),
        seen(in_flight=2.0),
        History(),
        "It stays awake: 2 requests are in flight.",
    ),
    (
        ReasonCode.STILL_BUSY,
        a_spec(),
        seen(backlog=1),
        History(),
        "It stays awake until 1 request is answered.",
    ),
    (
        ReasonCode.STILL_BUSY,
        a_spec(),
        seen(in_flight=1.0),
        History(),
        "It stays awake: 1 request is in flight.",
    ),
    (
        ReasonCode.KEPT_ALIVE,
        a_spec(),
        seen(),
        History(),
        "No request for 5m: it sleeps after 10m without one.",
    ),
    (
        ReasonCode.STABILIZING,
        SIX_COPIES,
        seen(desired_copies=5, observed_copies=5, in_flight=3.0),
        recommended((9, 2), (4, 5)),
        "Demand fell to 1 copy: 5 stay until that held for 5m.",
    ),
    (
        ReasonCode.STABILIZING,
        a_spec(scaling={"max_copies": 20}),
        seen(backlog=1920),
        History(),
        "10 copies are wanted: one step goes from 1 to 5.",
    ),
    (
        ReasonCode.SIZE_FROZEN,
        a_spec(),
        seen(Phase.WAKING, desired_copies=2, backlog=5),
        History(),
        "Its size stays 2 copies until it is awake.",
    ),
    (
        ReasonCode.SIGNAL_MISSING,
        a_spec(),
        seen(backlog=None, in_flight=None),
        History(),
        "The backlog and the concurrency are not known: it keeps its 1 copy.",
    ),
    (
        ReasonCode.BUDGET_SPENT,
        a_spec(budget=BUDGET),
        seen(spent_this_month_usd=Decimal("901.5")),
        History(),
        "$901.50 of $900.00 are spent this month: at most 1 copy, no minimum, asleep when idle.",
    ),
    (
        ReasonCode.BUDGET_SPENT,
        a_spec(budget={"daily_usd": 30, "when_spent": "sleep"}),
        seen(spent_today_usd=Decimal(31), backlog=3, hold=a_hold(1)),
        History(),
        "$31.00 of $30.00 are spent today: it sleeps until 14 May 00:00 UTC, or until a person "
        "raises the budget.",
    ),
    (
        ReasonCode.STACK_BUDGET_SPENT,
        a_spec(budget={"priority": 3}),
        seen(stack_limit=StackLimit(Decimal(4600), Decimal(5000), "month", 90, WhenSpent.CAP)),
        History(),
        "The stack has spent $4,600.00 of $5,000.00 this month, and it yields at 90 %: at most 1 "
        "copy, no minimum, asleep when idle.",
    ),
    (
        ReasonCode.FORECAST_OVER,
        a_spec(budget={**BUDGET, "on_forecast": "cap"}),
        seen(forecast_over_usd=Decimal(1200)),
        History(),
        "The month will probably cost $1,200.00 of $900.00: at most 1 copy, no minimum, asleep "
        "when idle.",
    ),
    (
        ReasonCode.STOPPED,
        a_spec(windows=[PEAK]),
        seen(backlog=3, hold=a_hold(2), stopped=Stop(NOON, "ada", "a leaked key.")),
        History(),
        "Everything is stopped since 13 May 12:00 UTC by ada: a leaked key; nothing wakes until "
        "`autoscaler start`.",
    ),
    (
        ReasonCode.WAKES_SPENT,
        a_spec(budget=BUDGET),
        seen(Phase.ASLEEP, backlog=3, wakes_today=24),
        History(),
        "24 of 24 wakes are spent today: 3 requests and all windows wait until 00:00 UTC, "
        "or for a hold.",
    ),
    (
        ReasonCode.WAKES_SPENT,
        a_spec(budget=BUDGET),
        seen(Phase.ASLEEP, backlog=3, wakes_today=2, stack_wakes=StackWakes(NOON.date(), 60, 60)),
        History(),
        "60 of 60 wakes of the whole stack are spent today: 3 requests and all windows wait until "
        "00:00 UTC, or for a hold.",
    ),
    (
        ReasonCode.BACKING_OFF,
        a_spec(),
        seen(Phase.ASLEEP, backlog=3, retry_at=NOON + timedelta(minutes=4)),
        History(),
        "The last wake failed: the next try is at 13 May 12:04 UTC.",
    ),
    (
        ReasonCode.CAPPED,
        a_spec(),
        seen(Phase.ASLEEP, backlog=1920),
        History(),
        "Demand asks for 10 copies: 2 copies at most.",
    ),
    (
        ReasonCode.OUT_OF_REACH,
        a_spec(),
        seen(Phase.AWAKE, backlog=1920, reach=Reach(1, NOON + timedelta(minutes=4))),
        History(),
        "More than 1 copy did not come up: tried again at 13 May 12:04 UTC.",
    ),
    (
        ReasonCode.IN_TRANSITION,
        a_spec(),
        seen(Phase.UPDATING, backlog=3),
        History(),
        "UPDATING since 13 May 11:00 UTC: no other transition now.",
    ),
    (
        ReasonCode.NOTHING_TO_DO,
        a_spec(),
        seen(Phase.ASLEEP),
        History(),
        "Nothing asks for a copy: it stays asleep.",
    ),
    (
        ReasonCode.MINIMUM_KEPT,
        a_spec(scaling={"min_copies": 1}),
        seen(Phase.ASLEEP),
        History(),
        "The spec asks for 1 to 2 copies at any time.",
    ),
]


@pytest.mark.parametrize(
    ("code", "spec", "observation", "history", "text"), CASES, ids=[case[0] for case in CASES]
)
def test_a_reason_and_its_sentence(
    code: ReasonCode, spec: EndpointSpec, observation: Observation, history: History, text: str
) -> None:
    decision = decided(spec, observation, history)
    assert text in [reason.text for reason in decision.reasons if reason.code is code]


def test_every_reason_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(ReasonCode)


def test_what_wakes_an_endpoint_is_named_first() -> None:
    night = {**PEAK, "min_copies": 0}
    for windows, first in ([PEAK], ReasonCode.WINDOW_OPEN), ([night], ReasonCode.BACKLOG_WAITING):
        decision = decided(a_spec(windows=windows), seen(Phase.ASLEEP, backlog=1))
        assert codes(decision)[0] is first


def test_a_summary_reads_in_the_order_of_the_stages() -> None:
    decision = decided(a_spec(windows=[PEAK]), seen(Phase.ASLEEP, backlog=1000))
    assert codes(decision) == [
        ReasonCode.WINDOW_OPEN,
        ReasonCode.BACKLOG_WAITING,
        ReasonCode.CAPPED,
    ]
    assert decision.summary == (
        "Window peak is open: 1 to 4 copies. 1,000 requests are waiting and one copy works off "
        "192 in 2m: 6 copies. Demand asks for 6 copies: 4 copies at most."
    )
