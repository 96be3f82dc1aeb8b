"""How many requests come a second: what was served, and what grew since the queue was counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.control.observe import learned, observe
from autoscaler.endpoints.migrations import status_body, status_of
from autoscaler.endpoints.status import EndpointRecord, EndpointStatus
from autoscaler.policy import Phase
from autoscaler.policy.types import Episode, Queued
from autoscaler.ports import Capacity, Load
from tests.memory import NOON
from tests.samples import awake, spec

UP = Capacity(exists=True, desired_copies=1, current_copies=1)


def arrivals(seconds: float, *, before: float, backlog: int, served: float = 0.0) -> float | None:
    """Between two looks so far apart; nothing runs in the model."""
    counted = Queued(NOON - timedelta(seconds=seconds), int(before), before)
    looked = Episode(looked_at=counted.at, queued=counted)
    record = EndpointRecord(spec=spec(), status=awake("llama", episode=looked))
    load = Load(backlog=backlog, concurrency_per_copy=0.0, served_per_second=served)
    return observe(record, load, UP, NOON).arrivals_per_second


@pytest.mark.parametrize(
    ("seconds", "before", "backlog", "served", "expected"),
    [
        (60, 0, 30, 0.0, 0.5),
        (60, 30, 30, 2.0, 2.0),  # what is served comes too
        (60, 30, 0, 1.0, 0.5),  # a backlog that is worked off came before
        (60, 30, 0, 0.2, 0.0),
        (180, 0, 90, 0.0, 0.5),
        (181, 0, 90, 0.0, 0.0),  # says little about now
        (30, 0, 15, 0.0, 0.5),
    ],
)
def test_what_waits_grows_by_what_comes_and_is_not_served(
    seconds: float, before: float, backlog: int, served: float, expected: float
) -> None:
    found = arrivals(seconds, before=before, backlog=backlog, served=served)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.3, 10.0])
def test_six_requests_between_two_looks_in_a_row_are_no_rate_of_thousands_an_hour(
    seconds: float,
) -> None:
    """The look at a wake that has just answered comes seconds after a tick's: six requests made it
    start two more copies, for the hour that a long start has them stay."""
    assert arrivals(seconds, before=0, backlog=6) == pytest.approx(0.2)


@dataclass(frozen=True)
class Look:
    """One look, a minute after the one before it."""

    phase: Phase
    backlog: int | None
    running: float | None = 0.0  # in all copies together
    copies: int = 0
    served: float | None = None

    def load(self) -> Load:
        per_copy = self.running / self.copies if self.copies and self.running is not None else None
        return Load(self.backlog, per_copy, served_per_second=self.served)

    def capacity(self) -> Capacity:
        return Capacity(exists=True, desired_copies=1, current_copies=self.copies)


def rates(looks: Iterable[Look], apart_seconds: float = 60.0) -> list[float | None]:
    """Requests a second as they are seen at each look, by what the looks before it left behind."""
    record, found = EndpointRecord(spec=spec(), status=awake("llama")), list[float | None]()
    for number, look in enumerate(looks):
        now = NOON + timedelta(seconds=number * apart_seconds)
        record = record.having(record.status.model_copy(update={"phase": look.phase}))
        found.append(observe(record, look.load(), look.capacity(), now).arrivals_per_second)
        known = learned(record, look.load(), look.capacity(), now)
        record = record.having(as_stored(record.status, known.episode))
    return found


def as_stored(status: EndpointStatus, episode: Episode) -> EndpointStatus:
    """As the table gives it back."""
    return status_of(status_body(status.model_copy(update={"episode": episode})))


HIDDEN = [Phase.STAGING, Phase.CREATING, Phase.UPDATING, Phase.FAILED]


@pytest.mark.parametrize("phase", HIDDEN)
def test_what_waited_through_a_phase_in_which_nothing_is_learned_did_not_come_after_it(
    phase: Phase,
) -> None:
    """Seventeen requests that waited for an update were a wake of three copies, where one was
    enough: at the look after it all of them seemed to have come in that minute."""
    found = rates(
        [Look(phase, 17), Look(phase, 17), Look(Phase.ASLEEP, 17), Look(Phase.WAKING, 17)]
    )
    assert found == [0, 0, 0, 0]


@pytest.mark.parametrize("phase", HIDDEN)
def test_and_what_comes_in_such_a_phase_is_seen(phase: Phase) -> None:
    assert rates([Look(phase, 3), Look(phase, 33)]) == [0, pytest.approx(0.5)]


def test_what_waits_at_the_first_look_of_all_may_have_come_at_any_time() -> None:
    assert rates([Look(Phase.ASLEEP, 17), Look(Phase.ASLEEP, 17)]) == [0, 0]


def test_nor_at_one_that_comes_after_a_long_time_and_the_look_after_it_knows_it() -> None:
    found = rates([Look(Phase.ASLEEP, n) for n in (0, 17, 17)], apart_seconds=15 * 60)
    assert found == [0, 0, 0]
    late = [Look(Phase.AWAKE, 17, 8.0, 1), Look(Phase.AWAKE, 17, 8.0, 1)]
    assert rates(late, apart_seconds=11 * 60) == [0, 0]


def test_a_look_that_does_not_see_the_queue_is_counted_over_by_the_next() -> None:
    looks = [Look(Phase.WAKING, 5), Look(Phase.WAKING, None), Look(Phase.WAKING, 35)]
    assert rates(looks) == [0, None, pytest.approx(30 / 120)]


@pytest.mark.parametrize("phase", [Phase.WAKING, Phase.AWAKE])
def test_what_ran_in_a_copy_that_went_waits_again_and_came_long_ago(phase: Phase) -> None:
    looks = [Look(Phase.AWAKE, 17, 8.0, 1), Look(phase, 17), Look(phase, 23)]
    assert rates(looks) == [0, 0, pytest.approx(0.1)]


def test_while_nobody_knows_what_runs_the_queue_tells_what_comes() -> None:
    unknown = Look(Phase.AWAKE, 8, None, 1)
    looks = [Look(Phase.AWAKE, 8, 8.0, 1), unknown, Look(Phase.AWAKE, 20, None, 1), unknown]
    assert rates(looks) == [0, 0, pytest.approx(0.2), 0]
    assert rates([*looks, Look(Phase.AWAKE, 8, 8.0, 1)])[-1] == 0


LOOKS = st.builds(
    Look,
    phase=st.sampled_from(list(Phase)),
    backlog=st.just(17),
    running=st.none() | st.floats(0, 17),
    copies=st.integers(0, 3),
)


@given(st.lists(LOOKS | st.just(Look(Phase.AWAKE, None)), min_size=1, max_size=8))
def test_a_queue_that_does_not_grow_is_no_arrivals_whatever_happens_to_its_endpoint(
    looks: list[Look],
) -> None:
    assert not any(rates(looks))


@given(st.lists(st.integers(0, 40), min_size=2, max_size=8), st.sampled_from(list(Phase)))
def test_as_many_come_as_were_sent_while_no_copy_serves(sent: list[int], phase: Phase) -> None:
    queue = [sum(sent[: n + 1]) for n in range(len(sent))]
    came = [60 * (rate or 0.0) for rate in rates(Look(phase, count) for count in queue)]
    assert came == pytest.approx([0, *sent[1:]])
