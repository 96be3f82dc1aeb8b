"""Events survive the bus, carry a severity, and are told once."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from autoscaler.alerts.events.base import Event, Severity
from autoscaler.alerts.events.costs import BudgetReached
from autoscaler.alerts.events.registry import EVENTS, EventError, parse_event
from tests.alerts_events import AT, LATER, ONE_OF_EACH, WHO


def test_there_is_a_sample_of_every_event() -> None:
    assert {event.detail_type for event in ONE_OF_EACH} == set(EVENTS)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.detail_type)
def test_an_event_comes_back_from_the_bus_as_it_went(event: Event) -> None:
    assert parse_event(event.detail_type, json.loads(event.model_dump_json())) == event


def test_a_field_that_a_newer_sender_adds_is_no_obstacle() -> None:
    detail = {**json.loads(ONE_OF_EACH[8].model_dump_json()), "colour": "green"}
    assert parse_event("EndpointRetired", detail) == ONE_OF_EACH[8]


@pytest.mark.parametrize(
    ("detail_type", "detail", "named"),
    [
        ("EndpointExploded", {}, "EndpointExploded"),
        ("SleepStuck", {"endpoint": "llama"}, "generation"),
        ("SleepStuck", {**WHO, "instances": "many", "since_seconds": 1}, "instances"),
    ],
)
def test_what_is_no_event_is_refused_by_name(detail_type: str, detail: dict, named: str) -> None:
    with pytest.raises(EventError, match=named):
        parse_event(detail_type, detail)


def test_severities() -> None:
    by_name = {event.detail_type: event.severity for event in ONE_OF_EACH}
    critical = {name for name, severity in by_name.items() if severity is Severity.CRITICAL}
    warning = {name for name, severity in by_name.items() if severity is Severity.WARNING}
    stops = {"StopSet", "RunawayStopped"}
    assert critical == {
        "EndpointFailed",
        "GapFound",
        "OrphansFound",
        "PhaseStuck",
        "SleepStuck",
        *stops,
    }
    waits = {"CapacityMissing", "WakeDelayed", "UpdateFailed", "CopiesMissing", "ScalingMissing"}
    assert warning == {
        *waits, "RequestRefused", "SignalMissing", "BudgetReached", "PricesStale",
        "ForecastExceeded", "StopEnded", "ObservingBegan", "ObservingEnded",
        "RoundFailed", "WakePutDown",
    }  # fmt: skip


def test_trouble_that_lasts_becomes_critical() -> None:
    capacity = EVENTS["CapacityMissing"].model_validate(
        {**WHO, "instance_types": ["ml.p5.48xlarge"], "attempt": 3}
    )
    budget = EVENTS["BudgetReached"].model_validate(
        {**WHO, "spent_usd": Decimal(101), "monthly_usd": Decimal(100), "share": 1.01}
    )
    assert {capacity.severity, budget.severity} == {Severity.CRITICAL}


def key(name: str, **fields: object) -> str:
    return EVENTS[name].model_validate({**WHO, **fields}).dedupe_key


def test_the_same_announcement_has_the_same_key() -> None:
    awake = {"cause": "message", "copies": 1, "lead_seconds": 200}
    assert key("EndpointAwoke", **awake) == key("EndpointAwoke", **{**awake, "at": LATER})
    assert key("EndpointAwoke", **awake) != key("EndpointAwoke", **{**awake, "generation": 8})


def test_copies_that_go_up_and_down_within_a_generation_are_all_told() -> None:
    moved = {"before": 1, "after": 2}
    assert key("CopiesChanged", **moved) != key("CopiesChanged", **{**moved, "at": LATER})


def test_a_stuck_sleep_is_told_hourly_whatever_its_generation() -> None:
    stuck = {"instances": 1, "since_seconds": 60, "since": AT}
    assert key("SleepStuck", **stuck) == key("SleepStuck", **{**stuck, "generation": 8, "at": AT})
    assert key("SleepStuck", **stuck) != key("SleepStuck", **{**stuck, "since": LATER})


def test_a_budget_is_told_once_per_step_and_month() -> None:
    spent = {"spent_usd": 1, "monthly_usd": 1}
    assert key("BudgetReached", **spent, share=0.81) == key("BudgetReached", **spent, share=0.99)
    assert key("BudgetReached", **spent, share=0.99) != key("BudgetReached", **spent, share=1)


@pytest.mark.parametrize("step", range(1, 101))
def test_every_threshold_is_told_when_it_is_reached_and_not_before(step: int) -> None:
    """As floats 0.57 * 100 is below 57, and so for 29 and 58."""
    limit = Decimal("137.91")

    def told(spent: Decimal) -> int:
        event = BudgetReached(
            **WHO,
            spent_usd=spent,
            monthly_usd=limit,
            share=float(spent / limit),
            thresholds=(step,),
        )
        return BudgetReached.model_validate_json(event.model_dump_json()).step

    assert told(limit * step / 100) == step
    assert told(limit * step / 100 - Decimal("1e-9")) == 0


def test_a_budget_that_was_raised_and_is_spent_again_is_told_again() -> None:
    spent = {"spent_usd": 200, "share": 1.0}
    first = key("BudgetReached", **spent, monthly_usd=100)
    assert first != key("BudgetReached", **spent, monthly_usd=200)


def test_a_step_that_is_passed_again_after_less_was_spent_is_told_again() -> None:
    spent = {"spent_usd": 100, "share": 1.0, "monthly_usd": 100}
    assert key("BudgetReached", **spent) != key("BudgetReached", **spent, fallen=1)


def test_what_follows_a_spent_budget_is_told_again_when_it_was_changed() -> None:
    spent = {"spent_usd": 200, "share": 1.0, "monthly_usd": 100}
    first = key("BudgetReached", **spent)
    assert first != key("BudgetReached", **spent, when_spent="sleep")
