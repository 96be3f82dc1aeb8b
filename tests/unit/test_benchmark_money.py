"""The ledger's benchmark on half a day: what it claims to inject it injects, and it adds up."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from autoscaler.ledger.controller import ControllerUsage
from benchmarks.money.controller import ALLOWANCES, beyond_allowances
from benchmarks.money.counted import _write_units
from benchmarks.money.replayed import Plan, replay


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Bursts of an hour at two and at seven o'clock, each more than one copy can take at first."""
    path = tmp_path / "bursts.csv.gz"
    rows = [
        f"{start + second * 0.5:.1f},400,300"
        for start in (2 * 3600, 7 * 3600)
        for second in range(7200)
    ]
    with gzip.open(path, "wt") as file:
        file.write("\n".join(["arrival_s,input_tokens,output_tokens", *rows]) + "\n")
    return path


def test_ticks_are_lost_and_doubled_and_the_ledger_is_close(trace: Path) -> None:
    found = replay(Plan(trace, max_copies=3, days=0.5, lost=0.1, doubled=0.1))
    assert found.ticks.lost > 20 and found.ticks.doubled > 20
    assert found.wakes >= 2
    assert abs(found.error) < 0.02, "half a day has few hours; the benchmark asks for 0.5 %"
    counted = sum(day.counted for day in found.days)
    billed = sum(day.billed for day in found.days)
    assert counted / billed - 1 == pytest.approx(found.error, abs=1e-9), "by two ways"


def test_it_is_the_clusters_bill_and_not_the_ledger_that_is_compared_with(trace: Path) -> None:
    found = replay(Plan(trace, max_copies=1, days=0.5, lost=0.0, doubled=0.0))
    assert found.billed_usd != found.counted_usd, "looks are 15 s apart: they cannot agree exactly"
    assert found.ticks.lost == 0 and found.ticks.doubled == 0


def test_what_another_hand_does_without_ticks_is_closed_and_marked(trace: Path) -> None:
    """The trace's third day is that of the dead hours."""
    long = trace.with_name("third-day.csv.gz")
    rows = [f"{2.55 * 86400 + second},400,300" for second in range(14400)]
    with gzip.open(long, "wt") as file:
        file.write("\n".join(["arrival_s,input_tokens,output_tokens", *rows]) + "\n")
    found = replay(Plan(long, max_copies=2, days=3, dead_hours=2.0))
    assert found.unseen == 1
    assert found.report.total.gaps.instance_seconds > 0
    assert abs(found.error) < 0.02


@pytest.mark.parametrize(
    ("operation", "body", "units"),
    [
        ("PutItem", {"Item": {"pk": {"S": "a"}, "body": {"S": '"' * 1000}}}, 1),
        ("PutItem", {"Item": {"pk": {"S": "a"}, "body": {"S": "é" * 600}}}, 2),
        ("DeleteItem", {"Key": {"pk": {"S": "a"}}}, 1),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"Item": {"n": {"N": "12"}}}}] * 3}, 6),
    ],
)
def test_write_units_are_of_items_and_not_of_how_they_are_sent(operation, body, units) -> None:
    assert _write_units(operation, body) == units


def test_what_an_account_has_for_nothing_is_taken_off_and_never_more_than_was_used() -> None:
    used = {**dict.fromkeys(ALLOWANCES, 10**9), "log_gb": 3, "alarms": 27, "secrets": 2}
    left = beyond_allowances(ControllerUsage(**used))
    assert (left.log_gb, left.alarms, left.secrets) == (0, 17, 2)
    assert left.queue_requests == 10**9 - 1_000_000
