"""What holds of the closed loop while what it sees is doubled, late, or missing.

1. Copies and bounds stay within the spec's.
2. No sleep while anything that came in the last three minutes showed work, or anything is missing.
3. No step down on a look that misses a signal.
4. A look that comes twice changes nothing.
5. After the disturbance, and when what waited is worked off, it comes to the very copies of an
   undisturbed loop within the time that the policy may keep a copy (`LONGEST_STAY`) and half an
   hour for AAS's own scale-in and a sleep.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policy import (
    LONGEST_STAY,
    Decision,
    Observation,
    Phase,
    ReasonCode,
    Transition,
    decide,
    learn,
    remember,
)
from tests.properties.policy_strategies import START
from tests.unit.policy_cases import MINUTE, Loop, a_spec, codes

MOST_LATE = 3  # minutes
LONGEST_DRAIN = timedelta(hours=8)  # 14,400 requests by one copy, beside those that still come
CONVERGES = LONGEST_STAY + timedelta(minutes=30)


@dataclass(frozen=True)
class Trouble:
    """What befalls one look."""

    late: int = 0  # minutes
    no_backlog: bool = False
    no_concurrency: bool = False
    twice: bool = False


NONE = Trouble()
troubles = st.builds(
    Trouble, st.integers(0, MOST_LATE), st.booleans(), st.booleans(), st.booleans()
) | st.builds(Trouble, st.integers(0, MOST_LATE))


@dataclass
class Disturbed(Loop):
    """A loop whose signals are troubled. The phase and what was decided lie in the stack's own
    table and are never late; when work was last seen is remembered there too."""

    trouble: Trouble = NONE
    recent: deque[Observation] = field(default_factory=lambda: deque(maxlen=MOST_LATE + 1))
    delivered: list[Observation] = field(default_factory=list)
    told_active: datetime | None = None

    def observation(self) -> Observation:
        fresh = super().observation()
        self.recent.append(fresh)
        trouble = self.trouble
        old = self.recent[max(0, len(self.recent) - 1 - trouble.late)]
        seen = replace(
            fresh,
            backlog=None if trouble.no_backlog else old.backlog,
            in_flight=None if trouble.no_concurrency else old.in_flight,
            arrivals_per_second=old.arrivals_per_second,
        )
        busy = self.now if shows_work(seen) else old.last_active_at
        self.told_active = max(at for at in (self.told_active, busy) if at is not None)
        seen = replace(seen, last_active_at=self.told_active)
        self.delivered.append(seen)
        return seen

    def look(self, arrivals: float, trouble: Trouble) -> Decision:
        self.trouble = trouble
        before = self.desired
        decision = self.minute(arrivals)
        self.check(decision, before)
        if trouble.twice:
            self.check_again(decision)
        return decision

    def check(self, decision: Decision, before: int) -> None:
        bounds, most = decision.bounds, self.spec.highest_max_copies
        assert 0 <= bounds.min_copies <= decision.copies <= bounds.max_copies <= most
        seen = self.delivered[-1]
        if decision.transition is Transition.SLEEP:
            assert seen.backlog == 0
            assert seen.in_flight == 0
            assert not any(map(shows_work, self.delivered[-MOST_LATE:]))
        if ReasonCode.SIGNAL_MISSING in codes(decision) and seen.phase is not Phase.ASLEEP:
            assert decision.copies >= min(seen.desired_copies, bounds.max_copies)

    def check_again(self, decision: Decision) -> None:
        seen = self.delivered[-1]
        again = learn(self.history, self.spec, seen, self.now)
        assert again == self.history
        assert decide(self.spec, seen, again, self.now) == decision
        assert remember(again, decision.recommendation, LONGEST_STAY, self.now) == again


def shows_work(seen: Observation) -> bool:
    return bool(seen.backlog) or bool(seen.in_flight)


traffic = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 5, 30, 200]), st.lists(troubles, min_size=1, max_size=12)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=120, deadline=None)
@given(
    traffic=traffic,
    then=st.sampled_from([0, 0, 2, 40]),  # one copy works off 96 a minute
    max_copies=st.integers(1, 6),
    price=st.sampled_from([None, 2.61, 98.0]),
    keep_alive=st.sampled_from(["learned", "5m", "10m"]),
)
def test_troubled_looks_never_cause_a_wrong_step(
    traffic: list[tuple[int, list[Trouble]]],
    then: int,
    max_copies: int,
    price: float | None,
    keep_alive: str,
) -> None:
    spec = a_spec(scaling={"max_copies": max_copies, "keep_alive": keep_alive})
    calm = Loop(spec, START, usd_per_copy_hour=price)
    loop = Disturbed(spec, START, usd_per_copy_hour=price)
    for arrivals, looks in traffic:
        for trouble in looks:
            calm.minute(arrivals)
            loop.look(arrivals, trouble)
    drained = 0
    while loop.waiting > 1e-6 or calm.waiting > 1e-6 or drained < CONVERGES // MINUTE:
        drained = 0 if loop.waiting > 1e-6 or calm.waiting > 1e-6 else drained + 1
        calm.minute(then)
        loop.look(then, NONE)
        assert loop.now - START < LONGEST_DRAIN
    assert (loop.phase, loop.desired) == (calm.phase, calm.desired)
