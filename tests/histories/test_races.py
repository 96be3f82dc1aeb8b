"""Two events at once, in every order of their calls to AWS: the newest wish wins, and all agree.

Here each pair runs through a quarter of the schedules in which one of the two is interrupted once,
and each day through another quarter (rotation.py); the soak allows three switches between them, and
runs all. How many were run of how many is logged, and asserted here.
Whichever outcome a schedule has, the world is run on until it rests, and judged; outcomes that are
the same to the last byte are judged once.
"""

from __future__ import annotations

import logging

import pytest

from autoscaler.endpoints import kinds
from autoscaler.endpoints.names import ResourceNames
from autoscaler.spec import Kind
from tests.histories.forks import in_copy
from tests.histories.pairs import PAIRS
from tests.histories.races import Pair, Raced, fingerprint, race
from tests.histories.rotation import TURN, again
from tests.histories.scenarios import awake
from tests.histories.template import STACK
from tests.histories.world import NAME, World

_EVERY = 4  # of the schedules that switch, one in so many runs here
_TURN = TURN % _EVERY
_SCALED = kinds.scalable(Kind.COMPONENT, ResourceNames(STACK, NAME))
log = logging.getLogger("histories")


def _raced(world: World, pair: Pair, switches: int, every: int) -> Raced:
    pair.prepare(world)
    return race(world, pair, switches, every, _TURN)


def _judge(pair: Pair, raced: Raced) -> None:
    log.info("%s: %s", pair.name, raced)
    assert raced.schedules > 2, "nobody was ever interrupted"
    assert not raced.unrecovered, "\n".join([*raced.unrecovered, again()])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda one: one.name)
def test_of_two_at_once_the_newest_wish_wins(empty: World, pair: Pair) -> None:
    raced = in_copy(lambda: _raced(empty, pair, 1, _EVERY), 400)
    _judge(pair, raced)
    # One who is interrupted once may be so before each of its turns but the first.
    places = sum(raced.turns) - 2
    assert raced.schedules + raced.passed_over == places + 2, str(raced)
    assert raced.schedules == 2 + (places + _TURN) // _EVERY, str(raced)


def _bounds(world: World) -> None:
    world.client("application-autoscaling").register_scalable_target(**_SCALED, MaxCapacity=7)


def _no_target(world: World) -> None:
    world.client("application-autoscaling").deregister_scalable_target(**_SCALED)


def _object(world: World) -> None:
    world.client("s3").put_object(Bucket=f"{STACK}-results-bucket", Key="one", Body=b"1")


def _other_content(world: World) -> None:
    _object(world)
    world.client("s3").put_object(Bucket=f"{STACK}-results-bucket", Key="one", Body=b"2")


def _fingerprints(world: World) -> list[str]:
    awake(world)
    changes = (lambda _: None, _bounds, _no_target, _object, _other_content)
    return [in_copy(lambda act=act: (act(world), fingerprint(world, ()))[1]) for act in changes]  # type: ignore[misc]


def test_worlds_that_differ_in_a_target_or_an_object_are_not_taken_for_the_same(
    empty: World,
) -> None:
    found = in_copy(lambda: _fingerprints(empty))
    assert len(set(found)) == len(found) == 5


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda one: one.name)
def test_of_two_at_once_the_newest_wish_wins_in_any_order(empty: World, pair: Pair) -> None:
    _judge(pair, in_copy(lambda: _raced(empty, pair, 3, 1), 7000))
