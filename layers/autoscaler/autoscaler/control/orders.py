"""What a person may order: wake, sleep, hold, release, delete; and what they may ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..alerts.events.life import HoldEnded, HoldSet
from ..endpoints.status import Cause, EndpointRecord, EndpointStatus
from ..policy.economy import lead_time
from ..policy.ladder import TryOutcome
from ..policy.schedule import bounds_at, next_edge
from ..policy.types import Hold, Phase
from .budget_view import budget_of
from .fallback import falls_back
from .observe import history
from .purse import barred
from .telling import tell, telling
from .wishes import entry, ladder_step, request_retirement, request_sleep, request_wake
from .world import UnknownEndpointError, World

HISTORY_LINES = 50


class OrderError(ValueError):
    """An order that cannot be carried out now; says why and what would work."""


def find(world: World, name: str) -> EndpointRecord:
    """Returns the endpoint; raises UnknownEndpointError naming those there are."""
    record = world.store.load(name)
    if record is None:
        raise UnknownEndpointError(name, [r.status.name for r in world.store.load_all()])
    return record


def wake(world: World, name: str, author: str) -> EndpointStatus:
    """Wakes an endpoint; one that is awake or waking is left as it is."""
    record = find(world, name)
    phase = record.status.phase
    if phase in (Phase.AWAKE, Phase.WAKING):
        return record.status
    if phase not in (Phase.ASLEEP, Phase.SLEEPING):
        raise OrderError(f"{name} is {phase}: it can be woken when it is ASLEEP")
    return request_wake(world, record, Cause.PERSON, 1, f"{author} woke it.").status


def sleep(world: World, name: str, author: str) -> EndpointStatus:
    """Puts an endpoint to sleep; refuses while requests wait or its schedule keeps copies."""
    record = find(world, name)
    status, now = record.status, world.clock.now()
    if status.phase in (Phase.ASLEEP, Phase.SLEEPING):
        return status
    if status.phase is not Phase.AWAKE:
        raise OrderError(f"{name} is {status.phase}: it can be put to sleep when it is AWAKE")
    window = bounds_at(record.spec, now)
    if window.min_copies:
        raise OrderError(
            f"the schedule keeps {name} at {window.min_copies} or more copies now "
            f"(window {window.name or 'outside all'}): it would wake again at once; "
            "change the schedule and apply it"
        )
    if status.hold and status.hold.until > now:
        raise OrderError(
            f"{name} is held by {status.hold.author} until {status.hold.until:%Y-%m-%d %H:%M} UTC; "
            f"release it first: autoscaler release {name}"
        )
    backlog = world.load.backlog(name)
    if backlog:
        raise OrderError(f"{backlog} requests are waiting for {name}: they would wake it again")
    return request_sleep(world, record, Cause.PERSON, f"{author} put it to sleep.").status


def hold(
    world: World, name: str, duration: timedelta, min_copies: int, reason: str, author: str
) -> EndpointStatus:
    """Keeps at least so many copies until the hold expires by itself."""
    record = find(world, name)
    highest = record.spec.highest_max_copies
    if not 0 <= min_copies <= highest:
        raise OrderError(f"min_copies {min_copies} is not within 0..{highest}, {name}'s bounds")
    if duration <= timedelta(0):
        raise OrderError("a hold must last longer than nothing: --for 2h")
    now = world.clock.now()
    if min_copies and (bar := barred(record, now)):
        raise OrderError(f"a hold would keep no copy of {name} awake: {bar.reason.text}")
    held = Hold(until=now + duration, min_copies=min_copies, reason=reason, author=author)
    text = f"{author} holds at least {min_copies} copies until {held.until:%Y-%m-%d %H:%M} UTC: "
    status = record.status.model_copy(update={"hold": held})
    told = HoldSet(
        endpoint=name,
        generation=status.generation,
        at=now,
        min_copies=min_copies,
        until=held.until,
        author=author,
        reason=reason,
    )
    lines = [entry(status, now, text + reason)]
    saved = tell(world, world.store.save(telling(status, told), entries=lines))
    if min_copies and saved.phase in (Phase.ASLEEP, Phase.SLEEPING):
        record = record.having(saved)
        return request_wake(world, record, Cause.HOLD, min_copies, text + reason).status
    return saved


def release(world: World, name: str, author: str) -> EndpointStatus:
    """Ends a hold before its time."""
    record = find(world, name)
    if record.status.hold is None:
        return record.status
    now = world.clock.now()
    status = record.status.model_copy(update={"hold": None})
    told = HoldEnded(endpoint=name, generation=status.generation, at=now, author=author)
    lines = [entry(status, now, f"{author} released the hold.")]
    return tell(world, world.store.save(telling(status, told), entries=lines))


def delete(
    world: World, name: str, discard_requests: bool, discard_weights: bool = False
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
            }
        )
        return status if said == status else world.store.save(said)
    if not discard_requests:
        _refuse_to_lose(world, name)
    return request_retirement(
        world,
        record,
        Cause.PERSON,
        discard_requests=discard_requests,
        discard_weights=discard_weights,
    ).status


def _refuse_to_lose(world: World, name: str) -> None:
    waiting = world.load.backlog(name) + world.load.deferrable(name)
    refused = world.load.dead_letters(name)
    if waiting or refused:
        raise OrderError(
            f"{waiting} requests are waiting in {name}'s queue and {refused} refused ones lie in "
            "its dead-letter queue; both would be lost: let the first be answered and take the "
            "others out, or add --discard-requests"
        )


def describe(world: World, record: EndpointRecord, with_history: bool) -> dict[str, Any]:
    """What is known of an endpoint, JSON-able, for people and scripts."""
    status, now = record.status, world.clock.now()
    edge = next_edge(record.spec, now)
    kept = {
        "name", "phase", "phase_since", "generation", "desired_copies", "observed_copies",
        "observed_instances", "instance_type", "bounds", "last_active_at", "hold", "failure",
        "failed_in", "retry_at", "last_reason", "last_reason_at", "wakes_today", "commit",
        "weights_uri", "cause", "wished_at",
    }  # fmt: skip
    load = world.load_of(record, now)
    return {
        **status.model_dump(mode="json", include=kept),
        "ladder": _ladder(record, now),
        **budget_of(record, now),
        "update": status.update.way if status.update else None,
        "team": record.spec.team,
        "model": record.spec.model.id,
        "kind": record.spec.kind.value,
        "window": bounds_at(record.spec, now).name,
        "backlog": load.backlog,
        "deferrable": load.deferrable,
        "next_edge": edge.isoformat() if edge else None,
        "lead_time_seconds": lead_time(history(record)).total_seconds(),
        **({"history": _lines(world, status.name)} if with_history else {}),
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
        line.model_dump(mode="json", include={"at", "phase", "text", "generation"})
        for line in world.store.history(name, HISTORY_LINES)
    ]
