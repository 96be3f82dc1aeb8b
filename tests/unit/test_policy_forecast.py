"""What a month will probably cost, reckoned by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from autoscaler.policy import Hold
from autoscaler.policy.budget import period_end, yields_at
from autoscaler.policy.forecast import Spending, asked_for, foretold
from tests.unit.policy_cases import WEEKDAYS, a_spec

MONDAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)  # a Tuesday; 6.5 days of November are left
DAY = timedelta(days=1)
PEAK = {"name": "peak", "days": WEEKDAYS, "start": "08:00", "end": "18:00", "min_copies": 2}


def daily(usd: int) -> Spending:
    """Three weeks and a day of the same, and NOON's day begun."""
    spending = Spending(MONDAY)
    for n in range(22):
        spending = spending.having(MONDAY + n * DAY, Decimal(usd))
    return spending.at(NOON.date())


def test_the_rest_of_the_month_is_as_its_weekdays_were() -> None:
    spending = daily(10)
    # $230 until now, the half of Tuesday that is left, and six days more.
    assert foretold(a_spec(), spending, Decimal(230), None, NOON) == 230 + 5 + 60


def test_a_weekday_is_its_own_and_the_newest_counts_half() -> None:
    spending = Spending(MONDAY).having(MONDAY, Decimal(8)).having(MONDAY + 7 * DAY, Decimal(16))
    spending = spending.at(MONDAY + 8 * DAY)
    assert spending.by_weekday[0] == 12
    assert spending.by_weekday[1] == 0, "a day without a cost was seen, and cost nothing"


def test_before_a_whole_day_was_seen_nothing_is_foretold() -> None:
    begun = Spending().having(NOON.date(), Decimal(40))
    assert foretold(a_spec(), begun, Decimal(40), Decimal(2), NOON) is None


def test_a_first_day_that_was_seen_from_its_last_hour_on_foretells_nothing() -> None:
    """An instance since 23:00 that runs on: the day of $2.61 was taken for a whole one, and the
    month foretold at $83.52."""
    hour = Decimal("2.61")
    began = Spending().having(date(2026, 11, 30), hour)
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    for minutes in (1, 12 * 60, 24 * 60 - 1):
        now = midnight + timedelta(minutes=minutes)
        assert foretold(a_spec(), began, hour, hour, now) is None
    whole = began.having(midnight.date(), 24 * hour)
    assert foretold(a_spec(), whole, 24 * hour, hour, midnight + DAY) == 31 * 24 * hour


def test_a_first_day_is_not_in_the_mean_of_its_weekday_later_either() -> None:
    spending = Spending()
    for n in range(8):
        spending = spending.having(MONDAY + n * DAY, Decimal(10 if n else 1))
    assert spending.at(MONDAY + 7 * DAY).by_weekday == (None, *(Decimal(10),) * 6)
    assert spending.at(MONDAY + 8 * DAY).by_weekday == (Decimal(10),) * 7


def test_what_a_release_stored_that_did_not_know_the_first_day_goes_on_as_it_was() -> None:
    read = TypeAdapter(Spending).validate_python
    old = read({"on": MONDAY, "usd": "7", "by_weekday": [None] * 7})
    assert old.at(MONDAY + DAY).by_weekday[0] == 7


def test_a_weekday_that_was_not_seen_costs_as_the_others_do() -> None:
    spending = Spending(MONDAY).having(MONDAY, Decimal(6)).having(MONDAY + DAY, Decimal(10))
    assert spending.at(MONDAY + 2 * DAY).usual(MONDAY + 2 * DAY) == 8


def test_after_a_long_silence_it_costs_nothing_more() -> None:
    assert daily(10).at(NOON.date() + 90 * DAY).usual(NOON.date()) == 0


def test_windows_that_are_known_count_though_they_never_were_open() -> None:
    spec = a_spec(windows=[PEAK], scaling={"max_copies": 4})
    idle = daily(0)
    # Today 6 h, three whole weekdays, the weekend without any, and Monday: 2 copies at $3.
    assert foretold(spec, idle, Decimal(0), Decimal(3), NOON) == (6 + 4 * 10) * 2 * 3


def test_whole_instances_are_foretold_whatever_else_would_fit_on_them() -> None:
    own = a_spec(windows=[PEAK], scaling={"max_copies": 8})
    whole = foretold(own, daily(0), Decimal(0), Decimal(3), NOON, copies_per_instance=4)
    assert whole == (6 + 4 * 10) * 1 * 3
    shared = {"types": ["ml.g6e.12xlarge"], "shared": "pool", "max_instances": 2}
    pooled = a_spec(windows=[PEAK], scaling={"max_copies": 8}, instances=shared)
    part = foretold(pooled, daily(0), Decimal(0), Decimal(3), NOON, copies_per_instance=4)
    assert part == (6 + 4 * 10) * Decimal("0.5") * 3


def test_a_hold_that_is_known_counts_until_its_end() -> None:
    hold = Hold(NOON + timedelta(hours=18), 1, "a demo", "ada")
    hours = asked_for(a_spec(), hold, NOON, period_end("month", NOON))
    assert {day: float(copies) for day, copies in hours.items() if copies} == {
        date(2026, 11, 24): 12.0,
        date(2026, 11, 25): 6.0,
    }


def test_what_comes_usually_counts_where_it_is_more_than_what_is_known() -> None:
    spec = a_spec(windows=[{**PEAK, "days": ["wed"]}], scaling={"max_copies": 4})
    spending = daily(10)
    # On Wednesday the window asks for $60, on all other days the usual $10 come.
    assert foretold(spec, spending, Decimal(0), Decimal(3), NOON) == 5 + 60 + 5 * 10


def test_at_the_last_moment_of_a_month_the_forecast_is_what_was_spent() -> None:
    last = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    found = foretold(a_spec(), daily(10).at(last.date()), Decimal(300), None, last)
    assert found is not None
    assert 300 <= found < Decimal("300.001")


def test_what_is_told_of_a_day_that_is_over_comes_too_late() -> None:
    today = Spending().having(MONDAY + DAY, Decimal(3))
    assert today.having(MONDAY, Decimal(9)) == today


@given(st.lists(st.tuples(st.integers(0, 60), st.decimals(0, 1000, places=2)), max_size=30))
def test_the_order_and_number_of_looks_at_a_day_change_nothing(
    told: list[tuple[int, Decimal]],
) -> None:
    once = twice = Spending(MONDAY)
    for offset, usd in sorted(told):
        day = MONDAY + offset * DAY
        once = once.having(day, usd)
        twice = twice.at(day).having(day, usd / 2).at(day).having(day, usd - usd / 2)
    assert once == twice


@given(st.integers(0, 3_000_000), st.sampled_from(["month", "day"]))
def test_a_period_ends_after_now_at_a_utc_midnight(seconds: int, per: str) -> None:
    now = NOON + timedelta(seconds=seconds)
    end = period_end(per, now)
    assert now < end <= now + timedelta(days=31 if per == "month" else 1)
    assert (end.hour, end.minute, end.second) == (0, 0, 0)
    assert per == "day" or end.day == 1


def test_who_yields_first() -> None:
    assert yields_at([5, 5, 5]) == {5: 100}, "all the same: all of the budget is theirs"
    assert yields_at([9, 5, 0]) == {9: 100, 5: 90, 0: 80}
    assert min(yields_at(range(10)).values()) == 50
