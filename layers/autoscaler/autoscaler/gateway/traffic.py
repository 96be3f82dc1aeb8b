"""Counts what the gateway answered, for the report: many requests, one write."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..control.world import World
from ..endpoints.completions import tokens_of
from ..endpoints.status import Traffic, utc_hour, wait_bin
from ..runtime.logs import logger
from .states import States
from .troubles import logged

FLUSH_SECONDS = 15.0
_SUMS = ("requests", "input_tokens", "output_tokens", "waited_seconds", "kept")


class Counted:
    """Sums by the endpoint that answered. `at_once`: where the process stands still between two
    requests (Lambda), each is written before it ends."""

    def __init__(self, world: World, states: States, *, at_once: bool) -> None:
        self._world, self._states, self._at_once = world, states, at_once
        self._sums: dict[str, dict[str, float]] = {}
        self._waits: dict[str, Counter[int]] = {}

    async def answered(
        self, endpoint: str, usage: Any, waited: float, *, kept: bool = False
    ) -> None:
        """`usage`: whatever a container says of it. `kept`: by an answer that was kept, for which
        no model was asked."""
        read, written = tokens_of(usage)
        sums = self._sums.setdefault(endpoint, dict.fromkeys(_SUMS, 0.0))
        sums["requests"] += 1
        sums["input_tokens"] += read
        sums["output_tokens"] += written
        sums["waited_seconds"] += waited
        sums["kept"] += kept
        self._waits.setdefault(endpoint, Counter())[wait_bin(waited)] += 1
        if self._at_once:
            await self.write()

    async def keep_writing(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.write()

    async def write(self) -> None:
        """What could not be written is kept for the next time, and the trouble is logged: no
        caller's answer depends on it."""
        for endpoint in list(self._sums):
            values, waits = self._sums.pop(endpoint), self._waits.pop(endpoint, Counter())
            try:
                await self._write(endpoint, values, waits)
            except Exception as error:  # noqa: BLE001 - logged, and counted the next time
                self._restore(endpoint, values)
                self._waits.setdefault(endpoint, Counter()).update(waits)
                logger.error("requests could not be counted", extra=logged(error))

    async def _write(self, endpoint: str, values: Mapping[str, float], waits: Counter[int]) -> None:
        counted = Traffic(
            endpoint=endpoint,
            start=utc_hour(self._world.clock.now()),
            requests=int(values["requests"]),
            input_tokens=int(values["input_tokens"]),
            output_tokens=int(values["output_tokens"]),
            waited_seconds=values["waited_seconds"],
            kept=int(values["kept"]),
            waits=waits,
        )
        await self._states.blocking(partial(self._world.store.count_traffic, counted))

    def _restore(self, endpoint: str, values: Mapping[str, float]) -> None:
        sums = self._sums.setdefault(endpoint, dict.fromkeys(_SUMS, 0.0))
        for name in _SUMS:
            sums[name] += values[name]
