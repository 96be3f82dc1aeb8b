"""Many callers, one look."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from autoscaler.endpoints.status import EndpointRecord
from autoscaler.gateway import states
from autoscaler.gateway.states import States
from autoscaler.policy.types import Phase
from autoscaler.ports import Flow
from tests.memory import MemoryStore, MemoryWorld, memory_world
from tests.samples import asleep, awake, put, spec


class CountingStore(MemoryStore):
    looks = 0
    gate: threading.Event | None = None
    broken = False

    def load(self, name: str) -> EndpointRecord | None:
        self.looks += 1
        if self.gate is not None:
            assert self.gate.wait(5)
        if self.broken:
            raise ConnectionError("the table does not answer, as the test ordered")
        return super().load(name)


def seen() -> tuple[MemoryWorld, CountingStore]:
    store = CountingStore()
    return replace(memory_world(), store=store), store


def test_two_hundred_callers_read_the_table_once() -> None:
    world, store = seen()
    put(world, awake("llama"))

    async def ask() -> None:
        found = States(world)
        records = await asyncio.gather(*(found.record("llama") for _ in range(200)))
        assert all(record is not None for record in records)

    asyncio.run(ask())
    assert store.looks == 1


def test_a_name_that_can_be_none_costs_no_look() -> None:
    """A sort key of more than 1,024 bytes is an error in DynamoDB, and a caller chose it."""
    world, store = seen()
    put(world, awake("llama"))

    async def ask() -> None:
        found = States(world)
        for name in ("x" * 41, "llama#spec", "Llama", "", "llama\n"):
            assert await found.record(name) is None
        assert store.looks == 0
        assert await found.record("llama") is not None

    asyncio.run(ask())
    assert store.looks == 1


def test_a_stream_does_not_wait_for_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    world, store = seen()
    put(world, awake("llama"))
    monkeypatch.setattr(states, "GOOD_SECONDS", 0.0)

    async def ask() -> None:
        found = States(world)
        await found.record("llama")
        store.gate = threading.Event()
        began = time.monotonic()
        assert await found.record("llama") is not None
        assert time.monotonic() - began < 2
        await asyncio.sleep(0.1)
        assert store.looks == 2, "the next look is under way"
        store.gate.set()

    asyncio.run(ask())


def test_what_does_not_serve_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world, store = seen()
    put(world, asleep("llama"))
    monkeypatch.setattr(states, "GOOD_SECONDS", 0.0)

    async def ask() -> None:
        found = States(world)
        assert (await found.record("llama")).status.phase is Phase.ASLEEP
        store.save(store.records["llama"].status.model_copy(update={"phase": Phase.AWAKE}))
        assert (await found.record("llama")).status.phase is Phase.AWAKE

    asyncio.run(ask())


def test_a_thousand_who_wait_wish_one_wake() -> None:
    world, _ = seen()
    put(world, asleep("llama"))

    async def ask() -> None:
        found = States(world)
        wanted = await asyncio.gather(*(found.wanted("llama") for _ in range(1000)))
        assert {one.record.status.phase for one in wanted} == {Phase.WAKING}
        assert {one.serving for one in wanted} == {None}

    asyncio.run(ask())
    assert world.flows.started == [(Flow.WAKE, "llama", 2)]


def test_a_look_that_fails_is_told_and_the_next_one_is_made() -> None:
    world, store = seen()
    put(world, awake("llama"))

    async def ask() -> None:
        found = States(world)
        store.broken = True
        with pytest.raises(ConnectionError):
            await found.record("llama")
        store.broken = False
        found.forget("llama")
        assert await found.record("llama") is not None

    asyncio.run(ask())


def test_who_serves_is_asked_on_while_the_table_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, store = seen()
    put(world, awake("llama"))
    monkeypatch.setattr(states, "GOOD_SECONDS", 0.0)

    async def ask() -> None:
        found = States(world)
        await found.record("llama")
        store.broken = True
        for looks in range(2, 6):
            assert (await found.record("llama")).status.phase is Phase.AWAKE
            while store.looks < looks:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        store.broken = False
        store.save(store.records["llama"].status.model_copy(update={"phase": Phase.ASLEEP}))
        await found.record("llama")
        await asyncio.sleep(0.1)
        assert (await found.record("llama")).status.phase is Phase.ASLEEP

    asyncio.run(ask())


def test_a_look_that_hangs_is_waited_for_and_no_other_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, store = seen()
    put(world, awake("llama"))
    monkeypatch.setattr(states, "GOOD_SECONDS", 0.0)

    async def ask() -> None:
        found = States(world)
        await found.record("llama")
        store.gate = threading.Event()
        for _ in range(20):
            assert await found.record("llama") is not None
            await asyncio.sleep(0.01)
        assert store.looks == 2
        store.gate.set()

    asyncio.run(ask())


def test_who_waits_for_s3_keeps_nobody_from_looking() -> None:
    world, _ = seen()
    put(world, awake("llama"))

    async def ask() -> None:
        found, s3_answers = States(world), threading.Event()
        waiting = [
            asyncio.ensure_future(found.blocking(lambda: s3_answers.wait(10))) for _ in range(50)
        ]
        assert await asyncio.wait_for(found.record("llama"), 5) is not None
        s3_answers.set()
        await asyncio.gather(*waiting)

    asyncio.run(ask())


def test_a_fallback_that_serves_answers_meanwhile() -> None:
    world, _ = seen()
    put(world, awake("small"))
    gone = asleep("llama", phase=Phase.FAILED, failure="no capacity")
    put(world, gone, spec("llama", fallback="small"))

    async def ask() -> None:
        serving = (await States(world).wanted("llama")).serving
        assert serving is not None and serving.status.name == "small"

    asyncio.run(ask())


def test_who_goes_away_does_not_end_the_look_of_the_others() -> None:
    world, store = seen()
    put(world, awake("llama"))

    async def ask() -> None:
        found, store.gate = States(world), threading.Event()
        first = asyncio.create_task(found.record("llama"))
        second = asyncio.create_task(found.record("llama"))
        await asyncio.sleep(0.05)
        first.cancel()
        store.gate.set()
        assert await second is not None

    asyncio.run(ask())
    assert store.looks == 1
