"""What the gateway counts, and that nothing ends its counting."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from autoscaler.gateway import traffic
from autoscaler.gateway.states import States
from autoscaler.gateway.traffic import Counted
from tests.memory import NOON, memory_world


class StumblingClock:
    times = 0

    def now(self) -> datetime:
        self.times += 1
        if self.times == 1:
            raise OverflowError("cannot convert float infinity to integer")
        return NOON


def test_after_any_trouble_the_next_write_has_what_this_one_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traffic, "FLUSH_SECONDS", 0.01)
    clock = StumblingClock()
    world = replace(memory_world(), clock=clock)

    async def run() -> None:
        counted = Counted(world, States(world), at_once=False)
        await counted.answered("llama", {"prompt_tokens": 3, "completion_tokens": -1}, 0.5)
        writing = asyncio.create_task(counted.keep_writing())
        for _ in range(500):
            await asyncio.sleep(0.01)
            if world.store.counters:
                break
        assert not writing.done()
        writing.cancel()

    asyncio.run(run())
    assert clock.times > 1
    (found,) = world.store.counters.values()
    assert (found.requests, found.input_tokens, found.output_tokens) == (1, 3, 0)
    assert sum(found.waits.values()) == 1
