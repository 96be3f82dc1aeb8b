"""When the metrics of an endpoint that serves need not be read at this look.

CloudWatch is paid for by each metric that is asked for, and not by how many of its points come
back. So they are read when they could change the decision, and then for all the time since they
were read last: nothing is left unseen, it is seen a few minutes later. Queues, windows, overrides
and budgets are looked at every time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ..spec import EndpointSpec
from .decide import decide
from .types import History, Observation, Phase

# Never longer: what is learned of idle times and bursts should not be older, and a look after
# twice that would count as one that missed something (`learning`).
LONGEST_UNREAD = timedelta(minutes=8)
# From this part of the target on, more copies may soon be wanted. Below it a burst is left to
# Application Auto Scaling, which sees the load every ten seconds.
_CALM = 0.5


def may_wait(
    spec: EndpointSpec, seen: Observation, history: History, read_at: datetime, now: datetime
) -> bool:
    """Whether the metrics, as they were at `read_at`, may stand for now.

    `seen` has them in `in_flight` and its rates. They may if nothing waits, the one copy is not
    near its target (or no other is allowed), and the decision would stand although everything had
    ended at the moment in which they were read: work since then can only put a sleep off.
    """
    if seen.phase is not Phase.AWAKE or seen.backlog != 0 or seen.deferrable:
        return False
    if seen.in_flight is None or not seen.desired_copies == seen.observed_copies == 1:
        return False
    if now - read_at >= LONGEST_UNREAD:
        return False
    grows = spec.highest_max_copies > 1 and seen.in_flight > _CALM * spec.target_concurrency
    return not grows and _stands(spec, seen, history, now)


def _stands(spec: EndpointSpec, seen: Observation, history: History, now: datetime) -> bool:
    decision = decide(spec, replace(seen, in_flight=0.0), history, now)
    same = (decision.copies, decision.bounds) == (seen.desired_copies, seen.bounds)
    return decision.transition is None and same
