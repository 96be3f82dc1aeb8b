"""The announcement of a report: what Slack has to show it, and what an older one still says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.alerts.events.costs import ReportWritten
from autoscaler.alerts.message import message_of
from autoscaler.alerts.slack import payload
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import write_report
from tests.ledger_books import BOOK, MONDAY, fleet_books
from tests.memory import memory_world
from tools.receiver import validated

AT = datetime(2026, 11, 24, 6, tzinfo=UTC)
OLD = {
    "endpoint": "", "generation": 0, "at": AT.isoformat(), "uri": "s3://r/costs.html",
    "period": "23 November 2026", "cost_usd": "12.345600", "baseline_usd": "60.000000",
    "saved_usd": "47.654400",
    "lines": [{"endpoint": "llama", "cost_usd": "12.345600", "saved_usd": "47.654400",
               "wakes": 1, "requests": 1200}],
}  # fmt: skip


def line(name: str, usd: str, before: str | None) -> dict[str, Any]:
    fields = {"endpoint": name, "cost_usd": usd, "saved_usd": "1", "wakes": 0, "requests": 0}
    return {**fields, "before_usd": before}


def event(**changes: Any) -> ReportWritten:
    return ReportWritten.model_validate({**OLD, **changes})


def test_an_event_of_before_is_still_read_and_told() -> None:
    old = event()
    assert (old.kind, old.basis, old.teams, old.days, old.movers) == ("", "estimated", (), (), ())
    assert message_of(old).title == "Cost of 23 November 2026: $12.35"


BOUND = {"net_saved_at_most_usd": "46.4544"}


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({}, ""),
        (BOUND, ""),  # an older version's, without the cost itself
        (
            {"controller_usd": "1.2", **BOUND},
            " Net of the controller's own $1.20: $46.45 at most.",
        ),
        (
            {
                "controller_usd": "1.2",
                "net_saved_at_most_usd": "46.4544",
                "net_saved_usd": "46.4544",
            },
            " Net of the controller's own $1.20: $46.45.",
        ),
    ],
)
def test_savings_are_told_net_of_the_controllers_own_cost(
    told: dict[str, str], sentence: str
) -> None:
    compared = "Always on would have cost $60.00: $47.65 (79 %) saved."
    assert message_of(event(**told)).body.startswith(f"{compared}{sentence} All figures")


def test_what_moved_most_is_first_and_who_was_not_there_is_left_out() -> None:
    lines = [
        line("grew", "10", "4"),
        line("shrank", "1", "21"),
        line("new", "99", None),
        line("same", "5", "5"),
    ]
    assert [one.endpoint for one in event(lines=lines).movers] == ["shrank", "grew"]


def test_teams_and_movers_are_two_lines_of_the_message() -> None:
    teams = [
        {"team": "search", "cost_usd": "3", "saved_usd": "1"},
        {"team": "research", "cost_usd": "9", "saved_usd": "1"},
    ]
    lines = [line("a", "10", "4"), line("b", "1", "21")]
    facts = dict(message_of(event(teams=teams, lines=lines)).facts)
    assert facts["by team"] == "research $9.00, search $3.00"
    assert facts["against the period before"] == "b −$20.00, a +$6.00"


def test_what_has_no_price_now_moved_nobody_knows_how_far() -> None:
    """`llama −$182.38` was told of 70 hours on machines whose price was not known."""
    lines = [{**line("llama", "0", "182.38"), "at_least": True}, line("grew", "10", "4")]
    assert [one.endpoint for one in event(lines=lines).movers] == ["grew"]


def test_a_team_whose_machines_have_no_price_costs_at_least_so_much() -> None:
    teams = [{"team": f"t{n:02}", "cost_usd": 20 - n, "saved_usd": None} for n in range(11)]
    named = dict(message_of(event(teams=teams)).facts)["by team"]
    assert "at least" not in named, "an older sender does not say which"
    teams[1]["at_least"] = teams[10]["at_least"] = True
    named = dict(message_of(event(teams=teams)).facts)["by team"]
    assert named.startswith("t00 $20.00, t01 at least $19.00, t02 $18.00")
    assert named.endswith("t08 $12.00, 2 others at least $21.00")


@pytest.mark.parametrize("bound", ["hidden", "without a line"])
def test_others_without_a_price_are_at_least_so_much(bound: str) -> None:
    lines = twelve()
    assert message_of(event(lines=lines)).facts[-1] == ("3 others", "$6.00")
    if bound == "hidden":
        lines[-1]["at_least"] = True
        last = message_of(event(lines=lines)).facts[-1]
        assert last == ("3 others", "at least $6.00")
    else:
        others = {"others": 2, "others_usd": "5", "others_at_least": True}
        last = message_of(event(lines=lines, **others)).facts[-1]
        assert last == ("5 others", "at least $11.00")


TEAMS = [
    {"team": "search", "cost_usd": "40", "saved_usd": "1"},
    {"team": "research", "cost_usd": "38", "saved_usd": "1"},
]
BUDGETS = [{"limit_usd": "900", "spent_usd": "78"}]


def twelve(most: int = 12) -> list[dict[str, Any]]:
    return [line(f"e{n:02}", str(12 - n), "1") for n in range(most)]


def dollars_in(facts: Sequence[tuple[str, str]]) -> Decimal:
    """Of the endpoints' lines and of what is left."""
    own = [value for label, value in facts if label.startswith("e") or "other" in label]
    return sum((Decimal(value.split(",")[0].lstrip("$")) for value in own), Decimal(0))


@pytest.mark.parametrize(
    ("changes", "shown", "last"),
    [
        ({"teams": TEAMS, "budgets": BUDGETS}, 6, ("6 others", "$21.00")),
        ({"teams": TEAMS}, 7, ("5 others", "$15.00")),
        ({"budgets": BUDGETS}, 8, ("4 others", "$10.00")),
        ({}, 9, ("3 others", "$6.00")),
        ({"others": 2, "others_usd": "5"}, 9, ("5 others", "$11.00")),
    ],
)
def test_a_message_of_many_endpoints_shows_every_dollar(
    changes: dict[str, Any], shown: int, last: tuple[str, str]
) -> None:
    """Slack takes ten fields; what was beyond them was missing, and the rest did not add up."""
    message = message_of(event(lines=twelve(), **changes))
    fields = payload(message)["attachments"][0]["blocks"][1]["fields"]
    assert [f"*{label}*\n{value}" for label, value in message.facts] == [
        field["text"] for field in fields
    ]
    assert sum(label.startswith("e") for label, _ in message.facts) == shown
    assert message.facts[-1] == last
    assert dollars_in(message.facts) == 78 + Decimal(changes.get("others_usd", 0))


def test_endpoints_that_just_fit_have_a_line_each() -> None:
    labels = [label for label, _ in message_of(event(lines=twelve(10))).facts]
    assert labels == [f"e{n:02}" for n in range(10)]
    fewer = message_of(event(lines=twelve(9), others=1, others_usd="2")).facts
    assert (len(fewer), fewer[-1]) == (10, ("1 other", "$2.00"))


def test_teams_that_are_not_named_are_counted() -> None:
    teams = [{"team": f"t{n:02}", "cost_usd": "2", "saved_usd": "1"} for n in range(12)]
    named = dict(message_of(event(teams=teams)).facts)["by team"]
    assert named.endswith("t08 $2.00, 3 others $6.00")


def test_one_team_needs_no_line_of_its_own() -> None:
    one = [{"team": "search", "cost_usd": "3", "saved_usd": "1"}]
    assert "by team" not in dict(message_of(event(teams=one)).facts)


def test_unusual_days_are_in_the_body_three_at_most() -> None:
    body = message_of(event(unusual=[f"llama: ${n} on Monday." for n in range(5)])).body
    assert body.splitlines()[1:] == [f"llama: ${n} on Monday." for n in range(3)]


def test_a_running_period_and_a_reconciled_one_are_called_so() -> None:
    assert message_of(event(running=True)).title.endswith("2026 so far: $12.35")
    body = message_of(event(basis="reconciled", billed_usd="11.90")).body
    assert "AWS billed $11.90 for its instances (reconciled)" in body


def test_the_event_of_a_week_has_its_days_by_team_and_slack_takes_it() -> None:
    world, books = memory_world(), fleet_books(14)
    for record in books.records:
        world.store.create(record.spec, record.status)
    world.store.segments += books.segments
    world.clock.moment = MONDAY + timedelta(days=15)
    week = Period.week((MONDAY + timedelta(days=7)).date(), "Europe/Berlin")

    class Nowhere:
        def get(self, key: str) -> bytes | None:
            return None

        def put(self, key: str, body: bytes, content_type: str) -> str:
            return f"s3://r/{key}"

    written = write_report(world.store, Nowhere(), world.clock, world.announcer, week, prices=BOOK)
    assert (written.kind, written.first_day, written.running) == ("week", date(2026, 11, 23), False)
    assert [day.label for day in written.days][:2] == ["23 Nov", "24 Nov"]
    assert len(written.days) == 7
    by_day = sum((day.cost_usd for day in written.days), Decimal(0))
    by_team = sum((team.cost_usd for team in written.teams), Decimal(0))
    assert abs(by_day - written.cost_usd) < Decimal("1e-9")
    assert abs(by_team - written.cost_usd) < Decimal("1e-9")
    assert {team.team for team in written.teams} == {"search", "research"}
    assert written.before_usd and written.movers
    again = ReportWritten.model_validate_json(written.model_dump_json())
    assert [day.label for day in again.days] == [day.label for day in written.days]
    assert validated(json.dumps(payload(message_of(again))).encode())


def test_a_bill_says_which_days_it_is_of_and_what_they_were_estimated_at() -> None:
    days = {"billed_first": "2026-11-15", "billed_last": "2026-11-22", "billed_against_usd": "12"}
    body = message_of(event(basis="reconciled", billed_usd="11.90", **days)).body
    assert (
        "AWS billed $11.90 for its instances in the UTC days 2026-11-15 to 2026-11-22 "
        "(reconciled), which were estimated at $12.00; all else here is estimated."
    ) in body
