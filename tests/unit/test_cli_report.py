"""`autoscaler report` as a person sees it, and its advice on a history that moto keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from tools.cli.report_command import report_lines, report_table

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
PEAK = {"name": "peak", "days": ["tue"], "start": "08:00", "end": "18:00", "min_copies": 1}


def line(name: str, usd: str, **changes: Any) -> dict[str, Any]:
    fields = {"team": "research", "saved_usd": "11665.80", "wakes": 39, "requests": 13894}
    return {"endpoint": name, "cost_usd": usd, **fields, **changes}


def test_the_table_fits_into_80_columns_and_is_dearest_first() -> None:
    lines = [
        line("deepseek-r1-distill-llama-8b", "90.91", team="search"),
        line("deepseek-r1", "563.53", before_usd="626.34"),
        line("odd", "1", saved_usd=None),
    ]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(report_table(lines))
    text = captured.get().splitlines()
    assert max(map(len, text)) <= 80
    assert [row.split()[0] for row in text[1:]] == [
        "deepseek-r1", "deepseek-r1-distill-llama-8b", "odd",
    ]  # fmt: skip
    assert "$626.34" in text[1] and "unknown" in text[3]


def test_it_says_what_is_estimated_reconciled_unseen_and_odd() -> None:
    written = {
        "period": "week 11 – 17 January", "cost_usd": "848.26", "baseline_usd": "14871.18",
        "billed_usd": "736.12", "before_usd": "910.39", "gap_usd": "1.65",
        "unusual": ["deepseek-r1: $184.09 on Thursday."],
    }  # fmt: skip
    assert list(report_lines(written)) == [
        "week 11 – 17 January: cost $848.26, always on $14,871.18 (estimated)",
        "AWS billed $736.12 for its instances (reconciled)",
        "the period before cost $910.39",
        "$1.65 of it rest on time in which nobody looked",
        "deepseek-r1: $184.09 on Thursday.",
    ]


NET = {"controller_usd": "1.20", "net_saved_at_most_usd": "46.4544"}


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({}, None),  # an older stack
        (NET, "saved $46.45 at most, net of the controller's own $1.20"),
        (
            {**NET, "net_saved_usd": "46.4544"},
            "saved $46.45, net of the controller's own $1.20",
        ),
        ({"controller_usd": "1.20", "net_saved_at_most_usd": None}, None),  # a price is missing
    ],
)
def test_what_is_saved_is_told_net_of_the_controllers_own_cost(
    told: dict[str, Any], line: str | None
) -> None:
    lines = list(report_lines({"cost_usd": "12", "baseline_usd": "60", **told}))
    assert [one for one in lines if "net of" in one] == ([line] if line else [])


def test_of_an_older_stack_it_says_what_that_tells() -> None:
    assert list(report_lines({"cost_usd": "1", "baseline_usd": None}, running=True)) == [
        "the period so far: cost $1.00, always on unknown (estimated)"
    ]


def test_a_period_that_runs_is_not_held_against_a_whole_one_in_words() -> None:
    written = {"period": "November 2026", "cost_usd": "8", "baseline_usd": "9", "before_usd": "7"}
    assert "as much of the period before cost $7.00" in report_lines(written, running=True)


def test_a_bill_says_which_days_it_is_of() -> None:
    days = {"billed_first": "2026-11-15", "billed_last": "2026-11-22", "billed_against_usd": "12"}
    written = {"cost_usd": "1", "baseline_usd": "1", "billed_usd": "11.90", **days}
    assert (
        "AWS billed $11.90 for its instances in the UTC days 2026-11-15 to 2026-11-22 "
        "(reconciled), estimated at $12.00"
    ) in report_lines(written)
