"""The report as files: one page, one table, one document, and an announcement."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from autoscaler.alerts.events.costs import ReportWritten
from autoscaler.alerts.message import message_of
from autoscaler.alerts.money import millionths
from autoscaler.catalog.prices import PriceBook
from autoscaler.endpoints.status import Traffic
from autoscaler.ledger.announcement import announcement
from autoscaler.ledger.charts import nice_top
from autoscaler.ledger.controller import ControllerUsage
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.csv import render_csv
from autoscaler.ledger.figures import Advice, CostReport
from autoscaler.ledger.html import render_html
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import period_since_first, write_report
from tests.ledger_books import BOOK, MONDAY, PRICES, fleet_books, segment
from tests.memory import MemoryWorld, memory_world

WEEK = Period.week(MONDAY.date(), "Europe/Berlin")
UNTOUCHED = {"period", "until", "written_at", "notes"}
LATER = MONDAY + timedelta(days=7, hours=6)


@dataclass
class MemoryReports:
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def get(self, key: str) -> bytes | None:
        return self.files[key][0] if key in self.files else None

    def put(self, key: str, body: bytes, content_type: str) -> str:
        self.files[key] = (body, content_type)
        return f"s3://reports/{key}"


class Page(HTMLParser):
    """Checks that every element is closed and nothing is loaded from anywhere."""

    void = frozenset({"meta", "path", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {name for name, _ in attrs} & {"src", "href", "onclick", "onload"}
        self.seen.append(tag)
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


FULL = ControllerUsage(
    **dict.fromkeys(ControllerUsage.model_fields.keys() - {"estimated"}, 1),
    estimated=frozenset({"queue_requests"}),
)


def table(report: CostReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(report))))


def rows_of(kind: str, report: CostReport) -> list[dict[str, str]]:
    return [row for row in table(report) if row["row_kind"] == kind]


def total(rows: Iterable[Mapping[str, str]], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows if row[name]), Decimal(0))


def weekly() -> CostReport:
    return summarize(fleet_books(), WEEK, LATER, BOOK)


def world() -> MemoryWorld:
    world = memory_world()
    books = fleet_books()
    for record in books.records:
        world.store.create(record.spec, record.status)
    world.store.segments += books.segments
    world.store.entries += [entry for lines in books.history.values() for entry in lines]
    for counted in books.traffic:
        world.store.count_traffic(counted)
    world.clock.moment = LATER
    return world


def test_the_page_is_whole_self_contained_and_shows_the_figures() -> None:
    report = weekly()
    page = Page(render_html(report))
    assert "script" not in page.seen and "link" not in page.seen and "img" not in page.seen
    assert page.seen.count("svg") == 1 + len(report.endpoints)
    assert f"${report.total.cost.total:,.2f}" in page.text
    assert "estimated" in page.text and "deepseek-r1-distill-qwen-32b" in page.text


def test_what_comes_from_outside_is_escaped() -> None:
    evil = segment(MONDAY, 60, endpoint="<script>x</script>", team='"><img src=x>')
    report = summarize(Books([], [evil]), WEEK, LATER, BOOK)
    html = render_html(report)
    assert "<script>" not in html and "<img" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    "period",
    [
        Period.day(MONDAY.date()),
        Period.month(MONDAY.date()),
        Period.since(MONDAY, MONDAY),
        Period.since(MONDAY, MONDAY + timedelta(seconds=90)),
    ],
    ids=["day", "month", "nothing", "90 seconds"],
)
def test_every_length_of_a_period_renders(period: Period) -> None:
    assert Page(render_html(summarize(fleet_books(), period, LATER, BOOK)))
    assert Page(render_html(summarize(Books([], []), period, LATER, BOOK)))


def test_a_baseline_far_above_the_bars_is_said_instead_of_drawn() -> None:
    assert "is above this scale" in render_html(weekly())
    busy = Books(fleet_books().records, [segment(MONDAY, 7 * 1440, instances=9)])
    html = render_html(
        summarize(
            busy, WEEK, LATER, PriceBook(listed={"ml.g6e.xlarge": Decimal(2)}, read_at=MONDAY)
        )
    )
    assert "above this scale" not in html


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 1), (0.03, 0.04), (1, 1), (2.1, 2.5), (217, 250), (9.99, 10)]
)
def test_the_scale_ends_at_a_round_number(highest: float, top: float) -> None:
    assert nice_top(highest) == top


def test_the_table_has_a_line_per_endpoint_and_team_and_one_for_all() -> None:
    report = weekly()
    rows = [row for row in table(report) if row["row_kind"] in ("endpoint", "team", "all")]
    names = [e.name for e in report.endpoints]
    assert [row["endpoint"] for row in rows] == [*names, "(team)", "(team)", "(all)"]
    teams = {row["team"]: row["cost_usd"] for row in rows if row["endpoint"] == "(team)"}
    assert teams == {t.team: f"{millionths(t.cost.total):f}" for t in report.teams}
    assert Decimal(rows[-1]["cost_usd"]) == millionths(report.total.cost.total)
    assert rows[0]["basis"] == "estimated"


def test_the_table_has_each_day_and_each_teams_part_of_it() -> None:
    report = weekly()
    days = rows_of("slot", report)
    assert [row["item"] for row in days] == [slot.slot.label for slot in report.slots]
    assert (
        days[0]["period_end"] == days[1]["period_start"] == report.slots[1].slot.start.isoformat()
    )
    cents = Decimal("0.00001")
    for name in ("cost_usd", "serving_usd", "baseline_usd"):
        (whole,) = rows_of("all", report)
        assert total(days, name) == pytest.approx(Decimal(whole[name]), abs=cents)
    parts = rows_of("team_slot", report)
    for team in rows_of("team", report):
        theirs = [row for row in parts if row["team"] == team["team"]]
        assert total(theirs, "cost_usd") == pytest.approx(Decimal(team["cost_usd"]), abs=cents)


@pytest.mark.parametrize(
    ("usage", "net", "at_most", "known"),
    [
        (None, "", "", []),
        (ControllerUsage(secrets=1), "", "figure", ["counted", "unknown"]),
        (FULL, "figure", "figure", ["counted", "estimated"]),
    ],
    ids=["not counted", "in part", "all of it"],
)
def test_the_table_has_the_net_savings_and_the_lines_of_the_controllers_own_cost(
    usage: ControllerUsage | None, net: str, at_most: str, known: list[str]
) -> None:
    report = summarize(fleet_books(), WEEK, LATER, BOOK, usage)
    (whole,) = rows_of("all", report)
    figure = report.net_savings_at_most_usd
    shown = {"": "", "figure": "" if figure is None else f"{millionths(figure):f}"}
    found = (whole["net_savings_usd"], whole["net_savings_at_most_usd"])
    assert found == (shown[net], shown[at_most])
    lines = rows_of("controller", report)
    assert sorted({row["known"] for row in lines}) == known
    if report.controller:
        own = report.controller.total_usd
        assert total(lines, "cost_usd") == pytest.approx(own, abs=Decimal("0.00001"))


def test_the_table_has_the_advice() -> None:
    change = "scaling.min_copies: 1 → 0"
    advice = Advice(
        endpoint="llama",
        change=change,
        saved_usd=Decimal("12.5"),
        days=14,
        waiting_usd=Decimal(-1),
        sentence="",
    )
    (row,) = rows_of("advice", weekly().model_copy(update={"advice": (advice,)}))
    assert (row["endpoint"], row["item"], row["would_save_usd"]) == ("llama", change, "12.500000")
    assert (row["would_cost_waiting_usd"], row["of_days"]) == ("-1.000000", "14.0")
    assert row["cost_usd"] == "", "it is in no sum of costs"


def test_all_three_tell_how_many_kept_answers_there_were() -> None:
    counted = Traffic(endpoint="llama", start=MONDAY, requests=40, kept=12)
    plain = Traffic(endpoint="other", start=MONDAY, requests=40)
    report = summarize(Books([], [], [counted, plain]), WEEK, LATER, BOOK)
    first, *_, both = (row for row in table(report) if "slot" not in row["row_kind"])
    assert (first["kept_answers"], first["kept_share"]) == ("12", "0.3")
    assert (both["kept_answers"], both["kept_share"]) == ("12", "0.15")
    told = json.loads(report.model_dump_json())["endpoints"]
    assert [(one["served"]["kept"], one["served"]["kept_share"]) for one in told] == [
        (12, 0.3),
        (0, 0.0),
    ]
    assert "Answered by a kept answer12, 30 % of all" in Page(render_html(report)).text


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_the_table_leaves_open_what_is_not_known_and_runs_no_formula(begins: str) -> None:
    name = f"{begins}cmd()"
    odd = segment(MONDAY, 60, endpoint=name, usd_per_hour=None, instance_type="ml.new.large")
    text = render_csv(summarize(Books([], [odd]), WEEK, LATER, BOOK))
    row = next(csv.DictReader(io.StringIO(text, newline="")))
    assert row["endpoint"] == f"'{name}"
    assert row["savings_usd"] == "" and row["unpriced_instance_hours"] == "1.0"


def test_a_report_is_three_files_and_one_announcement() -> None:
    here, blobs = world(), MemoryReports()
    written = write_report(here.store, blobs, here.clock, here.announcer, WEEK, prices=BOOK)
    folder = "reports/week/2026-11-16"
    assert {key: kind for key, (_, kind) in blobs.files.items()} == {
        f"{folder}/costs.html": "text/html; charset=utf-8",
        f"{folder}/costs.csv": "text/csv; charset=utf-8",
        f"{folder}/costs.json": "application/json",
    }
    assert here.announcer.events == [written]
    assert isinstance(written, ReportWritten)
    assert written.uri == f"s3://reports/{folder}/costs.html"
    expected = weekly()
    assert written.cost_usd == expected.total.cost.total
    assert written.saved_usd == expected.total.savings_usd
    assert [line.wakes for line in written.lines] == [e.wakes.count for e in expected.endpoints]


def test_of_many_endpoints_the_event_has_the_dearest_and_those_that_moved_and_fits() -> None:
    report = weekly()
    (first, *_) = report.endpoints
    cents = [Decimal(n) / 100 for n in range(1, 601)]
    many = [
        first.model_copy(
            update={
                "name": f"e{n}",
                "cost": first.cost.model_copy(update={"serving": usd, "provisioning": Decimal(0)}),
                "before_usd": None,
            }
        )
        for n, usd in enumerate(cents)
    ]
    jumped = many[3].model_copy(update={"before_usd": Decimal(1000)})
    many[3] = jumped
    event = announcement(report.model_copy(update={"endpoints": tuple(many)}), "s3://reports/x")
    names = {line.endpoint for line in event.lines}
    assert "e599" in names and "e3" in names and "e10" not in names
    assert event.others == len(many) - len(event.lines) > 400
    told = sum(line.cost_usd for line in event.lines) + event.others_usd
    assert told == sum(one.cost.total for one in many)
    assert len(event.model_dump_json()) < 128 * 1024
    (others,) = [value for name, value in message_of(event).facts if name.endswith(" others")]
    assert others.startswith("$")


def test_what_has_no_price_is_a_lower_bound_for_its_team_and_among_the_others_too() -> None:
    books = fleet_books()
    name = books.records[0].spec.name
    odd = segment(MONDAY, 60, endpoint=name, usd_per_hour=None, instance_type="ml.p5e.48xlarge")
    report = summarize(replace(books, segments=[*books.segments, odd]), WEEK, LATER, BOOK)
    assert "At least $" in Page(render_html(report)).text, "above the bar"
    event = announcement(report, "s3://reports/x")
    assert [(team.team, team.at_least) for team in event.teams] == [
        ("research", False),
        ("search", True),
    ]
    assert not event.others_at_least
    known, unknown = report.endpoints[:2]
    dear = {"cost": known.cost.model_copy(update={"serving": Decimal(9000)}), "before_usd": None}
    many = tuple(known.model_copy(update={**dear, "name": f"e{n}"}) for n in range(200))
    event = announcement(report.model_copy(update={"endpoints": (*many, unknown)}), "s3://r/x")
    assert (event.others, event.others_at_least) == (51, True)


def test_the_document_reads_back_as_the_report() -> None:
    report = weekly()
    body = report.model_dump_json()
    again = CostReport.model_validate_json(body)
    assert again.model_dump(include=UNTOUCHED) == report.model_dump(include=UNTOUCHED)
    assert again.total.cost.total == pytest.approx(report.total.cost.total, abs=Decimal("1e-5"))
    assert [e.name for e in again.endpoints] == [e.name for e in report.endpoints]
    document = json.loads(body)
    assert Decimal(document["total"]["savings_usd"]) == millionths(
        report.total.savings_usd or Decimal(0)
    )
    assert document["total"]["wakes"]["lead_p50_seconds"] > 0


def test_no_file_has_money_with_more_than_six_decimals() -> None:
    report = weekly()
    files = report.model_dump_json(), render_csv(report)
    assert len(str(report.total.cost.total)) > 20, "exact inside"
    for text in files:
        assert not re.search(r"usd[a-z_0-9]*\W+-?\d+\.\d{7}", text)
    row = next(csv.DictReader(io.StringIO(files[1])))
    for name in (name for name in row if name.endswith("_usd") or name.startswith("usd_")):
        assert not row[name] or len(row[name].partition(".")[2]) == 6, name


def test_the_announcement_has_money_with_six_decimals() -> None:
    there = world()
    written = write_report(
        there.store, MemoryReports(), there.clock, there.announcer, WEEK, prices=BOOK
    )
    told = json.loads(written.model_dump_json())
    assert len(told["cost_usd"].partition(".")[2]) == 6
    assert len(told["lines"][0]["cost_usd"].partition(".")[2]) == 6


def test_everything_begins_with_the_oldest_endpoint() -> None:
    here = world()
    period = period_since_first(here.store, here.clock)
    assert (period.start, period.end) == (MONDAY - timedelta(days=20), LATER)


def test_everything_has_what_removed_endpoints_cost_too() -> None:
    here = world()
    long_ago = [segment(MONDAY - timedelta(days=n), 60, endpoint="gone") for n in (700, 350)]
    here.store.segments += long_ago
    period = period_since_first(here.store, here.clock)
    assert period.start == MONDAY - timedelta(days=700)
    blobs = MemoryReports()
    written = write_report(here.store, blobs, here.clock, here.announcer, period, prices=BOOK)
    (line,) = [one for one in written.lines if one.endpoint == "gone"]
    assert line.cost_usd == 2 * PRICES["ml.g6e.xlarge"]


def test_an_empty_fleet_has_a_report_too() -> None:
    here, blobs = memory_world(), MemoryReports()
    period = period_since_first(here.store, here.clock)
    written = write_report(here.store, blobs, here.clock, here.announcer, period, prices=BOOK)
    assert written.cost_usd == 0 and written.lines == ()


def test_a_long_name_without_a_break_pushes_no_figure_off_the_page() -> None:
    """The first column breaks anywhere, so that the table is never wider than its page."""
    page = render_html(summarize(fleet_books(), WEEK, LATER, BOOK))
    assert re.search(r"td:first-child\{[^}]*overflow-wrap:anywhere", page)
