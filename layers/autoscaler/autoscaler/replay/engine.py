"""The run: a controller looks, the cluster moves, until every request is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .cluster import NEVER, Cluster
from .results import Outcome, Point
from .trace import Trace
from .world import FREE_WAIT_SECONDS, World

# After its trace a run goes on until the last request is answered, and this long at most.

_PATIENCE_SECONDS = 48 * 3600.0


@dataclass(frozen=True)
class Habits:
    """How a controller works with the platform."""

    tick_seconds: float
    release_seconds: float
    wakes_on_arrival: bool = False  # called for a request that finds no copy
    looks_when_ready: bool = False  # called when a copy begins to serve
    look_when_waiting: float | None = None  # called so often while requests wait beyond 10 s
    refuses_at_zero: bool = False  # without a queue: a request at zero fails
    retry_seconds: float | None = None  # of a caller whose request failed


class Controller(Protocol):
    """An autoscaling algorithm: looks at the cluster and says how many copies it wants."""

    @property
    def name(self) -> str: ...

    def habits(self, world: World) -> Habits: ...

    def look(self, cluster: Cluster, now: float) -> int: ...


def simulate(trace: Trace, world: World, controller: Controller) -> Outcome:
    """Replays the trace under one controller; deterministic."""
    habits = controller.habits(world)
    cluster = Cluster(
        trace, world, habits.release_seconds, habits.refuses_at_zero, habits.retry_seconds
    )
    points = [Point(0.0, cluster.desired_copies, cluster.serving_copies)]
    next_glance = habits.look_when_waiting or NEVER
    next_tick, end, limit = 0.0, trace.seconds, trace.seconds + _PATIENCE_SECONDS
    looked_at = -1.0
    while True:
        ready = cluster.next_ready()
        at = min(next_tick, ready, next_glance)
        arrival = cluster.next_arrival()
        woken = habits.wakes_on_arrival and not cluster.copies and looked_at < arrival < at
        if woken:
            at = arrival
        if at >= end and (cluster.exhausted or at >= limit):
            break
        cluster.advance(at)
        if at == next_glance:
            next_glance += habits.look_when_waiting or NEVER
            if at != next_tick and cluster.longest_wait <= FREE_WAIT_SECONDS:
                continue
        if at == next_tick:
            next_tick += habits.tick_seconds
        elif at == ready and not (woken or habits.looks_when_ready):
            _note(points, cluster)
            continue
        looked_at = at
        cluster.scale(min(controller.look(cluster, at), world.max_copies))
        _note(points, cluster)
    finish = max(end, cluster.busy_until())
    cluster.advance(finish)
    return Outcome.of(controller.name, cluster, finish, points)


def _note(points: list[Point], cluster: Cluster) -> None:
    last = points[-1]
    if (last.desired, last.serving) != (cluster.desired_copies, cluster.serving_copies):
        points.append(Point(cluster.now, cluster.desired_copies, cluster.serving_copies))


__all__ = ["NEVER", "Controller", "Habits", "simulate"]
