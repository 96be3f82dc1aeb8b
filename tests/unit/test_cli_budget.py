"""`budget`, `stop` and `start`: what is sent, and how the answers of the stack look."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from autoscaler.control.budget_orders import set_budget
from autoscaler.control.budget_view import budgets_view
from autoscaler.control.kill_switch import stop
from autoscaler.control.reconcile import reconcile
from autoscaler.policy.forecast import Spending
from autoscaler.ports import Load
from autoscaler.runtime.money_commands import _stopped
from tests.cli_stub import ENDPOINT, Stub
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import awake, put, spec
from tools.cli import budget_command, output, switch_command

LONG = "deepseek-r1-distill-llama-8b"
BUSY = Load(backlog=3, concurrency_per_copy=2.0, invocations=3.0)


@pytest.fixture
def world() -> MemoryWorld:
    """Two endpoints with three weeks of $40 a day; the stack has spent 92 % of its budget."""
    found = memory_world()
    usual = Spending()
    for n in range(20, 0, -1):
        usual = usual.having((NOON - timedelta(days=n)).date(), Decimal(40))
    kept = {"spending": usual, "spent_in": "2026-11", "spent_usd": Decimal("823.4")}
    limits = {"monthly_usd": 900, "daily_usd": 60, "when_spent": "sleep", "priority": 2}
    put(found, awake(LONG, **kept), spec(LONG, budget=limits))
    put(found, awake("chat", **kept), spec("chat", budget={"monthly_usd": 5000, "priority": 8}))
    for name in (LONG, "chat"):
        found.scaler.settle(name, 1)
        found.load.loads[name] = BUSY
    set_budget(found, "ada", {"monthly_usd": 1800})
    reconcile(found)
    return found


def view(world: MemoryWorld) -> dict[str, Any]:
    return budgets_view(world.store.stack(), world.store.load_all(), world.clock.now())


def as_printed(found: dict[str, Any], width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(budget_command.table_of(found))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_a_page_of_budgets_fits_80_columns_with_every_figure_whole(world) -> None:
    lines = [line.rstrip() for line in as_printed(view(world))]
    assert lines == [
        "                             spent  of           share expected then  wakes",
        "chat                         $826   $5,000/month 17 %  $1,086   cap   0/96",
        "deepseek-r1-distill-llama-8b $826   $900/month   92 %  $1,086   sleep 0/96",
        "                             $2.61  $60.00/day   4 %            sleep",
        "the stack                    $1,652 $1,800/month 92 %  $2,172   cap",
    ]


def test_beside_it_stands_who_yields_who_set_it_and_what_is_stopped(world) -> None:
    stop(world, "ada", "a [leaked] key")
    told = [line.replace("\\", "") for line in budget_command.notes(view(world))]
    assert told[0].endswith("ada: a [leaked] key; nothing wakes until `autoscaler start`[/]")
    assert told[1:] == [
        f"[yellow]{LONG} yields to the stack's budget: one copy at most, none kept warm[/]",
        "the stack's budget was set by ada at 2026-11-24 12:00 UTC",
        f"they yield to the stack's budget at 90 %: {LONG}; at 100 %: chat",
    ]


def test_the_wakes_of_the_whole_stack_stand_beside_its_limit(world) -> None:
    for name, wakes in (LONG, 5), ("chat", 7):
        status = world.store.records[name].status
        spent = {"wakes_on": NOON.date(), "wakes_today": wakes}
        world.store.save(status.model_copy(update=spent))
    set_budget(world, "ada", {"wakes_per_day": 12})
    reconcile(world)
    assert as_printed(view(world))[-1].endswith("cap   12/12")
    assert any(
        "the stack's wakes of the day are spent" in s for s in budget_command.notes(view(world))
    )
    set_budget(world, "ada", {"wakes_per_day": 13})
    reconcile(world)
    assert as_printed(view(world))[-1].endswith("cap   12/13")
    assert not any("are spent" in said for said in budget_command.notes(view(world)))
    older = view(world)
    for key in ("wakes_today", "wakes_per_day", "wakes_spent"):
        del older["stack"][key]
    assert as_printed(older)[-1].rstrip().endswith("cap")


def test_a_stop_shows_how_far_each_endpoint_is(world) -> None:
    world.store.conflicts_to_come = 1
    done = _stopped(stop(world, "ada", "a leaked key"))
    told = list(switch_command.lines(done))
    assert "Everything is stopped since 24 Nov 12:00 UTC by ada" in told[0]
    assert told[1:] == [
        "chat is [yellow]SLEEPING[/]",
        f"{LONG} is [green]AWAKE[/]; its turn comes with the next look: it was being written",
    ]
    assert next(switch_command.lines({**done, "stopped": None})) == "nothing is stopped"


def test_stop_and_start_are_sent_with_their_reason(stack: Stub) -> None:
    done = {"stopped": None, "stopped_endpoints": {}, "phases": {"llama": "ASLEEP"}, "left": {}}
    stack.answer = {"ok": True, "result": done}
    assert stack.run("stop", "--reason", "a leaked key").exit_code == 0
    assert stack.run("stop", "llama", "--reason", "it loops").exit_code == 0
    ran = stack.run("start")
    assert ran.stdout == "nothing is stopped\nllama is ASLEEP\n"
    sent = [(one["command"], one["endpoint"], one.get("reason")) for one in stack.sent]
    assert sent == [
        ("stop", "", "a leaked key"),
        ("stop", "llama", "it loops"),
        ("start", "", None),
    ]


def test_a_stop_needs_a_reason(stack: Stub) -> None:
    ran = stack.run("stop")
    assert (ran.exit_code, stack.sent) == (2, [])
    assert "--reason" in ran.output


def test_a_budget_is_set_by_the_fields_that_are_given(stack: Stub, world) -> None:
    stack.answer = {"ok": True, "result": view(world)}
    ran = stack.run(
        "budget", "set", "--monthly", "$5,000", "--daily", "none", "--thresholds", "60, 90%",
        "--when-spent", "sleep", "--wakes-per-day", "200", "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert stack.sent[-1]["changes"] == {
        "monthly_usd": "5000",
        "daily_usd": None,
        "thresholds": [60, 90],
        "when_spent": "sleep",
        "wakes_per_day": 200,
    }
    assert json.loads(ran.stdout)["stack"]["set_by"] == "ada"
    assert stack.run("budget").exit_code == 0
    assert stack.sent[-1]["command"] == "budget"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "\udce9"])
def test_a_reason_that_nobody_can_read_is_refused_by_its_option(
    stack: Stub,
    reason: str,
) -> None:
    for typed in (("stop",), ("hold", "llama", "--for", "2h")):
        ran = stack.run(*typed, "--reason", reason)
        assert (ran.exit_code, len(ran.stderr.splitlines())) == (2, 1)
        assert ran.stderr.startswith("--reason: ")
    assert stack.sent == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "give at least one of --monthly"),
        (["--monthly", "much"], "--monthly: 'much' is no amount of dollars: write 5000, 99.50, or"),
        (["--monthly", "99,50"], "--monthly: '99,50' is no amount of dollars"),
        (["--daily", "1,0000"], "--daily: '1,0000' is no amount of dollars"),
        (["--daily", "-5"], "--daily: '-5' is no amount of dollars"),
        (["--daily", "Infinity"], "--daily: 'Infinity' is no amount of dollars"),
        (
            ["--thresholds", ""],
            "--thresholds: '' names no percentage: write 50,80,100, or",
        ),
        (["--thresholds", " , "], "--thresholds: ' , ' names no percentage"),
        (["--wakes-per-day", "few"], "--wakes-per-day: 'few' is no whole number: write 200, or"),
        (["--wakes-per-day", "-5"], "--wakes-per-day: '-5' is no whole number"),
        (["--thresholds", "half"], "--thresholds: 'half' is no list like 50,80,100"),
    ],
)
def test_what_cannot_be_set_is_refused_before_it_is_sent(
    stack: Stub,
    arguments: list[str],
    problem: str,
) -> None:
    ran = stack.run("budget", "set", *arguments)
    assert ran.exit_code == 2
    assert problem in ran.output
    assert stack.sent == []


@pytest.mark.parametrize(
    ("text", "dollars"),
    [
        ("5000", "5000"),
        ("99.50", "99.50"),
        ("$1,234,567.25", "1234567.25"),
        ("none", None),
    ],
)
def test_commas_part_groups_of_three_digits(text: str, dollars: str | None) -> None:
    assert budget_command._dollars("--monthly", text) == dollars


@pytest.mark.parametrize(
    ("share", "text"), [(None, ""), (0.042, "4 %"), (0.9997, "99 %"), (1, "100 %"), (1.2, "120 %")]
)
def test_what_is_not_all_spent_is_not_100_percent(share: float | None, text: str) -> None:
    assert budget_command._share(share) == text


def test_get_says_first_that_everything_is_stopped() -> None:
    stopped = {"since": "", "author": "ada", "reason": "x", "text": "Everything is stopped by ada"}
    barred = {"reason": "Everything is stopped by ada.", "until": None}
    one = {**ENDPOINT, "stopped": stopped, "barred": barred}
    console = Console(file=io.StringIO(), width=160)
    console.print(output.page({"endpoints": [one, {**one, "name": "other"}]}, NOON, whole=False))
    shown = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert shown[0].strip() == "Everything is stopped by ada"
    assert sum("stopped" in line for line in shown) == 1


def test_a_raised_budget_binds_nobody_in_the_very_answer_that_sets_it(world) -> None:
    set_budget(world, "ada", {"monthly_usd": None, "daily_usd": 1, "when_spent": "sleep"})
    reconcile(world)
    assert view(world)["stack"]["yielding"], "all have spent more than a dollar today"
    assert [one["endpoint"] for one in view(world)["endpoints"] if one["barred"]] == ["chat", LONG]
    set_budget(world, "ada", {"daily_usd": None, "wakes_per_day": 12})
    assert view(world)["stack"]["yielding"] == []
    assert [one["endpoint"] for one in view(world)["endpoints"] if one["barred"]] == []
