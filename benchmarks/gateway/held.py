"""A thousand connections that wait for one wake, and what they weigh."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass

import aiohttp
import psutil

from benchmarks.gateway.load import BODY, HEADERS

_PATIENCE_SECONDS = 120.0
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Weight:
    """Resident MiB of the gateway's process."""

    before: float
    held: float
    streaming: float
    answered: int


async def weighed(url: str, process: int, connections: int) -> Weight:
    """All are held and have heard so; then the model is up, and all are answered."""
    of = psutil.Process(process)
    before = of.memory_info().rss / _MIB
    signs = asyncio.Semaphore(0)
    most = [0.0]
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        callers = [asyncio.create_task(_held(session, url, signs)) for _ in range(connections)]
        for _ in range(connections):
            await asyncio.wait_for(signs.acquire(), _PATIENCE_SECONDS)
        held = of.memory_info().rss / _MIB
        os.kill(process, signal.SIGUSR1)
        watcher = asyncio.create_task(_watched(of, most))
        answered = sum(await asyncio.gather(*callers))
        watcher.cancel()
    return Weight(before, held, most[0], answered)


async def _watched(process: psutil.Process, most: list[float]) -> None:
    while True:
        most[0] = max(most[0], process.memory_info().rss / _MIB)
        await asyncio.sleep(0.05)


async def _held(session: aiohttp.ClientSession, url: str, signs: asyncio.Semaphore) -> bool:
    """Whether the comment of one who waits was followed by an answer."""
    said = b""
    async with session.post(url, json={**BODY, "model": "asleep"}, headers=HEADERS) as reply:
        async for data in reply.content.iter_any():
            if not said:
                signs.release()
            said += data
    return said.startswith(b": waking") and said.endswith(b"data: [DONE]\n\n")
