"""Long random lives: users, traffic, faults and leaps of time, in any order.

After each step the phase went along the table, generations rose, no generation was woken twice, the
copies are inside their bounds, zero means zero, and the ledger has the instances that existed, but
for what nobody could see of them yet (moments.py). In the end everything works again: the endpoint
comes to rest, and every request that was ever sent has its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from autoscaler.spec import Kind
from tests.histories.faults import Fault
from tests.histories.forks import Copy
from tests.histories.history import History
from tests.histories.scenarios import awake
from tests.histories.world import NAME, World

log = logging.getLogger("histories")
SHORT = settings(
    max_examples=16,
    stateful_step_count=18,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# 300 histories in parts of some ten minutes each: what was found is known after each of them.
LONG = settings(SHORT, max_examples=50, stateful_step_count=50, derandomize=False)
PARTS = {Kind.COMPONENT: 4, Kind.REALTIME: 1, Kind.ASYNC: 1}

_MINUTES = st.integers(1, 20)
_FAULTS = st.sampled_from(list(Fault))
_AFTER = st.integers(0, 15)
_ORDERS = st.sampled_from(["wake", "sleep", "sleep", "delete", "release"])


class Lives(RuleBasedStateMachine):
    """Each example lives in a copy of the world, where its endpoint has just been created."""

    world: World  # with an endpoint that is awake
    stories: list[dict[str, Any]]

    @initialize()
    def begin(self) -> None:
        history: list[History] = []

        def work(step: tuple[str, dict[str, Any]]) -> Any:
            if not history:
                history.append(History(self.world))
            name, parameters = step
            if name in ("end", "facts"):
                return getattr(history[0], name)()
            return history[0].do((name, parameters))

        self.copy = Copy(work)

    def _do(self, name: str, **parameters: Any) -> None:
        problems = self.copy.ask((name, parameters))
        assert not problems, problems

    @rule(order=_ORDERS)
    def order(self, order: str) -> None:
        self._do("command", command=order, endpoint=NAME)

    @rule(copies=st.integers(0, 2))
    def hold(self, copies: int) -> None:
        self._do("hold", copies=copies)

    @rule(off=st.booleans())
    def switch(self, off: bool) -> None:
        self._do(
            "command", command="stop" if off else "start", **({"reason": "a test"} if off else {})
        )

    @rule(tokens=st.sampled_from([4096, 8192]))
    def apply(self, tokens: int) -> None:
        self._do("apply", tokens=tokens)

    @rule(count=st.integers(1, 5))
    def send(self, count: int) -> None:
        self._do("send", count=count)

    @rule()
    def ask(self) -> None:
        self._do("ask")

    @rule()
    def tick_twice(self) -> None:
        self._do("tick_twice")

    @rule(minutes=_MINUTES, fault=_FAULTS, after=_AFTER)
    def run(self, minutes: int, fault: Fault, after: int) -> None:
        self._do("trouble", fault=fault, after=after)
        self._do("run", minutes=minutes)

    @rule(minutes=_MINUTES)
    def run_on(self, minutes: int) -> None:
        self._do("run", minutes=minutes)

    @rule(minutes=st.integers(2, 90))
    def leap(self, minutes: int) -> None:
        self._do("leap", minutes=minutes)

    @rule(there=st.booleans())
    def capacity(self, there: bool) -> None:
        self._do("capacity", there=there)

    @rule(works=st.booleans())
    def container(self, works: bool) -> None:
        self._do("container", works=works)

    @rule()
    def lose_instance(self) -> None:
        self._do("lose_instance")

    @rule(order=_ORDERS, fault=_FAULTS, after=st.integers(0, 6))
    def disturbed_order(self, order: str, fault: Fault, after: int) -> None:
        self._do("trouble", fault=fault, after=after)
        self._do("command", command=order, endpoint=NAME)

    @rule(count=st.integers(1, 3), fault=_FAULTS, after=_AFTER)
    def disturbed_requests(self, count: int, fault: Fault, after: int) -> None:
        self._do("send", count=count)
        self._do("trouble", fault=fault, after=after)
        self._do("run", minutes=2)

    def teardown(self) -> None:
        if not hasattr(self, "copy"):
            return
        try:
            problems = self.copy.ask(("end", {}))
            self.stories.append(self.copy.ask(("facts", {})))
        finally:
            self.copy.close()
        assert not problems, problems


@pytest.fixture(scope="module")
def lives(empty: World) -> Iterator[type[Lives]]:
    awake(empty)
    Lives.world = empty
    yield Lives


@pytest.fixture(autouse=True)
def no_story_yet() -> None:
    Lives.stories = []


def _judge(stories: list[dict[str, Any]]) -> None:
    fired, sent = (sum(one[key] for one in stories) for key in ("fired", "sent"))
    log.info("%d histories, %d faults fired, %d requests answered", len(stories), fired, sent)
    assert fired and sent


# Of the two kinds whose copies are instances a sleep is the endpoint's removal.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("empty", "examples"),
    [(Kind.COMPONENT, 12), (Kind.REALTIME, 6), (Kind.ASYNC, 6)],
    indirect=["empty"],
)
def test_short_random_histories_end_well(lives: type[Lives], examples: int) -> None:
    run_state_machine_as_test(lives, settings=settings(SHORT, max_examples=examples))
    _judge(lives.stories)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("empty", "part"),
    [(kind, part) for kind, parts in PARTS.items() for part in range(1, parts + 1)],
    indirect=["empty"],
)
def test_long_random_histories_end_well(lives: type[Lives], part: int) -> None:
    run_state_machine_as_test(lives, settings=LONG)
    log.info("%s, part %d of %d", lives.world.kind, part, PARTS[lives.world.kind])
    _judge(lives.stories)
