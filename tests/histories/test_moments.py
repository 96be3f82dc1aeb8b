"""What the random histories look at after each step can be wrong, and is then said."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from autoscaler.endpoints.names import shared_endpoint
from autoscaler.policy.types import Phase
from tests.histories.faults import Fault
from tests.histories.forks import in_copy
from tests.histories.history import History
from tests.histories.moments import leeway, leeway_of
from tests.histories.scenarios import awake as awaken
from tests.histories.sharing import MACHINES, OTHER, SharedHistory, both_awake
from tests.histories.template import STACK
from tests.histories.world import NAME, World

Step = tuple[str, dict[str, Any]]
NOTHING: Step = ("capacity", {"there": True})  # a step that changes nothing
SLEEP: Step = ("command", {"command": "sleep", "endpoint": NAME})
MINUTES: Step = ("run", {"minutes": 10})


def _lived(world: World) -> History:
    """A life with a sleep and a wake in it, of which nothing is wrong."""
    awaken(world)
    history = History(world)
    for step in (MINUTES, SLEEP, MINUTES, ("send", {"count": 1}), MINUTES):
        assert history.do(step) == []
    assert world.phase() == Phase.AWAKE
    return history


def _plant(world: World, minutes: float) -> None:
    """Instance-seconds in the ledger that nobody ran."""
    record = world.record()
    assert record is not None
    real = [one for one in world.store().usage(*_always(world)) if one.endpoint == NAME]
    last = max(real, key=lambda one: one.end - one.start)
    start = last.start - timedelta(hours=9)
    false = last.model_copy(update={"start": start, "end": start + timedelta(minutes=minutes)})
    world.store().save(record.status, segments=[false])


def _always(world: World) -> tuple[datetime, datetime]:
    now = world.clock.now()
    return now - timedelta(days=1), now + timedelta(days=1)


def _said(act: Callable[[History], None], *steps: Step) -> Callable[[World], list[str]]:
    """What a step says that changes nothing, after `steps` and `act`."""

    def run(world: World) -> list[str]:
        history = _lived(world)
        for step in steps:
            history.do(step)
        act(history)
        return history.do(NOTHING)

    return run


def _lost(history: History) -> None:
    """Half of what it ran is not in the ledger."""
    now = history.world.clock.now()
    record = history.world.record()
    assert record is not None
    late = [one.model_copy(update={"since": now}) for one in record.status.meters]
    history.world.store().save(record.status.model_copy(update={"meters": tuple(late)}))


def test_an_instance_that_the_ledger_forgets_is_seen_at_once(empty: World) -> None:
    (found,) = in_copy(lambda: _said(_lost, MINUTES)(empty))
    assert found.startswith("the ledger is -")


@pytest.mark.parametrize("minutes", [300, 10])
@pytest.mark.parametrize(
    "steps",
    [
        (),
        (("trouble", {"fault": Fault.THROTTLED, "after": 0}), MINUTES),
        (("leap", {"minutes": 90}),),
    ],
    ids=["nothing failed", "a call failed", "ticks were lost, and nothing changed"],
)
def test_a_segment_that_nobody_ran_is_seen_at_once(
    empty: World,
    steps: tuple[Step, ...],
    minutes: float,
) -> None:
    said = _said(lambda history: _plant(history.world, minutes), *steps)
    (found,) = in_copy(lambda: said(empty))
    assert found.startswith("the ledger is +")


def _stored(**changes: Any) -> Callable[[History], None]:
    """Somebody writes another status."""

    def act(history: History) -> None:
        record = history.world.record()
        assert record is not None
        history.world.store().save(record.status.model_copy(update=changes))

    return act


def test_a_phase_beside_the_table_and_a_generation_that_falls_are_seen_at_once(
    empty: World,
) -> None:
    found = in_copy(lambda: _said(_stored(phase=Phase.STAGING))(empty))
    assert found[0] == f"{NAME} went from AWAKE to STAGING"
    found = in_copy(lambda: _said(_stored(generation=1))(empty))
    assert found[0] == f"{NAME} went back from generation 3 to 1"


def _copies(count: int) -> Callable[[History], None]:
    def act(history: History) -> None:
        history.world.client("sagemaker").update_inference_component_runtime_config(
            InferenceComponentName=history.world.component(NAME),
            DesiredRuntimeConfig={"CopyCount": count},
        )

    return act


def test_an_instance_behind_the_back_of_one_that_sleeps_is_seen_at_once(empty: World) -> None:
    found = in_copy(lambda: _said(_copies(1), SLEEP, MINUTES)(empty))
    assert found == [f"{NAME} is ASLEEP with 1 instances and 1 copies"]


def test_copies_above_what_its_file_allows_are_seen_at_once(empty: World) -> None:
    found = in_copy(lambda: _said(_copies(4))(empty))
    assert "4 copies are wanted, and 3 are allowed" in found


def test_fewer_copies_than_the_stored_bounds_are_seen_at_once(empty: World) -> None:
    found = in_copy(lambda: _said(_copies(0))(empty))
    assert found == ["0 copies are wanted, outside of Bounds(min_copies=1, max_copies=3)"]


def _leeways(world: World) -> list[float]:
    """After a life in which nothing failed; after ninety minutes without a look; after an instance
    was lost at the beginning of half an hour without one."""
    history, found = _lived(world), []
    blind = (("leap", {"minutes": 90}),)
    lost = (MINUTES, ("lose_instance", {}), ("leap", {"minutes": 30}))
    for steps in ((), blind, lost):
        for step in steps:
            history.do(step)
        found.append(leeway(world, NAME, history.looks).over)
    return found


def test_the_ledger_may_be_off_by_no_more_than_nobody_looked_at_a_change(empty: World) -> None:
    calm, blind, lost = in_copy(lambda: _leeways(empty))
    assert calm <= 300, "a sleep and a wake"
    assert blind == calm, "nothing changed while nobody looked"
    assert 1800 <= lost - blind <= 1800 + 300


def _refused(world: World, request: str) -> None:
    """A refusal is stored for it, and it is in no queue any more."""
    world.client("s3").put_object(
        Bucket=f"{STACK}-results-bucket",
        Key=f"results/{NAME}/{request}.json",
        Body=json.dumps({"id": request, "error": {"reason": "retired"}}).encode(),
    )


def _unanswered(world: World) -> list[list[str]]:
    history = _lived(world)
    history.sent.append("before")
    _refused(world, "before")
    found = [history.unanswered()]
    history.sent.remove("before")
    history.do(("command", {"command": "delete", "endpoint": NAME}))
    assert world.phase() == Phase.RETIRING
    history.do(("send", {"count": 1}))
    _refused(world, history.sent[-1])
    return [*found, history.unanswered()]


def test_a_refusal_is_an_answer_only_to_what_was_sent_while_it_was_retired(empty: World) -> None:
    before, meanwhile = in_copy(lambda: _unanswered(empty))
    assert before == ["without an answer: ['before'], refused: ['before']"]
    assert meanwhile == []


def _looks_of_two(world: World) -> list[float]:
    """How often one looks at its copies that is awake, and one that sleeps on the same machines;
    and by how much the ledger may be off, once a machine is lost that both of them had."""
    both_awake(world)
    history = SharedHistory(world)
    found: list[float] = []
    for steps in ((("command", {"command": "sleep", "endpoint": OTHER}), MINUTES), (MINUTES,)):
        before = {name: len(one.times) for name, one in history.seen_by.items()}
        for step in steps:
            assert history.do(step) == []
        found = [len(one.times) - before[name] for name, one in history.seen_by.items()]
    assert world.phase(OTHER) == Phase.ASLEEP
    calm = _shared_leeway(world, history)
    for step in (("lose_instance", {}), NOTHING, ("run", {"minutes": 2})):
        assert history.do(step) == []
    return [*found, _shared_leeway(world, history) - calm]


def _shared_leeway(world: World, history: SharedHistory) -> float:
    return leeway_of(world, shared_endpoint(STACK, MACHINES), history.seen_by).over


def test_a_look_of_another_one_on_the_same_machines_is_not_its_own(empty: World) -> None:
    awake, asleep, lost = in_copy(lambda: _looks_of_two(empty))
    assert awake >= 5
    assert asleep <= 1, "it is looked after now and then"
    assert lost <= 180, "who sleeps counts nothing, however long it has not looked"
