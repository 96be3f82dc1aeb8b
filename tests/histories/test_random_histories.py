"""Long random lives: users, traffic, faults and leaps of time, in any order.

After each step the phase went along the table, generations rose, no generation was woken twice, the
copies are inside their bounds, zero means zero, and the ledger has the instances that existed, but
for what nobody could see of them yet (moments.py). In the end everything works again: the endpoint
comes to rest, and every request that was ever sent has its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from autoscaler.spec import Kind
from tests.histories.conftest import empty_world
from tests.histories.faults import Fault
from tests.histories.forks import Copy
from tests.histories.history import History
from tests.histories.scenarios import awake
from tests.histories.sharing import SharedHistory, both_awake
from tests.histories.world import World

log = logging.getLogger("histories")
SHORT = settings(
    max_examples=16,
    stateful_step_count=18,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# 400 histories in parts of some ten minutes each: what was found is known after each of them.
LONG = settings(SHORT, max_examples=50, stateful_step_count=50, derandomize=False)
PARTS = {"one": 4, "realtime": 1, "async": 1, "shared": 2}
# Of what kind, what their life is, and how it begins. Of the two kinds whose copies are instances a
# sleep is the endpoint's removal.
WHOSE: dict[str, tuple[Kind, type[History], Callable[[World], None]]] = {
    "one": (Kind.COMPONENT, History, awake),
    "realtime": (Kind.REALTIME, History, awake),
    "async": (Kind.ASYNC, History, awake),
    "shared": (Kind.COMPONENT, SharedHistory, both_awake),
}

_MINUTES = st.integers(1, 20)
_FAULTS = st.sampled_from(list(Fault))
_AFTER = st.integers(0, 15)
_ORDERS = st.sampled_from(["wake", "sleep", "sleep", "delete", "release"])
_NAMES = st.runner().flatmap(lambda lives: st.sampled_from(lives.made.names))


class Lives(RuleBasedStateMachine):
    """Each example lives in a copy of the world, where its endpoint has just been created."""

    world: World  # with endpoints that are awake
    made: type[History]  # what their life is
    stories: list[dict[str, Any]]

    @initialize()
    def begin(self) -> None:
        history: list[History] = []

        def work(step: tuple[str, dict[str, Any]]) -> Any:
            if not history:
                history.append(self.made(self.world))
            name, parameters = step
            if name in ("end", "facts"):
                return getattr(history[0], name)()
            return history[0].do((name, parameters))

        self.copy = Copy(work)

    def _do(self, step: str, **parameters: Any) -> None:
        problems = self.copy.ask((step, parameters))
        assert not problems, problems

    @rule(order=_ORDERS, name=_NAMES)
    def order(self, order: str, name: str) -> None:
        self._do("command", command=order, endpoint=name)

    @rule(copies=st.integers(0, 2), name=_NAMES)
    def hold(self, copies: int, name: str) -> None:
        self._do("hold", copies=copies, name=name)

    @rule(off=st.booleans())
    def switch(self, off: bool) -> None:
        self._do(
            "command", command="stop" if off else "start", **({"reason": "a test"} if off else {})
        )

    @rule(tokens=st.sampled_from([4096, 8192]), name=_NAMES)
    def apply(self, tokens: int, name: str) -> None:
        self._do("apply", tokens=tokens, name=name)

    @rule(count=st.integers(1, 5), name=_NAMES)
    def send(self, count: int, name: str) -> None:
        self._do("send", count=count, name=name)

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

    @rule(works=st.booleans(), name=_NAMES)
    def container(self, works: bool, name: str) -> None:
        self._do("container", works=works, name=name)

    @rule()
    def lose_instance(self) -> None:
        self._do("lose_instance")

    @rule(order=_ORDERS, fault=_FAULTS, after=st.integers(0, 6), name=_NAMES)
    def disturbed_order(self, order: str, fault: Fault, after: int, name: str) -> None:
        self._do("trouble", fault=fault, after=after)
        self._do("command", command=order, endpoint=name)

    @rule(count=st.integers(1, 3), fault=_FAULTS, after=_AFTER, name=_NAMES)
    def disturbed_requests(self, count: int, fault: Fault, after: int, name: str) -> None:
        self._do("send", count=count, name=name)
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
def lives(request: pytest.FixtureRequest) -> Iterator[type[Lives]]:
    kind, Lives.made, begun = WHOSE[request.param]
    with empty_world() as Lives.world:
        Lives.world.kind = kind
        begun(Lives.world)
        yield Lives


@pytest.fixture(autouse=True)
def no_story_yet() -> None:
    Lives.stories = []


def _judge(stories: list[dict[str, Any]]) -> None:
    fired, sent = (sum(one[key] for one in stories) for key in ("fired", "sent"))
    log.info("%d histories, %d faults fired, %d requests answered", len(stories), fired, sent)
    assert fired and sent


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("lives", "examples"),
    [("one", 8), ("realtime", 4), ("async", 4), ("shared", 4)],
    indirect=["lives"],
)
def test_short_random_histories_end_well(lives: type[Lives], examples: int) -> None:
    run_state_machine_as_test(lives, settings=settings(SHORT, max_examples=examples))
    _judge(lives.stories)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("lives", "part"),
    [(whose, part) for whose, parts in PARTS.items() for part in range(1, parts + 1)],
    indirect=["lives"],
)
def test_long_random_histories_end_well(lives: type[Lives], part: int) -> None:
    run_state_machine_as_test(lives, settings=LONG)
    log.info("part %d", part)
    _judge(lives.stories)
