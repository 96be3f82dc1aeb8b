"""Our own policy in the simulator: the very function that the stack calls each minute."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from ..catalog.loading import expected_start
from ..catalog.models import known_model
from ..policy import (
    LONGEST_STAY,
    Bounds,
    Decision,
    History,
    Observation,
    Phase,
    Transition,
    decide,
    learn,
    remember,
)
from ..policy.arrivals import arriving, counted
from ..policy.attention import may_wait
from ..policy.types import Queued
from ..spec import EndpointSpec
from .cluster import Cluster
from .engine import Habits
from .served import Served
from .world import ORIGIN, World

TICK_SECONDS = 60.0
# A message that waits although copies serve asks for a look, at most so often.
WAITING_TICK_SECONDS = 15.0
_LEAD_TIMES_KEPT = 20


class Ours:
    """Builds observations from the cluster as `control.observe` does from AWS."""

    name = "ours"

    def __init__(self, spec: EndpointSpec, origin: datetime = ORIGIN) -> None:
        self._spec, self._origin = spec, origin
        facts = known_model(spec.model.id)
        self._history = History(estimated_start=expected_start(facts) if facts else None)
        self._phase, self._phase_since, self._asked_at = Phase.AWAKE, 0.0, 0.0
        self._last_active: float | None = None
        self._bounds = Bounds(0, spec.scaling.max_copies)
        self._looked_at = 0.0
        self._served = Served()
        self._wakes: dict[date, int] = {}
        self.last: Decision | None = None
        self.metrics_read = 0  # looks at which the stack would have read its metrics
        self._read: Observation | None = None  # as they were read last, at:
        self._read_at = origin

    def habits(self, world: World) -> Habits:
        return Habits(
            TICK_SECONDS,
            world.release_seconds,
            wakes_on_arrival=True,
            looks_when_ready=True,
            look_when_waiting=WAITING_TICK_SECONDS,
        )

    def look(self, cluster: Cluster, now: float) -> int:
        self._follow(cluster, now)
        moment = self._origin + timedelta(seconds=now)
        seen = self._observe(cluster, now)
        # What is not read now is read later for this minute too.
        self._history = learn(self._history, self._spec, seen, moment)
        seen = self._as_read(seen, cluster.waiting, moment)
        decision = self.last = decide(self._spec, seen, self._history, moment)
        self._bounds = decision.bounds
        if decision.recommendation:
            self._history = remember(self._history, decision.recommendation, LONGEST_STAY, moment)
        return self._carry_out(decision, now)

    def _follow(self, cluster: Cluster, now: float) -> None:
        """The phase as the state machines would have recorded it; who begins at zero sleeps."""
        if self.last is None and not cluster.desired_copies:
            self._phase = Phase.ASLEEP
        if self._phase is Phase.WAKING and cluster.serving_copies:
            self._phase, self._phase_since = Phase.AWAKE, now
            lead = timedelta(seconds=now - self._asked_at)
            leads = (*self._history.lead_times, lead)[-_LEAD_TIMES_KEPT:]
            self._history = replace(self._history, lead_times=leads)

    def _observe(self, cluster: Cluster, now: float) -> Observation:
        in_flight, waiting = cluster.in_flight, cluster.waiting
        came = cluster.arrived - bisect_left(cluster.trace.arrivals, self._looked_at)
        self._looked_at = now
        if in_flight or waiting or came:
            self._last_active = now
        at = self._origin
        active = None if self._last_active is None else at + timedelta(seconds=self._last_active)
        backlog, copies = in_flight + waiting, cluster.serving_copies
        self._served.note(cluster.arrived - backlog, now)
        queued = self._queued(backlog, now)
        served = self._served.busiest(now) if copies else None
        places = copies * cluster.world.concurrency_per_copy
        return Observation(
            phase=self._phase,
            phase_since=at + timedelta(seconds=self._phase_since),
            desired_copies=cluster.desired_copies,
            observed_copies=copies,
            bounds=self._bounds,
            backlog=backlog,
            in_flight=float(in_flight),
            last_active_at=active,
            seconds_per_request=cluster.mean_service(),
            wakes_today=self._wakes.get(self._day(now), 0),
            arrivals_per_second=arriving(served, queued, places),
            queued=queued,
            usd_per_copy_hour=cluster.world.usd_per_copy_hour,
        )

    def _queued(self, backlog: int, now: float) -> Queued:
        at, tick = self._origin + timedelta(seconds=now), timedelta(seconds=TICK_SECONDS)
        return counted(self._history.episode.queued, backlog, at, tick)

    def _as_read(self, seen: Observation, waiting: int, now: datetime) -> Observation:
        """What the stack's tick knows: of metrics that it leaves out, what they were before.
        Requests come straight to the endpoint; those that wait are those in its queue."""
        if self._read is not None:
            before = replace(
                seen,
                backlog=waiting,
                in_flight=self._read.in_flight,
                last_active_at=self._read.last_active_at,
                seconds_per_request=self._read.seconds_per_request,
                arrivals_per_second=self._read.arrivals_per_second,
            )
            if may_wait(self._spec, before, self._history, self._read_at, now):
                return before
        serves = seen.phase is Phase.AWAKE
        self._read, self._read_at = (seen if serves else None), now
        self.metrics_read += serves
        return seen

    def _carry_out(self, decision: Decision, now: float) -> int:
        if decision.transition is Transition.SLEEP:
            self._phase, self._phase_since = Phase.ASLEEP, now
            return 0
        if decision.transition is Transition.WAKE:
            self._phase, self._phase_since, self._asked_at = Phase.WAKING, now, now
            day = self._day(now)
            self._wakes[day] = self._wakes.get(day, 0) + 1
        return decision.copies

    def _day(self, now: float) -> date:
        """The UTC day, whose wakes are limited; a history begins at any time of one."""
        return (self._origin + timedelta(seconds=now)).astimezone(UTC).date()
