"""What a person may order once: wake, sleep, delete; and what they may ask."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..endpoints.status import Cause, EndpointRecord, EndpointStatus
from ..policy.economy import lead_time
from ..policy.ladder import TryOutcome
from ..policy.schedule import bounds_at, next_edge
from ..policy.types import Phase
from ..policy.wording import counted
from .asked_by import named
from .budget_view import budget_of
from .closing import closed
from .fallback import falls_back
from .in_force import Kind, in_force, sentence, shown, sleeper
from .observe import history
from .signals import brought_up
from .wishes import ladder_step, request_retirement, request_sleep, request_wake
from .withheld import withheld_view
from .world import OrderError, World, find

HISTORY_LINES = 50


def wake(world: World, name: str, author: str) -> EndpointStatus:
    """Wakes an endpoint; one that is awake or waking is left as it is."""
    record = find(world, name)
    phase = record.status.phase
    if phase in (Phase.AWAKE, Phase.WAKING):
        return record.status
    if phase not in (Phase.ASLEEP, Phase.SLEEPING):
        raise OrderError(f"{name} is {phase}: it can be woken when it is ASLEEP")
    if put_to_sleep := sleeper(record.status, world.clock.now()):
        raise OrderError(
            f"{name} is {sentence(Kind.SLEEP_UNTIL, put_to_sleep)}; release it first: "
            f"autoscaler release {name}"
        )
    if shut := closed(record, world.clock.now()):
        raise OrderError(
            f"{name} would be put to sleep again at once: {shut.text}; keep it awake for a while: "
            f"autoscaler keep-warm {name} --for 1h"
        )
    text = f"{author} woke it."
    return request_wake(world, record, Cause.PERSON, 1, text, named([author])).status


def sleep(world: World, name: str, author: str) -> EndpointStatus:
    """Puts an endpoint to sleep; refuses while requests wait or its schedule keeps copies."""
    # What was at work since the tick read metrics last is no idle tail. Read before the record is,
    # so that nobody has time to write in between.
    load = world.load_of(find(world, name), world.clock.now())
    record = find(world, name)
    status, now = record.status, world.clock.now()
    if status.phase in (Phase.ASLEEP, Phase.SLEEPING):
        return status
    if status.phase is not Phase.AWAKE:
        raise OrderError(f"{name} is {status.phase}: it can be put to sleep when it is AWAKE")
    _refuse_to_be_woken_again(record, now)
    backlog = world.load.backlog(name)
    if backlog:
        raise OrderError(f"{backlog} requests are waiting for {name}: they would wake it again")
    record = brought_up(record, load, now)
    text = f"{author} put it to sleep."
    return request_sleep(world, record, Cause.PERSON, text, named([author])).status


def _refuse_to_be_woken_again(record: EndpointRecord, now: datetime) -> None:
    name, window = record.status.name, bounds_at(record.spec, now)
    found = in_force(record.status, now)
    if window.min_copies and Kind.SLEEP_UNTIL not in found:
        raise OrderError(
            f"the schedule keeps {name} at {window.min_copies} or more copies now "
            f"(window {window.name or 'outside all'}): it would wake again at once; keep it asleep "
            f"for a while: autoscaler sleep-until {name} --for 2h, or change the schedule"
        )
    for kind in (Kind.HOLD, Kind.KEEP_WARM, Kind.PAUSE_SCALE_IN):
        if kind in found:
            raise OrderError(
                f"{name} is {sentence(kind, found[kind])}; release it first: "
                f"autoscaler release {name}"
            )


def delete(
    world: World,
    name: str,
    discard_requests: bool,
    discard_weights: bool = False,
    cause: Cause = Cause.PERSON,
) -> EndpointStatus:
    """Retires an endpoint; refuses while its queue or its dead-letter queue holds requests, unless
    they shall be discarded. That, and that its weights shall go too, may also be said of a
    retirement that is under way already."""
    record = find(world, name)
    status = record.status
    if status.phase is Phase.RETIRING:
        said = status.model_copy(
            update={
                "discard_requests": status.discard_requests or discard_requests,
                "discard_weights": status.discard_weights or discard_weights,
                "cause": cause if cause is Cause.STACK_DELETED else status.cause,
            }
        )
        return status if said == status else world.store.save(said)
    if not discard_requests:
        _refuse_to_lose(world, name)
    return request_retirement(
        world,
        record,
        cause,
        discard_requests=discard_requests,
        discard_weights=discard_weights,
    ).status


def _refuse_to_lose(world: World, name: str) -> None:
    waiting = world.load.backlog(name) + world.load.deferrable(name)
    refused = world.load.dead_letters(name)
    lost, ways = [], []
    if waiting:
        lost.append(f"{counted(waiting, 'waiting request')} in {name}'s queue")
        ways.append("let them be answered")
    if refused:
        lost.append(f"{counted(refused, 'refused request')} in its dead-letter queue")
        ways.append("take the refused ones out")
    if lost:
        raise OrderError(
            f"{' and '.join(lost)} would be lost: {' and '.join(ways)}, or add --discard-requests"
        )


def describe(world: World, record: EndpointRecord, with_history: bool) -> dict[str, Any]:
    """What is known of an endpoint, JSON-able, for people and scripts."""
    now = world.clock.now()
    load = world.load_of(record, now)
    record = brought_up(record, load, now)
    status, edge, shut = record.status, next_edge(record.spec, now), closed(record, now)
    kept = {
        "name", "phase", "phase_since", "generation", "desired_copies", "observed_copies",
        "observed_instances", "instance_type", "bounds", "last_active_at", "hold", "failure",
        "failed_in", "retry_at", "last_reason", "last_reason_at", "wakes_today", "commit",
        "weights_uri", "cause", "wished_at",
    }  # fmt: skip
    return {
        **status.model_dump(mode="json", include=kept),
        "overrides": shown(status, now),
        "mode": world.mode.value,
        "withheld": withheld_view(status),
        "ladder": _ladder(record, now),
        **budget_of(record, now),
        "update": status.update.way if status.update else None,
        "team": record.spec.team,
        "model": record.spec.model.id,
        "kind": record.spec.kind.value,
        "window": bounds_at(record.spec, now).name,
        "closed": shut and {"window": shut.window, "until": shut.until.isoformat()},
        "backlog": load.backlog,
        "deferrable": load.deferrable,
        "next_edge": edge.isoformat() if edge else None,
        "lead_time_seconds": lead_time(history(record)).total_seconds(),
        **({"history": _lines(world, status.name)} if with_history else {}),
        **({"spec": record.spec.model_dump(mode="json")} if with_history else {}),
    }


def _ladder(record: EndpointRecord, now: datetime) -> dict[str, Any]:
    """The rung that is wished, and what failed since it last served."""
    status, step = record.status, ladder_step(record, now)
    failed = [one.outcome is not TryOutcome.SERVED for one in status.tries]
    in_a_row = failed[::-1].index(False) if False in failed else len(failed)
    return {
        "rung": status.shape.rung + 1,
        "rungs": len(record.spec.rungs),
        "types": list(record.spec.on_rung(status.shape.rung).instances.types),
        "failures": in_a_row,
        "circuit_open": step.circuit_open,
        "fallback": record.spec.fallback if falls_back(record, now) else None,
    }


def _lines(world: World, name: str) -> list[dict[str, Any]]:
    return [
        line.model_dump(mode="json", include={"at", "phase", "text", "generation", "asked_by"})
        for line in world.store.history(name, HISTORY_LINES)
    ]
