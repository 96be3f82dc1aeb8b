"""A status is read as it was written, and is short where it is written often."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.endpoints.migrations import status_body, status_of
from autoscaler.endpoints.short_starts import MOMENTS, lengthened, shortened
from autoscaler.endpoints.status import Cause, ColdStart, EndpointStatus
from tests.releases.defaults import defaults, models
from tests.samples import asleep

MOMENT = st.datetimes(
    datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)
)  # to the microsecond
STARTS = st.builds(
    ColdStart,
    requested_at=MOMENT,
    ready_at=MOMENT,
    cause=st.sampled_from(Cause),
    copies=st.integers(0, 400),
    **{moment: st.none() | MOMENT for moment in MOMENTS if moment != "ready_at"},
)


@given(st.lists(STARTS, max_size=4))
def test_measured_starts_are_read_as_they_were_written_to_a_tenth_of_a_second(
    starts: list[ColdStart],
) -> None:
    status = asleep("llama", cold_starts=tuple(starts), creation=next(iter(starts), None))
    read = status_of(status_body(status))
    rest = {"cold_starts": ()}
    assert read.model_copy(update=rest) == status.model_copy(update=rest)
    for found, start in zip(read.cold_starts, starts, strict=True):
        exact = ("requested_at", "cause", "copies")
        assert [getattr(found, one) for one in exact] == [getattr(start, one) for one in exact]
        for moment in MOMENTS:
            assert _seconds(found, moment) == pytest.approx(_seconds(start, moment), abs=0.0501)
    assert status_body(read) == status_body(status), "it is rounded once"


def _seconds(start: ColdStart, moment: str) -> float | None:
    at = getattr(start, moment)
    return None if at is None else (at - start.requested_at).total_seconds()


def test_what_earlier_code_of_this_schema_wrote_is_read_too() -> None:
    status = asleep("llama", cold_starts=(start_of_a_wake(),))
    assert status_of(status.model_dump_json()) == status


def test_a_start_in_its_short_form() -> None:
    start = start_of_a_wake().model_copy(update={"copy_seen_at": None})
    short = shortened(start.model_dump(mode="json"))
    assert short == ["2026-11-03T08:10:05.497088Z", "message", 1, 285.0, 0.9, 85.5, 91.0]
    read = ColdStart.model_validate(lengthened(short))
    assert (read.lead_time, read.copy_seen_at) == (timedelta(seconds=285), None)


def test_twenty_starts_take_less_than_two_kilobytes() -> None:
    """By the KB is what a write costs; written out they are some six."""
    starts = (start_of_a_wake(),) * 20
    grown = status_body(asleep("llama", cold_starts=starts))
    assert len(grown) - len(status_body(asleep("llama"))) < 1700


@pytest.mark.parametrize(
    "kind", list(models(EndpointStatus, set())), ids=lambda kind: kind.__name__
)
def test_what_may_be_null_is_null_where_it_is_not_written(kind: type) -> None:
    """Null is left out of what is stored, so that another default would take its place."""
    hints, given = get_type_hints(kind), defaults(kind)
    nullable = {name for name in given if NoneType in get_args(hints[name])}
    assert {name: given[name] for name in nullable} == dict.fromkeys(nullable)


def start_of_a_wake() -> ColdStart:
    asked = datetime(2026, 11, 3, 8, 10, 5, 497088, tzinfo=UTC)
    return ColdStart(
        requested_at=asked,
        ready_at=asked + timedelta(seconds=285.043784),
        cause=Cause.MESSAGE,
        copies=1,
        asked_at=asked + timedelta(seconds=0.87),
        instance_seen_at=asked + timedelta(seconds=85.5),
        container_seen_at=asked + timedelta(seconds=91),
        copy_seen_at=asked + timedelta(seconds=250.123),
    )


def test_a_body_is_plain_json_that_a_person_can_read() -> None:
    whole = json.loads(status_body(asleep("llama", failure="kein Platz: über Nacht")))
    assert whole["failure"] == "kein Platz: über Nacht"
    assert whole["starts"] == []
