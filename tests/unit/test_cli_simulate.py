"""`autoscaler simulate`: a history replayed on this machine."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autoscaler.replay.assumed import Assumed, assumed_world
from autoscaler.spec import parse_spec
from tests.samples import document
from tests.simulated import HEADER, a_night
from tools.cli import output, simulation
from tools.cli.app import app


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output.console, "_width", 200)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "llama.yaml"
    path.write_text(json.dumps(document("llama", scaling={"max_copies": 2})))
    return path


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return a_night(tmp_path)


def _simulate(*words: object) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, words)])


def test_json_tells_every_policy_against_the_clairvoyants(spec: Path, trace: Path) -> None:
    result = _simulate("--trace", trace, "--spec", spec, "--policy", "keda", "--json")
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.output)
    assert (one["trace"], one["requests"], one["fleet"]) == ("night", 120, 2)
    ours, keda = one["policies"]
    assert (ours["policy"], keda["policy"]) == ("ours", "keda")
    for row in ours, keda:
        assert row["total_usd"] == pytest.approx(row["usd"] + row["waiting_usd"], abs=2e-4)
        assert row["total_usd"] >= one["lowest_total_usd"]
        assert (row["answered"], row["lost"]) == (120, 0)


def test_a_table_names_what_a_user_could_have_instead(spec: Path, trace: Path) -> None:
    shown = _simulate("--trace", trace, "--spec", spec).output
    for name in ("ours", "always-on", "native", "keda", "keda-cron", "knative", "office-hours"):
        assert f"\n{name} " in shown
    assert "In hindsight: $" in shown
    assert "a minute of waiting beyond 10 s is worth $0.01" in shown


def test_it_says_whose_prices_it_reckons_with(spec: Path, trace: Path) -> None:
    def told(*region: str) -> tuple[str, str]:
        words = [*region, "simulate", "--trace", str(trace), "--spec", str(spec)]
        words += ["--policy", "keda"]
        shown = CliRunner().invoke(app, words).output
        return shown, json.loads(CliRunner().invoke(app, [*words, "--json"]).output)[0]["prices"]

    shown, here = told("--region", "us-east-1")
    assert here.startswith("Prices are the bundled table's (us-east-1 on demand, as of 2026-")
    assert here in shown
    _, there = told("--region", "eu-west-1")
    assert there.startswith("Prices are the us-east-1 price as of 2026-")
    assert there.endswith("eu-west-1's own is not known.")


def test_pages_and_more_traces_behind_one_option(spec: Path, trace: Path, tmp_path: Path) -> None:
    other, page = tmp_path / "other.csv", tmp_path / "page.html"
    other.write_text(HEADER + "0,1,1\n")
    result = _simulate(
        "--spec", spec, "--html", page, "--trace", trace, other, "keep-alive-5", "--json"
    )
    assert [one["trace"] for one in json.loads(result.output)] == ["night", "other"]
    text = page.read_text()
    assert text.count("<svg") == 2 * (1 + 2)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_what_the_world_is_taken_for_changes_the_bill(spec: Path, trace: Path) -> None:
    def ours(*words: object) -> float:
        shown = _simulate("--trace", trace, "--spec", spec, "--policy", "keda", "--json", *words)
        return json.loads(shown.output)[0]["policies"][0]["usd"]

    assert ours("--price", 20) > 5 * ours("--price", 2)
    assert ours("--billed", 0) < ours()


def test_a_fleet_that_never_scales_costs_all_of_itself_where_four_copies_fit(
    tmp_path: Path,
) -> None:
    spec, trace = tmp_path / "llama.yaml", tmp_path / "even.csv"
    types = {"types": ["ml.g6e.12xlarge"]}
    spec.write_text(json.dumps(document("llama", instances=types, scaling={"max_copies": 1})))
    trace.write_text(HEADER + "".join(f"{100 * n},300,2000\n" for n in range(200)))
    words = ("--trace", trace, "--spec", spec, "--policy", "always-on")
    (one,) = json.loads(_simulate(*words, "--json").output)
    row = next(row for row in one["policies"] if row["policy"] == "always-on")
    assert row["usd"] == pytest.approx(one["zero_wait_usd"], rel=0.01), "nobody can have a quarter"
    shown = _simulate(*words).output
    (line,) = (line for line in shown.splitlines() if line.startswith("always-on "))
    assert line.split()[4] == "100%", line


def test_of_copies_that_cost_nothing_there_is_no_share(spec: Path, trace: Path) -> None:
    words = ("--trace", trace, "--spec", spec, "--policy", "keda", "--price", 0)
    shown = _simulate(*words)
    assert shown.exit_code == 0, shown.output
    row = next(line for line in shown.output.splitlines() if line.startswith("ours "))
    assert "–" in row.split()
    (one,) = json.loads(_simulate(*words, "--json").output)
    assert {policy["against_zero_wait"] for policy in one["policies"]} == {None}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", "its first line must be arrival_s,input_tokens,output_tokens"),
        (HEADER, "no request in it"),
        (HEADER + "1,2,3\n0,2,3\n", "line 3: ['0', '2', '3']: arrivals must not go back"),
        (HEADER + "1,two,3\n", "line 2: ['1', 'two', '3'] are not three numbers"),
        (HEADER + "1,inf,3\n", "line 2: ['1', 'inf', '3']: arrivals must not go back, and nothing"),
        (HEADER + "1,2,inf\n", "line 2: ['1', '2', 'inf']: arrivals must not go back, and nothing"),
        (HEADER + "1,nan,3\n", "line 2: ['1', 'nan', '3']: arrivals must not go back, and nothing"),
        (HEADER + "1e15,2,3\n", "line 2: ['1e15', '2', '3']: arrivals are seconds since the trace"),
        (HEADER + "1,2,1e308\n", "line 2: ['1', '2', '1e308']: arrivals are seconds since"),
    ],
)
def test_a_trace_that_is_none_is_refused_by_line(
    spec: Path, trace: Path, content: str, words: str
) -> None:
    trace.write_text(content)
    result = _simulate("--trace", trace, "--spec", spec)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--policy", "magic"], "--policy: 'magic' is no policy: there are ours, always-on"),
        (["--start", "tomorrow"], "--start: 'tomorrow' is no moment"),
        (["--html", "/nowhere/page.html"], "--html: /nowhere/page.html: cannot be written"),
        (["--html", "/"], "--html: / is a folder: name a file in it"),
        (["--start", "9999-12-31T23:59"], "--start: '9999-12-31T23:59' is too far away: years"),
        (["--start", "0001-01-01"], "--start: '0001-01-01' is too far away: years are 2000 to"),
        (["--token-seconds", "inf"], "--token-seconds"),
        (["--token-seconds", "nan"], "--token-seconds"),
        (["--token-seconds", "1e300"], "--token-seconds"),
        (["--price", "inf"], "--price"),
        (["--price", "nan"], "--price"),
        (["--lead", "inf"], "--lead"),
        (["--billed", "nan"], "--billed"),
    ],
)
def test_a_wrong_option_is_named(spec: Path, trace: Path, more: list[str], words: str) -> None:
    result = _simulate("--trace", trace, "--spec", spec, *more)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_where_a_page_cannot_be_is_told_before_anything_is_replayed(
    spec: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "simulate_here", lambda *_, **__: pytest.fail("replayed"))
    result = _simulate("--trace", trace, "--spec", spec, "--html", "/nowhere/page.html")
    assert (result.exit_code, "there is no folder /nowhere" in result.output) == (2, True)


@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip"])
def test_a_damaged_archive_is_a_sentence(spec: Path, tmp_path: Path, damage: str) -> None:
    whole = gzip.compress((HEADER + "1,2,3\n" * 50).encode())
    packed = tmp_path / "night.csv.gz"
    packed.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "flipped": whole[:10] + b"\xff" + whole[11:],
            "no gzip": b"1,2,3",
        }[damage]
    )
    result = _simulate("--trace", packed, "--spec", spec)
    assert result.exit_code == 2
    assert "night.csv.gz: cannot be read as a trace: " in " ".join(result.output.split())


def test_a_file_that_is_not_there_and_none_at_all(spec: Path, trace: Path) -> None:
    missing = _simulate("--trace", trace, "nothing.csv", "--spec", spec)
    assert (missing.exit_code, "nothing.csv: cannot be read" in missing.output) == (2, True)
    none = _simulate("--spec", spec)
    assert "--trace: name one file at least" in none.output


@pytest.mark.parametrize(
    ("model", "types", "seconds"),
    [
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "ml.g6e.xlarge", 245),  # as it was measured
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "ml.p4d.24xlarge", 643),
        ("deepseek-ai/DeepSeek-R1", "ml.p5en.48xlarge", 2733),
        ("somebody/unknown-8B", "ml.g6e.xlarge", 245),
    ],
)
def test_a_start_takes_as_long_as_the_weights_of_the_model(
    model: str, types: str, seconds: float
) -> None:
    wanted = parse_spec(document(model={"id": model}, instances={"types": [types]}))
    assert assumed_world(wanted, Assumed()).lead_seconds == pytest.approx(seconds, abs=3)
    assert assumed_world(wanted, Assumed(lead_seconds=300)).lead_seconds == pytest.approx(300)
