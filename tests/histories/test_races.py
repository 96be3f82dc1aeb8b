"""Two events at once, in every order of their calls to AWS: the newest wish wins, and all agree.

Here each pair runs through the schedules in which one of the two is interrupted once; the soak
allows three switches between them. Whichever outcome a schedule has, the world is run on until it
rests, and judged; outcomes that are the same to the last byte are judged once.
"""

from __future__ import annotations

import logging

import pytest

from tests.histories.forks import in_copy
from tests.histories.pairs import PAIRS
from tests.histories.races import Pair, Raced, race
from tests.histories.world import World

log = logging.getLogger("histories")


def _raced(world: World, pair: Pair, switches: int, every: int) -> Raced:
    pair.prepare(world)
    return race(world, pair, switches, every)


def _judge(pair: Pair, raced: Raced) -> None:
    told = "%s: %d schedules, %d outcomes, %d unrecovered"
    log.info(told, pair.name, raced.schedules, raced.outcomes, len(raced.unrecovered))
    assert raced.schedules > 2, "nobody was ever interrupted"
    assert not raced.unrecovered, "\n".join(raced.unrecovered)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda one: one.name)
def test_of_two_at_once_the_newest_wish_wins(empty: World, pair: Pair) -> None:
    _judge(pair, in_copy(lambda: _raced(empty, pair, 1, 4), 400))


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda one: one.name)
def test_of_two_at_once_the_newest_wish_wins_in_any_order(empty: World, pair: Pair) -> None:
    _judge(pair, in_copy(lambda: _raced(empty, pair, 3, 1), 7000))
