"""How many requests come a second: what was served, and what the backlog grew by."""

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
from autoscaler.policy.arrivals import counted
from autoscaler.policy.types import Episode, Queued
from autoscaler.ports import Capacity, Load, Minute
from tests.memory import NOON
from tests.samples import awake, spec

NO_COPY = Capacity(exists=True, desired_copies=1)
PLACES = 16  # in one copy
TICK = timedelta(minutes=1)


def arrivals(
    seconds: float, *, before: int, backlog: int, served: float = 0.0, growth: float = 0.0
) -> float | None:
    """Between two looks so far apart; no copy has a place."""
    looked = Episode(queued=Queued(NOON - timedelta(seconds=seconds), before, growth))
    record = EndpointRecord(spec=spec(), status=awake("llama", episode=looked))
    load = Load(backlog=backlog, concurrency_per_copy=0.0, served_per_second=served)
    return observe(record, load, NO_COPY, NOON).arrivals_per_second


@pytest.mark.parametrize(
    ("seconds", "before", "backlog", "served", "expected"),
    [
        (60, 0, 30, 0.0, 0.5),
        (60, 30, 30, 2.0, 2.0),  # what is served comes too
        (60, 30, 0, 1.0, 0.5),  # a backlog that is worked off came before
        (60, 30, 0, 0.2, 0.0),
        (180, 0, 90, 0.0, 0.5),
        (181, 0, 90, 0.0, 0.0),  # says little about now
        (30, 0, 15, 0.0, 0.25),  # what waits counts as of a minute at least
        (-1, 0, 15, 0.0, 0.0),  # the clock of another host
    ],
)
def test_what_waits_grows_by_what_comes_and_is_not_served(
    seconds: float, before: int, backlog: int, served: float, expected: float
) -> None:
    found = arrivals(seconds, before=before, backlog=backlog, served=served)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("seconds", [0.0, 0.1, 1.0, 2.3, 10.0])
def test_six_requests_between_two_looks_in_a_row_are_no_rate_of_thousands_an_hour(
    seconds: float,
) -> None:
    """The look at a wake that has just answered comes seconds after a tick's: six requests made it
    start two more copies, for the hour that a long start has them stay."""
    assert arrivals(seconds, before=0, backlog=6) == pytest.approx(0.1)


@pytest.mark.parametrize(("seconds", "expected"), [(0, 0.5), (15, 0.25), (30, 0.0), (60, 0.0)])
def test_a_look_soon_after_another_knows_what_that_one_found(
    seconds: float, expected: float
) -> None:
    assert arrivals(seconds, before=30, backlog=30, growth=0.5) == pytest.approx(expected)


@dataclass(frozen=True)
class Look:
    """One look, a minute after the one before it."""

    phase: Phase
    backlog: int | None
    running: float | None = 0.0  # in all copies together
    copies: int = 0
    minutes: tuple[Minute, ...] = ()

    def load(self) -> Load:
        per_copy = self.running / self.copies if self.copies and self.running is not None else None
        return Load(self.backlog, per_copy, minutes=self.minutes)

    def capacity(self) -> Capacity:
        return Capacity(exists=True, desired_copies=1, current_copies=self.copies)


def rates(looks: Iterable[Look], apart_seconds: float = 60.0) -> list[float | None]:
    """Requests a second as each look decides by them: what it saw is stored before it does."""
    record, found = EndpointRecord(spec=spec(), status=awake("llama")), list[float | None]()
    for number, look in enumerate(looks):
        now = NOON + timedelta(seconds=number * apart_seconds)
        since = {"phase": look.phase, "phase_since": NOON - timedelta(days=1)}
        record = record.having(record.status.model_copy(update=since))
        known = learned(record, look.load(), look.capacity(), now)
        record = record.having(as_stored(record.status, known.episode))
        found.append(observe(record, look.load(), look.capacity(), now).arrivals_per_second)
    return found


def as_stored(status: EndpointStatus, episode: Episode) -> EndpointStatus:
    """As the table gives it back."""
    return status_of(status_body(status.model_copy(update={"episode": episode})))


# In these nothing else is learned.
HIDDEN = [Phase.CREATING, Phase.UPDATING, Phase.FAILED]


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


@pytest.mark.parametrize("phase", [*HIDDEN, Phase.AWAKE, Phase.WAKING, Phase.SLEEPING])
def test_what_comes_is_seen_in_every_phase(phase: Phase) -> None:
    assert rates([Look(phase, 3), Look(phase, 33)]) == [0, pytest.approx(0.5)]


def test_what_waits_at_the_first_look_of_all_may_have_come_at_any_time() -> None:
    assert rates([Look(Phase.ASLEEP, 17), Look(Phase.ASLEEP, 17)]) == [0, 0]


@pytest.mark.parametrize("phase", [Phase.AWAKE, Phase.UPDATING, Phase.SLEEPING])
def test_nor_after_a_long_time_without_a_look_and_the_look_after_it_knows_it(phase: Phase) -> None:
    assert rates([Look(phase, n) for n in (0, 17, 17)], apart_seconds=11 * 60) == [0, 0, 0]
    assert rates([Look(phase, n) for n in (0, 17, 17)], apart_seconds=170)[2] == 0


def test_a_look_that_does_not_see_the_queue_is_counted_over_by_the_next() -> None:
    looks = [Look(Phase.WAKING, 5), Look(Phase.WAKING, None), Look(Phase.WAKING, 35)]
    assert rates(looks) == [0, None, pytest.approx(30 / 120)]


@pytest.mark.parametrize("copies", [0, 1])
@pytest.mark.parametrize("running", [None, 0.0, 8.0])
def test_what_begins_to_run_or_has_to_wait_again_is_no_arrival_and_hides_none(
    copies: int, running: float | None
) -> None:
    before = Look(Phase.AWAKE, 17, 8.0, 1)
    looks = [before, Look(Phase.AWAKE, 17, running, copies), Look(Phase.AWAKE, 23, running, copies)]
    assert rates(looks) == [0, 0, pytest.approx(0.1)]


@pytest.mark.parametrize(("backlog", "expected"), [(PLACES, 0), (PLACES + 6, 0.1), (76, 1.0)])
def test_only_what_waits_is_more_than_what_is_served(backlog: int, expected: float) -> None:
    """How many a copy has at a time goes up and down by itself: taken for growth, it was a second
    copy at six tenths of what one can do."""
    assert rates([Look(Phase.AWAKE, 0, 0.0, 1), Look(Phase.AWAKE, backlog, 8.0, 1)]) == [
        0,
        pytest.approx(expected),
    ]


QUIET = tuple(Minute(NOON + n * TICK, 0.0, 0.0) for n in range(1, 6))


def test_of_the_minutes_since_the_metrics_were_read_last_nothing_waited_in_any() -> None:
    """Else they would have been read: what waits now came in the last one."""
    looks = [Look(Phase.AWAKE, 0, 0.0, 1), Look(Phase.AWAKE, 76, 0.0, 1, minutes=QUIET)]
    assert rates(looks, apart_seconds=300) == [0, pytest.approx(1.0)]


@pytest.mark.parametrize("minutes", [1, 2, 3, 5])
def test_but_nobody_knows_what_waited_in_the_minute_of_a_tick_that_was_lost(minutes: int) -> None:
    looks = [Look(Phase.AWAKE, 76, 16.0, 1)]
    looks += [Look(Phase.AWAKE, 76, 16.0, 1, minutes=QUIET[:minutes])]
    assert rates(looks, apart_seconds=60 * minutes) == [0, 0]


@pytest.mark.parametrize("minutes", [1, 2, 4, 5, 15])
def test_a_stack_that_ticks_seldom_knows_what_came_since_its_last_tick(minutes: int) -> None:
    now = NOON + minutes * TICK
    found = counted(Queued(NOON, 0), 60 * minutes, now, minutes * TICK)
    assert found.growth_per_second == pytest.approx(1.0)


def asleep(phase: Phase, stored: float, since: float, before: int = 0) -> float | None:
    """Sixty wait, and before it were so many; that count is so many minutes old, and so is the
    phase."""
    episode = Episode(queued=Queued(NOON - stored * TICK, before))
    status = awake("llama", episode=episode).model_copy(
        update={"phase": phase, "phase_since": NOON - since * TICK}
    )
    record = EndpointRecord(spec=spec(), status=status)
    nothing = Capacity(exists=True)
    return observe(record, Load(60, None), nothing, NOON).arrivals_per_second


@pytest.mark.parametrize("stored", [1, 2, 3, 4, 14, 15, 16])
def test_what_wakes_an_endpoint_came_since_the_last_tick_however_old_its_last_look_is(
    stored: float,
) -> None:
    """While it sleeps a look is stored four times an hour, and whenever the queue has changed."""
    assert asleep(Phase.ASLEEP, stored, 600) == pytest.approx(1.0)
    assert asleep(Phase.WAKING, stored, 0) == pytest.approx(1.0), "a dispatcher was faster"
    assert asleep(Phase.WAKING, stored, 1) == pytest.approx(0.5 if stored > 1 else 1.0)


@pytest.mark.parametrize("stored", [4, 15])
def test_what_waited_before_it_could_be_woken_did_not(stored: float) -> None:
    assert asleep(Phase.ASLEEP, stored, 600, before=60) == 0
    assert asleep(Phase.ASLEEP, stored, 600, before=30) == pytest.approx(0.5)
    assert asleep(Phase.UPDATING, stored, 600) == 0, "nobody knows when"


def test_a_message_that_a_dispatcher_has_is_counted_also_where_it_wakes_nothing() -> None:
    """Of an endpoint that keeps answers it may be answered by one. The wake counts it."""
    record, now = EndpointRecord(spec=spec(), status=awake("llama")), NOON
    taken = Load(0, None, taken=60)
    for load in (taken, taken, Load(60, None)):
        record = record.having(record.status.model_copy(update={"phase": Phase.WAKING}))
        known = learned(record, load, Capacity(exists=True), now)
        record = record.having(as_stored(record.status, known.episode))
        now += timedelta(seconds=40)
    assert record.status.episode.queued == Queued(now - timedelta(seconds=40), 60)


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


@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=8),
    st.sampled_from([one for one in Phase if one is not Phase.ASLEEP]),
)
def test_as_many_come_as_were_sent_while_nothing_is_answered(sent: list[int], phase: Phase) -> None:
    queue = [sum(sent[: n + 1]) for n in range(len(sent))]
    came = [60 * (rate or 0.0) for rate in rates(Look(phase, count) for count in queue)]
    assert came == pytest.approx([0, *sent[1:]])


@given(st.lists(st.integers(-40, 40), min_size=1, max_size=30), st.sampled_from([1, 5, 13, 29]))
def test_looks_that_follow_each_other_fast_find_as_many_in_the_end(
    grown: list[int], apart_seconds: int
) -> None:
    """Each look takes up what the one before it knew: nothing counts twice, nothing is lost."""
    now, queued, found = NOON, Queued(NOON, 0), 0.0
    for change in [*grown, *[0] * 600]:
        now += timedelta(seconds=apart_seconds)
        queued = counted(queued, queued.backlog + change, now, TICK)
        found += queued.growth_per_second * apart_seconds
    assert found == pytest.approx(sum(grown), abs=1e-3)
