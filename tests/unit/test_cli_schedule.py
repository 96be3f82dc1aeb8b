"""`autoscaler schedule show`: every transition, its marks, hours and cost."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from autoscaler.catalog.prices import bundled
from autoscaler.policy import bounds_at
from autoscaler.spec import EndpointSpec, parse_spec
from tests.cli_stub import ENDPOINT, Stub
from tests.properties.policy_strategies import ZONES
from tests.unit.policy_cases import PEAK, WEEKDAYS, a_spec
from tools.cli.app import app
from tools.cli.schedule_page import days_text
from tools.cli.schedule_starts import starts_of
from tools.cli.schedule_year import Rate, lay_out, rate_of

BERLIN = {"calendar": "DE", "subdivision": "BE"}
WHOLE = {"start": "00:00", "end": "24:00", "min_copies": 0}
CLOSED = {"name": "closed", "holidays": "also", "dates": ["12-24..01-01"], **WHOLE}
NIGHT = {"name": "night", "days": ["sat"], "start": "22:00", "end": "06:00", "min_copies": 2}
WINDOWS = [CLOSED, PEAK, NIGHT]


@pytest.fixture(autouse=True)
def _no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


def a_file(folder: Path, zone: str | None = "Europe/Berlin", **changes: Any) -> Path:
    schedule = {"time_zone": zone, "holidays": BERLIN, "windows": WINDOWS, **changes}
    document = {
        "name": "llama",
        "model": {"id": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"},
        "instances": {"types": ["ml.g6e.xlarge"]},
        "scaling": {"max_copies": 4, "keep_alive": "10m"},
        "schedule": schedule,
    }
    path = folder / "llama.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


OFF = {"name": "off", "days": WEEKDAYS, "start": "22:00", "end": "06:00", "max_copies": 0}


def show(*args: str) -> Result:
    return CliRunner().invoke(app, ["schedule", "show", *args])


MODEL = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"


def shown(*args: str) -> dict[str, Any]:
    done = show(*args, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_in_any_zone_is_whole_and_agrees_with_the_policy(tmp_path: Path, zone: str) -> None:
    path = a_file(tmp_path, zone)
    found = shown(str(path), "--from", "2026-01-01")
    spec = parse_spec(yaml.safe_load(path.read_text()))
    transitions = found["transitions"]
    assert transitions[0]["local"].startswith("2026-01-01T00:00:00")
    assert transitions[-1]["until"] == found["to"]
    for one, following in pairwise(transitions):
        assert one["until"] == following["at"]
        start, end = (datetime.fromisoformat(one[key]) for key in ("at", "until"))
        for moment in (start, start + (end - start) / 2, end - timedelta(seconds=1)):
            bounds = bounds_at(spec, moment)
            assert (bounds.name, bounds.min_copies) == (one["window"], one["min_copies"])
    assert len(found["clock_changes"]) == (0 if zone in ("Asia/Kolkata", ZONES[4]) else 2)
    hours = found["total"]["hours"]
    assert sum(hours.values()) == pytest.approx(365 * 24)
    by_month = [sum(month["hours"].values()) for month in found["months"]]
    assert sum(by_month) == pytest.approx(365 * 24)


def test_hours_and_cost_are_those_of_the_windows(tmp_path: Path) -> None:
    found = shown(str(a_file(tmp_path)), "--from", "2026-05-01", "--days", "31")
    (may,) = found["months"]
    # 21 weekdays, of which three are holidays, and five Saturday nights.
    assert may["hours"] == {"closed": 72, "peak": 180, "night": 40, "outside": 452}
    price = bundled().usd_per_hour("ml.g6e.xlarge")
    assert price is not None
    assert may["kept_copy_hours"] == 180 + 2 * 40
    assert float(may["usd"]) == pytest.approx(float(price) * (180 + 2 * 40), abs=0.01)


def test_the_starts_that_a_schedule_orders_are_said_with_their_cost() -> None:
    """45 minutes of the eight machines' price, each weekday: a fifth of what the hours cost."""
    path = Path(__file__).parents[2] / "endpoints" / "deepseek-r1.yaml"
    found = shown(str(path), "--from", "2027-01-01", "--days", "31")
    starts, spec = found["starts"], parse_spec(yaml.safe_load(path.read_text()))
    kept = [one["min_copies"] for one in found["transitions"]]
    assert starts["instances"] == sum(after > before for before, after in pairwise(kept)) > 3
    assert starts["seconds_each"] == pytest.approx(45.5 * 60, abs=60)
    price = bundled().usd_per_hour(spec.instances.types[0])
    assert price is not None
    paid = float(price) * starts["instances"] * starts["seconds_each"] / 3600
    assert float(starts["usd"]) == pytest.approx(paid, abs=0.1)
    page = " ".join(show(str(path), "--from", "2027-01-01", "--days", "31").stdout.split())
    assert f"{starts['instances']} starts by the schedule, 46m each: about $" in page


def test_a_schedule_that_keeps_nothing_orders_no_start(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    plain = {"name": "plain", "model": {"id": MODEL}, "instances": {"types": ["ml.g6e.xlarge"]}}
    path.write_text(yaml.safe_dump(plain))
    assert shown(str(path), "--days", "20")["starts"]["instances"] == 0
    assert "by the schedule" not in " ".join(show(str(path), "--days", "20").stdout.split())


def test_a_price_that_is_not_known_is_said_to_be_unknown() -> None:
    laid = lay_out(
        a_spec(windows=[PEAK]),
        datetime.fromisoformat("2026-05-01T00:00+00:00"),
        10,
        Rate("ml.new.xlarge", None, 1, "not in the catalogue"),
    )
    assert laid.rate.usd(laid.total().by_copies) is None
    assert starts_of(laid).usd is None


def test_copies_that_lie_together_are_paid_once() -> None:
    spec = parse_spec(
        {
            "name": "small",
            "model": {"id": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"},
            "instances": {"types": ["ml.g6e.12xlarge"]},
        }
    )
    rate = rate_of(spec, bundled())
    assert rate.copies_per_instance == 4
    one, five = rate.usd({1: 10.0}), rate.usd({5: 10.0})
    assert one is not None
    assert (rate.usd({4: 10.0}), five) == (one, 2 * one)


def test_the_page_marks_clock_changes_gaps_overlaps_and_holidays(tmp_path: Path) -> None:
    done = show(str(a_file(tmp_path)), "--from", "2026-03-27", "--days", "12")
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for expected in (
        "llama, 12 days from 2026-03-27 00:00 +01:00",
        "1 closed 12-24..01-01 and holidays 00:00 24:00 0-4 10m",
        "3 night sat 22:00 06:00 2-4 10m",
        "Fri 27 18:00 +01:00 17:00 outside 0-4 10m gap of 1d4h",
        "Sun 29 03:00 +02:00 01:00 clocks forward 1h, 02:00 to 03:00",
        "Sun 29 06:00 +02:00 04:00 outside 0-4 10m gap of 1d2h",
        "Fri 03 00:00 +02:00 Thu 22:00 closed 0-4 10m hides peak; Good Friday",
    ):
        assert expected in lines, expected
    assert any(line.startswith("in total 48 60 ") for line in lines)


FRIDAY = {"name": "friday", "days": ["fri"], "start": "18:00", "end": "06:00", "min_copies": 1}


@pytest.mark.parametrize(
    ("first", "days", "gaps"),
    [
        ("2027-01-29", "4", ["at least 18h", "at least 2d18h"]),  # cut at both ends
        ("2027-01-30", "12", ["6d12h", "at least 4d18h"]),
    ],
)
def test_a_gap_that_the_list_cuts_is_called_longer(
    tmp_path: Path, first: str, days: str, gaps: list[str]
) -> None:
    done = show(str(a_file(tmp_path, windows=[FRIDAY])), "--from", first, "--days", days)
    assert done.exit_code == 0, done.output
    lines = (" ".join(line.split()) for line in done.stdout.splitlines())
    assert [line.partition("gap of ")[2] for line in lines if "gap of " in line] == gaps


def test_a_gap_that_ends_with_the_list_is_whole(tmp_path: Path) -> None:
    monday = {"name": "monday", "days": ["mon"], **WHOLE}
    done = show(str(a_file(tmp_path, windows=[monday])), "--from", "2027-02-02", "--days", "6")
    assert "gap of 6d" in " ".join(done.stdout.split())


@pytest.mark.parametrize("width", ["80", "120"])
def test_on_a_terminal_no_line_is_longer_than_it(
    tmp_path: Path, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

    from tools.cli import output

    path = a_file(tmp_path)
    console = Console(width=int(width), force_terminal=True, no_color=True, highlight=False)
    monkeypatch.setattr(output, "console", console)
    with console.capture() as captured:
        assert show(str(path), "--from", "2026-03-20").exit_code == 0
    lines = captured.get().splitlines()
    assert len(lines) > 500
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines) <= int(width)
    transitions = [line for line in lines if "peak    " in line and "1-4" in line]
    assert len(transitions) > 200, "a transition is a line"


def test_a_file_whose_window_never_wins_is_refused(tmp_path: Path) -> None:
    path = a_file(tmp_path, windows=[PEAK, {**PEAK, "name": "lunch", "start": "12:00"}])
    done = show(str(path))
    assert done.exit_code == 2
    assert f"{path}: schedule.windows.lunch: never wins: 'peak'" in done.stderr.replace("\n", " ")


def test_a_day_that_is_none_is_refused(tmp_path: Path) -> None:
    done = show(str(a_file(tmp_path)), "--from", "tomorrow")
    assert done.exit_code == 2
    assert done.stderr.strip() == "--from: 'tomorrow' is not a date: write 2027-01-01"


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "3000-01-01", "9999-12-31"])
def test_a_day_too_far_away_to_count_from_is_refused(tmp_path: Path, day: str) -> None:
    done = show(str(a_file(tmp_path)), "--from", day)
    assert done.exit_code == 2
    said = f"--from: '{day}' is too far away: years are 2000 to 2999"
    assert " ".join(done.stderr.split()) == said


def test_without_a_stack_a_file_without_a_zone_is_read_in_utc(
    bare: Stub,
    tmp_path: Path,
) -> None:
    found = shown(str(a_file(tmp_path, zone=None)), "--days", "3")
    assert found["time_zone"] == "UTC"
    assert found["notes"] == [
        "schedule.time_zone: the file names none, and no stack was asked: UTC"
    ]


def told_by_the_stack(spec: EndpointSpec, **changes: Any) -> dict[str, Any]:
    prices = {"region": "eu-west-1", "read_at": None, "usd_per_hour": {}}
    one = {**ENDPOINT, "spec": spec.model_dump(mode="json"), "overrides": [], **changes}
    return {"ok": True, "result": {"endpoints": [one], "prices": prices}}


def test_an_endpoint_is_shown_with_what_a_person_asked_for(stack: Stub) -> None:
    warm = {
        "kind": "keep_warm", "since": "2026-11-24T12:00:00Z", "until": "2026-11-24T18:00:00Z",
        "reason": "a demo", "author": "ada", "even_for_requests": False,
    }  # fmt: skip
    spec = a_spec(windows=[PEAK], zone="Europe/Berlin")
    stack.answer = told_by_the_stack(spec, overrides=[warm])
    found = shown("llama", "--days", "20")
    assert stack.sent[0]["command"] == "get"
    assert found["overrides"] == ["kept warm by ada until 2026-11-24 18:00:00 UTC: a demo"]
    assert "kept warm by ada" in show("llama", "--days", "3").stdout
    assert found["price"]["source"].startswith("us-east-1 price, eu-west-1's own not known")


def test_an_endpoint_whose_dates_have_passed_is_still_shown(stack: Stub) -> None:
    past = {"name": "past", "dates": ["2020-01-01"], **WHOLE}
    stack.answer = told_by_the_stack(a_spec(windows=[past]))
    found = shown("llama", "--days", "3")
    assert "all of its dates are over, the last on 2020-01-01" in " ".join(found["warnings"])


def test_a_stack_that_is_older_says_so(stack: Stub) -> None:
    stack.answer = {"ok": True, "result": {"endpoints": [ENDPOINT]}}
    done = show("llama")
    assert done.exit_code == 1
    assert "older than this command line" in done.stderr


@pytest.mark.parametrize(
    ("named", "text"),
    [
        ({"days": WEEKDAYS}, "mon-fri"),
        ({"days": ["mon", "tue", "fri", "sat", "sun"]}, "mon, tue, fri-sun"),
        ({"days": ["first mon", "wed"]}, "wed, first mon"),
        ({"holidays": "only"}, "holidays"),
        ({"days": ["mon"], "holidays": "except"}, "mon but for holidays"),
        ({"dates": ["12-24"], "holidays": "only"}, "12-24 only if a holiday"),
    ],
)
def test_days_in_words(named: dict[str, Any], text: str) -> None:
    window = {"name": "w", **WHOLE, **named}
    spec = a_spec(windows=[window], calendar=BERLIN)
    assert days_text(spec.schedule.windows[0]) == text


def test_a_closed_window_is_shown_as_closed_and_costs_nothing(tmp_path: Path) -> None:
    scaling = {"min_copies": 1, "max_copies": 2}
    closed, plain = (tmp_path / name for name in ("closed", "plain"))
    for folder, windows in (closed, [OFF]), (plain, []):
        folder.mkdir()
        path = a_file(folder, "UTC", windows=windows, holidays=None)
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "scaling": scaling}))
    dates = ("--from", "2026-05-11", "--days", "7")  # a Monday
    found = shown(str(closed / "llama.yaml"), *dates)
    kinds = {(one["window"], one["max_copies"]) for one in found["transitions"]}
    assert kinds == {("off", 0), (None, 2)}
    hours = found["total"]["hours"]["off"]
    assert hours == 4 * 8 + 8, "five nights"
    assert found["total"]["kept_copy_hours"] == 7 * 24 - hours
    rows = show(str(closed / "llama.yaml"), *dates).stdout.splitlines()
    assert re.search(r"Mon 11  22:00 .* off +closed", "\n".join(rows))
    assert shown(str(plain / "llama.yaml"), *dates)["total"]["kept_copy_hours"] == 7 * 24
