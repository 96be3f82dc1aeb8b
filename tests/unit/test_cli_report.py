"""`autoscaler report` as a person sees it: its table, its files, and its advice."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.cloudwatch.models import CloudWatchBackend
from moto.core.exceptions import ServiceException
from rich.console import Console

from autoscaler.catalog.prices import PriceBook, bundled
from autoscaler.ledger.costs import summarize
from autoscaler.ledger.csv import render_csv
from autoscaler.ledger.figures import Advice, CostReport
from autoscaler.ledger.periods import Period
from tests.cli_stub import Stub
from tests.ledger_books import BOOK, MONDAY, fleet_books
from tools.cli.advised_report import prices_of, read_report, write_advised
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
        console.print(report_table({"lines": lines}))
    text = captured.get().splitlines()
    assert max(map(len, text)) <= 80
    assert [row.split()[0] for row in text[1:]] == [
        "deepseek-r1", "deepseek-r1-distill-llama-8b", "odd",
    ]  # fmt: skip
    assert "$626.34" in text[1] and "unknown" in text[3]


@pytest.mark.parametrize(
    ("others", "last"),
    [
        ({}, "odd $1.00"),  # an older stack
        ({"others": 0, "others_usd": "0.000000"}, "odd $1.00"),
        ({"others": 1, "others_usd": "0.420000"}, "1 other $0.42"),
        ({"others": 450, "others_usd": "1020.500000"}, "450 others $1,020.50"),
        (
            {"others": 450, "others_usd": "1020.500000", "others_at_least": True},
            "450 others ≥ $1,020.50",
        ),
    ],
)
def test_endpoints_that_the_event_had_no_room_for_are_the_last_row(
    others: dict[str, Any], last: str
) -> None:
    """With more than some 150 endpoints the table did not add up, and nothing said why."""
    console = Console(width=80)
    with console.capture() as captured:
        written = {"lines": [line("deepseek-r1", "563.53"), line("odd", "1")], **others}
        console.print(report_table(written))
    assert " ".join(captured.get().splitlines()[-1].split()).startswith(last)


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


def test_advice_is_at_the_prices_of_the_stack_and_not_of_the_bundled_table() -> None:
    dear = PriceBook("eu-west-1", {"ml.g6e.xlarge": Decimal("2.94")}, MONDAY)
    week = Period.week(MONDAY.date())
    told = summarize(fleet_books(), week, MONDAY + timedelta(days=7), dear).model_dump_json()
    client: Any = SimpleNamespace(region_or=lambda _: "eu-west-1")
    book = prices_of(CostReport.model_validate_json(told), client)
    assert (book.region, book.usd_per_hour("ml.g6e.xlarge")) == ("eu-west-1", Decimal("2.94"))
    older = json.loads(told)
    for endpoint in older["endpoints"]:
        del endpoint["usd_per_hour"]
    assert prices_of(CostReport.model_validate(older), client) == bundled("eu-west-1")


def test_dollars_are_written_as_on_the_page() -> None:
    """Not `$-2.00`, nor `$0.00` for what is little."""
    written = {"cost_usd": "0.0031", "baseline_usd": "9", "controller_usd": "1"}
    lines = list(report_lines({**written, "net_saved_at_most_usd": "-2", "net_saved_usd": "-2"}))
    assert lines == [
        "the period: cost $0.0031, always on $9.00 (estimated)",
        "saved −$2.00, net of the controller's own $1.00",
    ]


def test_a_cost_without_some_price_is_told_as_a_lower_bound() -> None:
    written = {"cost_usd": "1", "baseline_usd": "9", "unpriced_hours": 2.5}
    lines = list(report_lines({**written, "unpriced_types": ["ml.new.xlarge"]}))
    assert lines == [
        "the period: cost at least $1.00, always on $9.00 (estimated)",
        "the price of ml.new.xlarge is not known: 2.50 instance-hours are in no dollar figure",
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


# --- its files


def test_report_is_written_and_fetched(stack: Stub, tmp_path: Path) -> None:
    s3 = boto3.client("s3")
    uris = {}
    for kind in ("html", "csv", "json"):
        s3.put_object(Bucket="reports", Key=f"all/costs.{kind}", Body=kind.encode())
        uris[kind] = f"s3://reports/all/costs.{kind}"
    stack.answer = {
        "cost_usd": "28.62", "baseline_usd": "59.65", "period": "week 23 – 29 November",
        "uris": uris,
    }  # fmt: skip
    out = tmp_path / "deep" / "report"
    ran = stack.run("report", "--period", "all", "--out", str(out))
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith(
        "week 23 – 29 November: cost $28.62, always on $59.65 (estimated)\n"
    )
    assert (out / "costs.csv").read_text() == "csv"
    assert stack.sent == [{"function": "report-costs", "period": "all"}]
    shown = json.loads(stack.run("report", "--json", "--out", str(out)).stdout)
    assert shown["files"] == [str(out / f"costs.{kind}") for kind in ("html", "csv", "json")]
    assert stack.run("report", "--period", "year").exit_code == 2
    assert stack.run("report", "--period", "all", "--last").exit_code == 2
    stack.sent.clear()
    ran = stack.run("report", "--out", str(out))
    assert ran.stdout.startswith("week 23 – 29 November so far: cost $28.62")
    ran = stack.run("report", "--period", "day", "--last", "--out", str(out))
    assert ran.stdout.startswith("week 23 – 29 November: cost $28.62")
    running, over = stack.sent
    assert running == {"function": "report-costs", "period": "week", "running": True}
    assert over == {"function": "report-costs", "period": "day"}


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_place_for_a_report_that_is_none_is_told_before_it_is_made(
    stack: Stub, tmp_path: Path, below: str
) -> None:
    taken = tmp_path / "report"
    taken.write_text("a file")
    ran = stack.run("report", "--out", str(taken / below))
    assert (ran.exit_code, stack.sent) == (2, [])
    said = "cannot be a folder: a file is in its place; name another one"
    assert ran.stderr == f"--out: {taken / below} {said}\n"


def test_a_report_that_cannot_be_written_is_one_line(written: Stub, tmp_path: Path) -> None:
    (tmp_path / "costs.html").mkdir()
    ran = written.run("report", "--out", str(tmp_path))
    assert ran.exit_code == 1
    assert ran.stderr.startswith(f"--out: {tmp_path}/costs.html: cannot be written: ")


@pytest.fixture
def written(stack: Stub) -> Stub:
    """The stack's function has written a week's report; its page is one word."""
    found = summarize(fleet_books(), Period.week(MONDAY.date()), MONDAY, BOOK)
    bodies = {"html": "old", "csv": "old", "json": found.model_dump_json()}
    for kind, body in bodies.items():
        boto3.client("s3").put_object(Bucket="reports", Key=f"a/costs.{kind}", Body=body.encode())
    uris = {kind: f"s3://reports/a/costs.{kind}" for kind in bodies}
    stack.answer = {"cost_usd": "1", "baseline_usd": "2", "uris": uris}
    return stack


@pytest.mark.parametrize(
    ("options", "advised"),
    [
        ((), True),
        (("--period", "month", "--last"), True),
        (("--no-advice",), False),
        (("--period", "day"), False),
        (("--period", "all"), False),
        (("--period", "all", "--advice"), True),
        (("--json",), False),
    ],
)
def test_advice_is_looked_for_in_weeks_and_months_that_are_not_printed_as_json(
    written: Stub, tmp_path: Path, options: Sequence[str], advised: bool
) -> None:
    ran = written.run("report", *options, "--out", str(tmp_path))
    assert ran.exit_code == 0, ran.output
    page = (tmp_path / "costs.html").read_text()
    assert (page != "old") is advised
    if advised:
        assert "deepseek-r1: no requests in it" in ran.stderr
        assert re.search(r"No advice for deepseek-r1\b[^.:<]*: no requests in it\.", page)
        assert "report --advice" not in page, "it has been done"


def test_advice_is_a_part_of_the_document(written: Stub, tmp_path: Path) -> None:
    ran = written.run("report", "--advice", "--closed", "--json", "--out", str(tmp_path))
    assert json.loads(ran.stdout)["advice"] == []
    assert written.sent == [{"function": "report-costs", "period": "week", "closed": True}]
    assert written.run("report", "--period", "all", "--closed").exit_code == 2


ADVICE = Advice(
    endpoint="deepseek-r1", change="scaling.keep_alive: 10m → 5m", saved_usd=Decimal("9.70"),
    days=14.0, waiting_usd=Decimal(1), sentence="deepseek-r1: 10m → 5m would have saved $9.70.",
)  # fmt: skip


def fetched(out: Path, report: CostReport) -> list[Path]:
    """The files of a report as the stack writes them."""
    bodies = {"html": "old", "csv": render_csv(report), "json": report.model_dump_json(indent=2)}
    for kind, body in bodies.items():
        (out / f"costs.{kind}").write_text(body, encoding="utf-8", newline="")
    return [out / f"costs.{kind}" for kind in bodies]


def rows(text: str) -> list[dict[str, str]]:
    """Without the cells that are empty."""
    table = csv.DictReader(io.StringIO(text, newline=""))
    return [{name: cell for name, cell in row.items() if cell} for row in table]


@pytest.mark.parametrize("before", [(), (ADVICE.model_copy(update={"change": "another"}),)])
def test_with_advice_every_figure_is_still_the_stacks_own(
    tmp_path: Path, before: tuple[Advice, ...]
) -> None:
    """The document has six decimals; sums of them differed from the stack's in the last one."""
    week = Period.week(MONDAY.date(), "Europe/Berlin")
    own = summarize(fleet_books(), week, MONDAY + timedelta(days=8), BOOK)
    paths = fetched(tmp_path, own.model_copy(update={"advice": before}))
    advised = read_report(paths).model_copy(update={"advice": (ADVICE,), "notes": ("New.",)})
    write_advised(advised, paths)
    page, table, document = (path.read_bytes().decode() for path in paths)
    there = rows(table)
    assert [row for row in there if row["row_kind"] != "advice"] == rows(render_csv(own))
    kinds = list(dict.fromkeys(row["row_kind"] for row in there))
    assert kinds == ["endpoint", "team", "all", "advice", "slot", "team_slot"]
    (row,) = (row for row in there if row["row_kind"] == "advice")
    assert (row["item"], row["would_save_usd"]) == (ADVICE.change, "9.700000")
    assert "10m → 5m would have saved" in page
    expected = own.model_copy(update={"advice": (ADVICE,), "notes": ("New.",)})
    assert document == expected.model_dump_json(indent=2)


def test_a_table_of_an_older_stack_becomes_one_of_today(tmp_path: Path) -> None:
    paths = fetched(tmp_path, summarize(fleet_books(), Period.week(MONDAY.date()), MONDAY, BOOK))
    (tmp_path / "costs.csv").write_text("endpoint,cost_usd\r\nllama,1\r\n")
    report = read_report(paths)
    write_advised(report, paths)
    assert (tmp_path / "costs.csv").read_bytes().decode() == render_csv(report)


def test_a_report_whose_metrics_may_not_be_read_says_so_and_is_there(
    written: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any, **__: Any) -> Any:
        raise ServiceException("AccessDenied", "cloudwatch:GetMetricData is not allowed")

    monkeypatch.setattr(CloudWatchBackend, "get_metric_data", denied)
    ran = written.run("report", "--out", str(tmp_path))
    assert ran.exit_code == 0, ran.output
    assert "no advice: " in ran.stderr and "GetMetricData" in ran.stderr
    page = (tmp_path / "costs.html").read_text()
    assert "What would save most is not known: " in page and "GetMetricData" in page


def test_a_report_that_this_command_line_cannot_read_is_left_as_it_is(
    written: Stub, tmp_path: Path
) -> None:
    boto3.client("s3").put_object(Bucket="reports", Key="a/costs.json", Body=b'{"of": "later"}')
    ran = written.run("report", "--out", str(tmp_path))
    assert ran.exit_code == 0, ran.output
    assert "cannot read the report of the stack" in ran.stderr
    assert (tmp_path / "costs.html").read_text() == "old"


def test_a_report_that_is_not_there_is_one_line(stack: Stub, tmp_path: Path) -> None:
    stack.answer = {"cost_usd": None, "uris": {"html": "s3://reports/none.html"}}
    ran = stack.run("report", "--out", str(tmp_path))
    assert ran.exit_code == 1
    assert "NoSuchKey" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
