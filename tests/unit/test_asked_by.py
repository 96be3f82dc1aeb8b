"""For whom an endpoint wakes or sleeps: the tenant of a request, the author of a command or of an
override; from the wish into status, history, events and sentences."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.alerts.events.life import EndpointAwoke, EndpointSlept, WakeRequested
from autoscaler.alerts.grouping import grouped
from autoscaler.alerts.message import message_of
from autoscaler.alerts.slack import payload
from autoscaler.control import orders, overrides, retry
from autoscaler.control.asked_by import LONGEST, named
from autoscaler.control.awake import record_awake
from autoscaler.control.fallback import stand_in
from autoscaler.control.overrides import Asked
from autoscaler.control.reconcile import reconcile
from autoscaler.control.size import may_sleep
from autoscaler.control.wishes import request_wake, wished
from autoscaler.endpoints.status import Cause, HistoryEntry
from autoscaler.gateway.states import States
from autoscaler.policy.ladder import Try, TryOutcome
from autoscaler.policy.types import Hold, Override, OverrideKind, Phase
from autoscaler.ports import Load
from tests.alerts_events import WHO
from tests.desk import TestDesk, dispatch, memory_desk, message
from tests.memory import NOON, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec

NAME = "llama"
TWO_HOURS = Asked(timedelta(hours=2), "a demo", "ana")
UNTIL = NOON + timedelta(hours=2)
HELD = Hold(until=UNTIL, min_copies=1, reason="a demo", author="ana")
WARM = Override(OverrideKind.KEEP_WARM, NOON, UNTIL, "a demo", "ana")
SLEEPS = Override(OverrideKind.SLEEP_UNTIL, NOON, UNTIL, "no money", "ana", even_for_requests=True)


@pytest.fixture
def world() -> MemoryWorld:
    return memory_world()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], None),
        ([None, ""], None),
        (["acme"], "acme"),
        (["acme", None, "acme"], "acme"),
        (["search", "acme"], "acme and 1 other"),
        (["c", "a", "b"], "a and 2 others"),
        (["ana\n\nPay here"], "ana Pay here"),
        (["x" * 200], "x" * (LONGEST - 1) + "…"),
    ],
)
def test_names_are_on_one_line_and_bounded(names, said) -> None:
    assert named(names) == said


def asked(number: int, tenant: str = "") -> Any:
    options = {"id": f"r-{number}", **({"tenant": tenant} if tenant else {})}
    return message(number, {"prompt": "a secret plan", "autoscaler": options})


def by_two_tenants(desk: TestDesk) -> None:
    dispatch(desk, NAME, [asked(1, "search"), asked(2, "acme"), asked(3)])


def at_the_gateway(desk: TestDesk) -> None:
    asyncio.run(States(desk.world).wanted(NAME, "acme"))


def by_the_tick(desk: TestDesk) -> None:
    reconcile(desk.world)


def held(desk: TestDesk) -> None:
    overrides.hold(desk.world, NAME, 1, TWO_HOURS)


def kept_warm(desk: TestDesk) -> None:
    overrides.override(desk.world, NAME, OverrideKind.KEEP_WARM, TWO_HOURS)


def woken(desk: TestDesk) -> None:
    orders.wake(desk.world, NAME, "ana")


def tried_again(desk: TestDesk) -> None:
    retry.retry(desk.world, NAME, "ana")


WAKES: list[tuple[Callable[[TestDesk], None], dict[str, Any], str]] = [
    (by_two_tenants, {}, "acme and 1 other"),
    (at_the_gateway, {}, "acme"),
    (woken, {}, "ana"),
    (tried_again, {"retry_at": NOON + timedelta(minutes=9)}, "ana"),
    (held, {}, "ana"),
    (kept_warm, {}, "ana"),
    (by_the_tick, {"hold": HELD}, "ana"),
    (by_the_tick, {"overrides": (WARM,)}, "ana"),
]


@pytest.mark.parametrize(("wake", "status", "who"), WAKES)
def test_whoever_wakes_it_is_known_until_it_is_awake(wake, status, who) -> None:
    desk = memory_desk()
    world = desk.world
    put(world, asleep(NAME, **status))
    wake(desk)
    status = world.store.records[NAME].status
    assert (status.phase, status.asked_by) == (Phase.WAKING, who)
    requested = next(e for e in world.announcer.events if isinstance(e, WakeRequested))
    world.scaler.settle(NAME, 1)
    assert record_awake(world, NAME, status.generation)
    awoke = next(e for e in world.announcer.events if isinstance(e, EndpointAwoke))
    assert (requested.asked_by, awoke.asked_by) == (who, who)
    lines = [line for line in world.store.history(NAME) if line.cause]
    assert {line.asked_by for line in lines} == {who} and len(lines) == 2
    shown = orders.describe(world, world.store.records[NAME], with_history=True)
    assert who in {line["asked_by"] for line in shown["history"]}
    told = json.dumps([event.model_dump(mode="json") for event in world.announcer.events])
    assert "a secret plan" not in told, "no more of a request than its tenant's name"


def test_what_nobody_in_particular_asked_for_names_nobody(world) -> None:
    put(world, asleep(NAME))
    world.load.loads[NAME] = Load(backlog=3, concurrency_per_copy=None)
    reconcile(world)
    status = world.store.records[NAME].status
    assert (status.phase, status.cause, status.asked_by) == (Phase.WAKING, Cause.BACKLOG, None)


def test_the_endpoint_that_answers_for_another_wakes_for_its_tenant(world) -> None:
    tries = tuple(Try(NOON - timedelta(minutes=1), 0, TryOutcome.CAPACITY) for _ in range(9))
    put(world, asleep(NAME, tries=tries), spec(NAME, fallback="other"))
    put(world, asleep("other"))
    other = stand_in(world, world.store.load(NAME), "acme")
    assert other is not None and other.status.asked_by == "acme"


@pytest.mark.parametrize("status", [{"hold": HELD}, {"overrides": (WARM,)}])
def test_whose_hold_turns_a_sleep_round_is_known(world, status) -> None:
    put(world, awake(NAME, phase=Phase.SLEEPING, cause=Cause.IDLE, **status))
    assert not may_sleep(world, NAME, 1)
    assert world.store.records[NAME].status.asked_by == "ana"


def test_a_person_who_puts_it_to_sleep_is_known(world) -> None:
    put(world, awake(NAME))
    assert orders.sleep(world, NAME, "ana").asked_by == "ana"
    put(world, awake("other", overrides=(SLEEPS,)))
    world.scaler.settle("other", 1)
    reconcile(world)
    status = world.store.records["other"].status
    assert (status.phase, status.cause, status.asked_by) == (Phase.SLEEPING, Cause.PERSON, "ana")


def test_it_stays_with_a_wish_that_is_begun_again_and_with_no_other(world) -> None:
    record = put(world, asleep(NAME))
    waking = request_wake(world, record, Cause.MESSAGE, 1, "x", "acme").status
    again = wished(waking, Phase.WAKING, Cause.MESSAGE, NOON)
    assert again.asked_by == "acme"
    assert wished(waking, Phase.SLEEPING, Cause.FAILED_WAKE, NOON).asked_by is None


def test_what_an_older_release_wrote_is_read() -> None:
    status = asleep(NAME).model_dump_json(exclude={"asked_by"})
    assert type(asleep(NAME)).model_validate_json(status).asked_by is None
    line = HistoryEntry(endpoint=NAME, at=NOON, generation=1, phase=Phase.WAKING, text="x")
    old = line.model_dump_json(exclude={"asked_by"})
    assert HistoryEntry.model_validate_json(old).asked_by is None
    assert WakeRequested(**WHO, cause=Cause.MESSAGE, copies=1, expected_seconds=1).asked_by is None


WAKING = {"copies": 1, "expected_seconds": 300}
AWOKE = {"copies": 1, "lead_seconds": 272, "backlog": 0}
ANSWERED = "It answered 4 min 32 s after it was asked to wake"
SLEPT = "It was awake for 35 min and went to sleep"


@pytest.mark.parametrize(
    ("event", "begins"),
    [
        (
            WakeRequested(**WHO, **WAKING, cause=Cause.MESSAGE, asked_by="acme"),
            "It wakes for acme. 1 copy asked for, because a request arrived.",
        ),
        (
            WakeRequested(**WHO, **WAKING, cause=Cause.PERSON, asked_by="ana"),
            "It wakes, as ana asked. 1 copy asked for. Expected to answer in 5 min.",
        ),
        (
            WakeRequested(**WHO, **WAKING, cause=Cause.WINDOW),
            "1 copy asked for, because its schedule asks for it.",
        ),
        (
            EndpointAwoke(**WHO, **AWOKE, cause=Cause.MESSAGE, asked_by="acme and 1 other"),
            f"It woke for acme and 1 other. {ANSWERED}, because a request arrived.",
        ),
        (
            EndpointAwoke(**WHO, **AWOKE, cause=Cause.HOLD, asked_by="ana"),
            f"It woke, as ana asked. {ANSWERED}, because a hold asks for copies.",
        ),
        (
            EndpointAwoke(**WHO, **AWOKE, cause=Cause.PERSON, asked_by="ana"),
            f"It woke, as ana asked. {ANSWERED}.",
        ),
        (
            EndpointAwoke(**WHO, **AWOKE, cause=Cause.BACKLOG),
            f"{ANSWERED}, because requests are waiting.",
        ),
        (
            EndpointSlept(**WHO, awake_seconds=2100, reason=Cause.PERSON, asked_by="ana"),
            f"{SLEPT}, as ana asked. Zero",
        ),
        (
            EndpointSlept(**WHO, awake_seconds=2100, reason=Cause.IDLE),
            f"{SLEPT} because nobody used it. Zero",
        ),
    ],
)
def test_the_message_says_for_whom(event, begins) -> None:
    assert message_of(event).body.startswith(begins)


def test_a_group_says_it_of_each() -> None:
    one = EndpointAwoke(**WHO, **AWOKE, cause=Cause.MESSAGE, asked_by="acme")
    other = one.model_copy(update={"endpoint": "qwen", "cause": Cause.PERSON, "asked_by": "ana"})
    assert grouped([one, other]).body == (
        "llama (4 min 32 s for acme), qwen (4 min 32 s, as ana asked)"
    )


def test_slack_acts_on_no_name() -> None:
    event = EndpointAwoke(**WHO, **AWOKE, cause=Cause.PERSON, asked_by="<!channel> & <@U1>")
    raw = json.dumps(payload(message_of(event)))
    assert "<" not in raw and "as &lt;!channel&gt; &amp; &lt;@U1&gt; asked" in raw
