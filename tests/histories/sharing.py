"""Two endpoints on the same machines: what their life has, and what must hold of it.

The meter of each counts all the machines, and a report splits the larger count of any moment among
them (ledger/shares.py). So it is that count that must be what existed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar

from autoscaler.endpoints.names import shared_endpoint
from autoscaler.policy.types import Phase
from tests.histories.checks import booked
from tests.histories.history import History
from tests.histories.moments import AT_REST, leeway_of, too_far_off
from tests.histories.template import STACK
from tests.histories.world import NAME, World

OTHER = "other"
MACHINES = "pair"


class SharedHistory(History):
    """One long life of two endpoints, each copy of which fills half a machine."""

    names = (NAME, OTHER)
    type = "ml.g6e.12xlarge"
    file: ClassVar[dict[str, Any]] = {
        "instances": {
            "types": [type],
            "accelerators_per_copy": 2,
            "shared": MACHINES,
            "max_instances": 2,
        }
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._before = most_seconds(world, self.names) - self._existed()

    def _existed(self) -> float:
        return self.world.sagemaker.truth.seconds(shared_endpoint(STACK, MACHINES))

    def _off_the_ledger(self) -> Iterator[str]:
        yield from machines_are_not_zero(self.world, self.names)
        over = most_seconds(self.world, self.names) - self._existed() - self._before
        may = leeway_of(self.world, shared_endpoint(STACK, MACHINES), self.seen_by)
        yield from too_far_off(over, may)


def both_awake(world: World) -> None:
    for name in SharedHistory.names:
        done = world.apply(name, **SharedHistory.file)
        assert done.payload["ok"], done
        world.run(600)
        assert world.phase(name) == Phase.AWAKE, world.phase(name)


def machines_are_not_zero(world: World, names: Sequence[str]) -> Iterator[str]:
    """When all of them rest and nobody works on them, there are no machines."""
    phases = [world.phase(name) for name in names]
    here = world.sagemaker.instances_now().get(shared_endpoint(STACK, MACHINES), 0)
    if here and all(one in AT_REST for one in phases) and not world.states.running():
        yield f"{here} shared instances, and all of {names} rest: {phases}"


def most_seconds(world: World, names: Sequence[str]) -> float:
    """Instance-seconds of the largest count of any moment."""
    counts = [one for name in names for one in booked(world, name)]
    borders = sorted({moment for start, end, _ in counts for moment in (start, end)})
    return sum(
        (end - start).total_seconds() * max((n for a, b, n in counts if a <= start < b), default=0)
        for start, end in pairwise(borders)
    )
