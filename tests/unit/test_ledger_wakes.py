"""Causes and lead times of a report are of all its wakes, by the controller's own steps."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from autoscaler.control.apply import apply
from autoscaler.control.awake import record_awake
from autoscaler.control.plan import Setting
from autoscaler.control.progress import record_asleep, record_failed, record_retired
from autoscaler.control.updating import record_updated
from autoscaler.control.wishes import request_retirement, request_sleep, request_wake
from autoscaler.endpoints.status import Cause, EndpointRecord, HistoryEntry, Shape
from autoscaler.ledger.figures import Wakes
from autoscaler.ledger.periods import Period
from autoscaler.ledger.report import write_report
from autoscaler.ledger.sections import NONE, askers
from autoscaler.ledger.wakes import wakes_of
from autoscaler.policy.types import Phase
from autoscaler.ports import Capacity
from tests.ledger_books import BOOK, MONDAY
from tests.memory import MemoryWorld, memory_world
from tests.samples import asleep, document, put
from tests.unit.test_ledger_report import MemoryReports, Page

NAME = "llama"
WEEK = Period.week(MONDAY.date())
SETTING = Setting("autoscaler", "UTC", "us-east-1", lambda _model, _revision: "c" * 40)
PAUSE = timedelta(minutes=30)


@pytest.fixture
def world() -> MemoryWorld:
    world = memory_world()
    world.clock.moment = MONDAY + timedelta(minutes=5)
    put(world, asleep(NAME, at=MONDAY))
    world.scaler.settle(NAME, 0)
    return world


def here(world: MemoryWorld) -> EndpointRecord:
    return world.store.records[NAME]


def wake(world: MemoryWorld, cause: Cause, seconds: float, who: str | None = None) -> None:
    """From zero to an answer after so many seconds, and back to zero."""
    waking = request_wake(world, here(world), cause, 1, f"{cause} wakes it.", who).status
    world.clock.forward(seconds=seconds)
    world.scaler.settle(NAME, 1)
    assert record_awake(world, NAME, waking.generation)
    world.clock.forward(minutes=10)
    sleeping = request_sleep(world, here(world), Cause.IDLE, "Idle.").status
    world.scaler.settle(NAME, 0)
    assert record_asleep(world, NAME, sleeping.generation)
    world.clock.moment += PAUSE


def fifty_slow_and_twenty_quick(world: MemoryWorld) -> None:
    for _ in range(50):
        wake(world, Cause.MESSAGE, 600)
    for _ in range(20):
        wake(world, Cause.WINDOW, 240)


class Files:
    """A week's report as it is written."""

    def __init__(self, world: MemoryWorld, period: Period = WEEK) -> None:
        world.clock.moment = max(world.clock.moment, WEEK.end + timedelta(hours=6))
        blobs = MemoryReports()
        write_report(world.store, blobs, world.clock, world.announcer, period, prices=BOOK)
        texts = {key.rpartition(".")[2]: body.decode() for key, (body, _) in blobs.files.items()}
        self.document: dict[str, Any] = json.loads(texts["json"])
        self.row = next(csv.DictReader(io.StringIO(texts["csv"])))
        self.page = Page(texts["html"]).text

    @property
    def wakes(self) -> dict[str, Any]:
        """Of the one endpoint; of all it is the same."""
        (line,) = self.document["endpoints"]
        found: dict[str, Any] = line["wakes"]
        assert self.document["total"]["wakes"] == found
        return found


def all_seventy(files: Files) -> None:
    assert files.wakes["count"] == files.wakes["measured"] == len(files.wakes["lead_seconds"]) == 70
    assert files.wakes["causes"] == {"message": 50, "window": 20}
    assert (files.wakes["lead_p50_seconds"], files.wakes["lead_p90_seconds"]) == (600, 600)
    row = files.row
    assert (row["wakes"], row["wakes_measured"]) == ("70", "70")
    assert row["wake_causes"] == "message=50 window=20"
    assert (row["lead_p50_seconds"], row["lead_p90_seconds"]) == ("600.0", "600.0")
    assert "70 wakes, 10 min median lead time" in files.page
    assert "Causes of wakesmessage 50, window 20" in files.page
    assert "Lead time, median10 min" in files.page and "of 70 wakes" not in files.page


def test_causes_and_lead_times_are_of_every_wake_of_the_week(world: MemoryWorld) -> None:
    fifty_slow_and_twenty_quick(world)
    assert len(here(world).status.cold_starts) == 20, "what the policy learns from stays bounded"
    all_seventy(Files(world))


def test_a_file_that_is_changed_within_the_week_takes_nothing_of_them(world: MemoryWorld) -> None:
    fifty_slow_and_twenty_quick(world)
    _, status = apply(world, SETTING, document(NAME, serving={"context_tokens": 4096}))
    shape = Shape(model_build=status.generation)
    assert record_updated(world, NAME, status.generation, shape, 1)
    assert here(world).status.cold_starts == ()
    all_seventy(Files(world))


def test_an_endpoint_that_was_removed_within_the_week_keeps_them(world: MemoryWorld) -> None:
    fifty_slow_and_twenty_quick(world)
    retiring = request_retirement(world, here(world), Cause.PERSON, discard_requests=False).status
    world.scaler.capacities[NAME] = Capacity(exists=False)
    assert record_retired(world, NAME, retiring.generation)
    assert world.store.records == {}
    all_seventy(Files(world))


def test_of_lines_of_the_release_before_it_says_of_how_many_wakes_the_figures_are(
    world: MemoryWorld,
) -> None:
    fifty_slow_and_twenty_quick(world)
    bare = {"cause": None, "lead_seconds": None}
    world.store.entries = [line.model_copy(update=bare) for line in world.store.entries]
    files = Files(world)
    assert (files.wakes["count"], files.wakes["measured"]) == (70, 20)
    assert files.wakes["causes"] == {"window": 20}
    assert (files.row["wakes"], files.row["wakes_measured"]) == ("70", "20")
    assert "70 wakes, 4 min median lead time of 20" in files.page
    assert "Lead time, median4 min (20 of 70 wakes)" in files.page
    assert "Causes of wakeswindow 20, not known 50" in files.page
    notes = " ".join(files.document["notes"])
    assert "Lead times are of 20 of 70 wakes" in notes
    assert "Causes are known of 20 of 70 wakes" in notes


@pytest.mark.parametrize(("after", "by_message"), [(10, 10), (30, 1)])
def test_old_lines_and_new_ones_within_one_week_count_each_wake_once(
    world: MemoryWorld, after: int, by_message: int
) -> None:
    """The stack was updated in the middle of the sixtieth wake: of those before it some are in the
    status only, as long as they are among its last 20."""
    for _ in range(60):
        wake(world, Cause.MESSAGE, 600)
    bare = {"cause": None, "lead_seconds": None}
    last = [line for line in world.store.entries if line.phase is Phase.AWAKE][-1]
    world.store.entries = [
        line if line is last else line.model_copy(update=bare) for line in world.store.entries
    ]
    for _ in range(after):
        wake(world, Cause.WINDOW, 240)
    files = Files(world)
    assert files.wakes["count"] == 60 + after
    assert files.wakes["measured"] == by_message + after
    assert files.wakes["causes"] == {"message": by_message, "window": after}


def test_a_wake_that_failed_has_a_cause_and_no_lead_time(world: MemoryWorld) -> None:
    wake(world, Cause.MESSAGE, 600)
    waking = request_wake(world, here(world), Cause.WINDOW, 1, "A window opens.").status
    world.clock.forward(minutes=20)
    assert record_failed(world, NAME, waking.generation, "NoCapacity", "none to be had")
    assert here(world).status.phase is Phase.SLEEPING, "it went back to zero"
    files = Files(world)
    assert (files.wakes["count"], files.wakes["measured"]) == (2, 1)
    assert files.wakes["causes"] == {"message": 1, "window": 1}
    notes = " ".join(files.document["notes"])
    assert "Lead times are of 1 of 2 wakes: the others failed" in notes
    assert "Causes are known of" not in notes


def test_a_wake_counts_where_it_was_wished_though_it_answers_in_the_next_period(
    world: MemoryWorld,
) -> None:
    world.clock.moment = MONDAY + timedelta(days=1) - timedelta(minutes=5)
    wake(world, Cause.MESSAGE, 600)
    monday = Files(world, Period.day(MONDAY.date())).wakes
    assert (monday["count"], monday["lead_seconds"], monday["causes"]) == (1, [600], {"message": 1})
    tuesday = Files(world, Period.day((MONDAY + timedelta(days=1)).date())).wakes
    assert (tuesday["count"], tuesday["lead_seconds"], tuesday["causes"]) == (0, [], {})


def test_a_creation_is_no_wake(world: MemoryWorld) -> None:
    creating = asleep("other", phase=Phase.CREATING, at=world.clock.now())
    put(world, creating)
    world.scaler.settle("other", 1)
    assert record_awake(world, "other", creating.generation)
    (said,) = world.store.history("other")
    assert (said.phase, said.cause, said.lead_seconds) == (Phase.AWAKE, None, None)
    found = Files(world).document["total"]["wakes"]
    assert (found["count"], found["causes"]) == (0, {})


def line(at: datetime, generation: int, phase: Phase, **said: Any) -> HistoryEntry:
    return HistoryEntry(endpoint=NAME, at=at, generation=generation, phase=phase, text="", **said)


def test_a_wake_whose_wish_has_no_line_any_more_counts_from_its_answer() -> None:
    """History goes line by line."""
    at = MONDAY + timedelta(hours=1)
    answered = line(at, 3, Phase.AWAKE, cause="message", lead_seconds=90.0)
    later = line(at + PAUSE, 3, Phase.AWAKE)
    found = wakes_of(None, [later, answered], MONDAY, WEEK.end)
    assert found == Wakes(count=1, causes={"message": 1}, lead_seconds=(90.0,))
    assert wakes_of(None, [answered], at - timedelta(seconds=89), WEEK.end) == Wakes()


def test_the_report_says_for_whom_wakes_were_where_that_is_known(world: MemoryWorld) -> None:
    for who, times in (("search", 3), ("ana <b>", 2), (None, 1)):
        for _ in range(times):
            wake(world, Cause.MESSAGE, 60, who)
    files = Files(world)
    assert files.wakes["asked_by"] == {"search": 3, "ana <b>": 2}
    assert "Woken forsearch 3, ana <b> 2" in files.page, "as text: it is no tag"


def test_of_many_the_page_names_the_first_five() -> None:
    wakes = Wakes(count=21, asked_by={f"t{n}": 6 - n for n in range(6)} | {"t6": 1})
    assert askers(wakes) == "t0 6, t1 5, t2 4, t3 3, t4 2, 2 others 2"
    assert askers(Wakes(count=3)) == NONE


def test_a_cause_of_another_release_is_read() -> None:
    said = line(MONDAY, 3, Phase.WAKING).model_dump(mode="json") | {"cause": "full_moon"}
    read = HistoryEntry.model_validate(said)
    assert wakes_of(None, [read], MONDAY, WEEK.end).causes == {"full_moon": 1}


@pytest.mark.parametrize(("days", "said"), [(91, True), (89, False)])
def test_a_report_that_reaches_beyond_what_is_kept_says_that_its_wakes_are_a_lower_bound(
    world: MemoryWorld, days: int, said: bool
) -> None:
    world.clock.moment = MONDAY + timedelta(days=days)
    files = Files(world, Period.since(MONDAY, world.clock.now()))
    assert any("their number is a lower bound" in note for note in files.document["notes"]) is said
