"""The changes of specs that would have saved most, on a history that moto's CloudWatch keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import escape
from math import inf
from typing import Any

import boto3
import pytest
from moto import mock_aws

from autoscaler.aws.asked import recorded_by
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.ledger.advice import DAYS, NOTHING, SHOWN, Trial, advised, replayed
from autoscaler.ledger.advised import kept_advice
from autoscaler.ledger.announcement import announcement
from autoscaler.ledger.costs import Books, summarize
from autoscaler.ledger.figures import CostReport
from autoscaler.ledger.html import render_html
from autoscaler.ledger.notes import ADVICE
from autoscaler.ledger.periods import Period
from autoscaler.replay.assumed import Assumed
from autoscaler.replay.changes import changes
from autoscaler.replay.history import Recorded
from autoscaler.replay.results import Outcome
from autoscaler.runtime import replays as runtime
from autoscaler.runtime.replays import RESERVE_SECONDS, one_by_one
from autoscaler.spec import EndpointSpec, parse_spec
from tests.asked import asked
from tests.ledger_books import BOOK, PRICES, fleet_books
from tests.samples import asleep, spec
from tools.cli.advice import on_all_cores

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
PEAK = {"name": "peak", "days": ["tue"], "start": "08:00", "end": "18:00", "min_copies": 1}
KEPT_WARM = {"min_copies": 1, "max_copies": 1}


# --- what could be changed


def test_every_field_that_could_save_is_changed_and_nothing_else() -> None:
    wanted = spec(
        scaling={"keep_alive": "10m", "max_copies": 3, "min_copies": 2},
        schedule={"windows": [{**PEAK, "max_copies": 2}]},
    )
    found = {(change.field, change.after) for change in changes(wanted)}
    assert found == {
        ("scaling.keep_alive", "learned"),
        ("scaling.keep_alive", "5m"),
        ("scaling.keep_alive", "20m"),
        ("scaling.min_copies", "1"),
        ("scaling.min_copies", "0"),
        ("scaling.max_copies", "2"),
        ("schedule.windows[peak].min_copies", "0"),
        ("schedule.windows[peak].max_copies", "1"),
    }
    assert all(isinstance(change.spec, EndpointSpec) for change in changes(wanted))


def test_what_would_be_no_spec_is_not_proposed() -> None:
    wanted = spec(scaling={"max_copies": 2}, schedule={"windows": [{**PEAK, "min_copies": 2}]})
    assert "scaling.max_copies" not in {change.field for change in changes(wanted)}


# --- what is advised


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("cloudwatch", region_name="us-east-1")


def a_report(*wanted: EndpointSpec) -> CostReport:
    records = [
        EndpointRecord(spec=one, status=asleep(one.name, created_at=NOW - timedelta(days=9)))
        for one in wanted
    ]
    period = Period.week(NOW.date())
    return summarize(Books(records, []), period, NOW, BOOK)


def kept_warm(name: str = "llama") -> EndpointSpec:
    return spec(name=name, scaling=KEPT_WARM)


read: list[str] = []  # the endpoints whose history was read, by the last `advice_for`


def advice_for(
    report: CostReport,
    cloudwatch: Any,
    replays: Callable[[Sequence[Trial]], Sequence[Outcome]] = on_all_cores,
    most_requests: float = inf,
) -> tuple[CostReport, dict[str, str]]:
    reader = recorded_by(cloudwatch, "stack", NOW, DAYS)

    def recorded_of(spec: EndpointSpec) -> Recorded:
        read.append(spec.name)
        return reader(spec)

    read.clear()
    return advised(report, recorded_of, Assumed(), NOW, replays, most_requests=most_requests)


def a_day(cloudwatch: Any, *names: str) -> None:
    """Requests now and then in 24 hours, and long pauses between them."""
    for name in names:
        for hours in (8, 16, 24):
            asked(cloudwatch, name, NOW - timedelta(hours=hours), 6)


def test_an_endpoint_that_is_kept_for_nobody_is_advised_not_to(cloudwatch: Any) -> None:
    a_day(cloudwatch, "llama")
    found, missing = advice_for(a_report(kept_warm()), cloudwatch)
    assert missing == {}
    (best, *others) = found.advice
    assert best.change == "scaling.min_copies: 1 → 0" and not others
    assert best.saved_usd > 50, "most of a day of an ml.g6e.xlarge"
    assert escape(best.sentence).replace(" %", "&nbsp;%") in render_html(found)
    assert announcement(found, "s3://r/costs.html").advice == (best.sentence,)
    assert json.loads(found.model_dump_json())["advice"][0]["endpoint"] == "llama"
    assert not any(note.startswith(ADVICE) for note in found.notes), "it has been done"


def test_a_copy_less_on_an_instance_that_stays_saves_nothing(cloudwatch: Any) -> None:
    """Four copies fit on one: of two that are kept, the second is for nothing."""
    a_day(cloudwatch, "llama")
    twice = spec(
        name="llama",
        instances={"types": ["ml.g6e.12xlarge"]},
        scaling={**KEPT_WARM, "min_copies": 2, "max_copies": 2},
    )
    found, _ = advice_for(a_report(twice), cloudwatch)
    assert [one.change for one in found.advice] == ["scaling.min_copies: 2 → 0"]
    (best,) = found.advice
    day = 24 * float(PRICES["ml.g6e.12xlarge"])  # of one instance; all history is some 16 hours
    assert day / 3 < float(best.saved_usd) < day, best.sentence


def test_of_many_the_three_that_save_most_are_told(cloudwatch: Any) -> None:
    names = ["a", "b", "c", "d"]
    a_day(cloudwatch, *names)
    asked(cloudwatch, "c", NOW - timedelta(days=2), 2)  # a longer history: more to save
    found, missing = advice_for(a_report(*map(kept_warm, names)), cloudwatch)
    assert missing == {} and len(found.advice) == SHOWN
    assert found.advice[0].endpoint == "c"
    saved = [one.saved_usd - one.waiting_usd for one in found.advice]
    assert saved == sorted(saved, reverse=True)


def test_without_requests_there_is_no_advice_and_it_is_said(cloudwatch: Any) -> None:
    found, missing = advice_for(a_report(spec()), cloudwatch)
    assert found.advice == () and missing == {"llama": "no requests in it"}
    assert "No advice for llama: no requests in it." in found.notes
    assert NOTHING not in found.notes, "nobody looked"


def test_a_reason_is_said_once_for_all_that_it_holds_back(cloudwatch: Any) -> None:
    names = [f"e{number}" for number in range(7)]
    found, missing = advice_for(a_report(*(spec(name=name) for name in names)), cloudwatch)
    assert list(missing) == names
    said = [note for note in found.notes if note.startswith("No advice")]
    assert said == ["No advice for e0, e1, e2, e3, e4 and 2 more: no requests in it."]


def test_nothing_worth_its_waiting_is_said_too(cloudwatch: Any) -> None:
    a_day(cloudwatch, "llama")
    found, missing = advice_for(a_report(spec(scaling={"max_copies": 1})), cloudwatch)
    assert (found.advice, missing) == ((), {}) and NOTHING in found.notes


def test_a_report_has_the_files_that_advice_needs() -> None:
    found = summarize(fleet_books(), Period.week(NOW.date()), NOW, BOOK)
    again = CostReport.model_validate_json(found.model_dump_json())
    assert [parse_spec(e.spec).name for e in again.endpoints if e.spec] == [
        e.name for e in found.endpoints
    ]
    assert again.total.cost.total == pytest.approx(found.total.cost.total, abs=Decimal("1e-5"))


# --- in a function, whose time ends


def test_one_after_the_other_finds_what_all_cores_find(cloudwatch: Any) -> None:
    a_day(cloudwatch, "llama")
    report = a_report(kept_warm())
    here, _ = advice_for(report, cloudwatch, one_by_one(lambda: 900_000))
    assert here.advice and here.advice == advice_for(report, cloudwatch)[0].advice


def test_no_replay_is_begun_that_might_not_end_in_time(cloudwatch: Any) -> None:
    names = ["a", "b", "c"]
    a_day(cloudwatch, *names)
    report, runs = a_report(*map(kept_warm, names)), 0

    def left() -> int:
        """Enough for the first endpoint's runs, by the slowest of which the next is judged."""
        nonlocal runs
        runs += 1
        of_one = 1 + len(list(changes(kept_warm())))
        return 900_000 if runs <= of_one else int(RESERVE_SECONDS * 1000)

    found, missing = advice_for(report, cloudwatch, one_by_one(left))
    assert [one.endpoint for one in found.advice] == ["a"]
    why = "there was no time left for it here; `autoscaler report --advice` has it"
    assert missing == {"b": why, "c": why} and read == ["a", "b"], "nothing is read for nothing"
    assert f"No advice for b, c: {why}." in found.notes


def test_a_slow_replay_makes_the_next_ones_need_more_time(
    monkeypatch: pytest.MonkeyPatch, cloudwatch: Any
) -> None:
    a_day(cloudwatch, "a")
    ticks = iter(range(0, 10_000, 200))  # each replay takes 200 s
    monkeypatch.setattr(runtime.time, "monotonic", lambda: float(next(ticks)))
    # 399 s beyond what writing takes are not enough for one that may take twice as long as those.
    left = iter([860_000, 660_000, 459_000, -1])
    found, missing = advice_for(
        a_report(kept_warm("a")), cloudwatch, one_by_one(lambda: next(left))
    )
    assert found.advice == () and "no time left" in missing["a"]
    assert next(left) == -1, "asked three times, run twice"


def test_too_many_requests_are_not_replayed_in_a_function_and_others_are(cloudwatch: Any) -> None:
    a_day(cloudwatch, "a", "b")
    asked(cloudwatch, "a", NOW - timedelta(hours=5), 1)
    report = a_report(*map(kept_warm, "ab"))
    found, missing = advice_for(report, cloudwatch, one_by_one(lambda: 900_000), 18)
    assert [one.endpoint for one in found.advice] == ["b"]
    said = "more than 18 requests are not replayed here; `autoscaler report --advice` has it"
    assert missing == {"a": said}


# --- in a report that is written again


def test_what_was_found_stays_when_a_report_is_written_again(cloudwatch: Any) -> None:
    a_day(cloudwatch, "llama")
    fresh = a_report(kept_warm())
    found, _ = advice_for(fresh, cloudwatch)
    again = kept_advice(fresh, found.model_dump_json().encode())
    assert again.advice == found.advice
    assert not any(note.startswith(ADVICE) for note in again.notes)


@pytest.mark.parametrize("before", [None, b"", b"{}", b"[1]", b'{"advice": 3}', b'{"advice": []}'])
def test_of_a_file_without_advice_nothing_stays(before: bytes | None) -> None:
    fresh = a_report(kept_warm())
    assert kept_advice(fresh, before) == fresh
    assert any(note.startswith(ADVICE) for note in fresh.notes), "how one gets it"


def test_a_replay_begins_from_zero_copies(cloudwatch: Any) -> None:
    a_day(cloudwatch, "llama")
    trials: list[Trial] = []

    def noting(given: Sequence[Trial]) -> list[Outcome]:
        trials.extend(given)
        return [replayed(one) for one in given]

    advice_for(a_report(kept_warm()), cloudwatch, noting)
    assert {trial.world.initial_copies for trial in trials} == {0}
    assert trials[0].spec == kept_warm(), "first as it is"
