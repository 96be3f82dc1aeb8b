"""Callers of a model: the same client whether they go to the stand-in or to the gateway."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import aiohttp

from benchmarks.gateway.served import KEY

BODY = {
    "model": "awake",
    "messages": [{"role": "user", "content": "Why is the sky blue? " * 20}],
    "max_tokens": 40,
    "stream": True,
}
HEADERS = {"authorization": f"Bearer {KEY}"}


@dataclass
class Seen:
    """Seconds until the first bytes of an answer, and until its last."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


async def measured(url: str, streams: int, each: int, spread: float) -> Seen:
    """So many streams at a time, each asking again when it is over; they begin spread out over so
    many seconds, as callers do. The first answer of each opens a connection: not counted."""
    seen = Seen()
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def caller(number: int) -> None:
            await asyncio.sleep(spread * number / streams)
            await _asked(session, url, Seen())
            for _ in range(each):
                await _asked(session, url, seen)

        await asyncio.gather(*map(caller, range(streams)))
    return seen


async def _asked(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    began = time.perf_counter()
    async with session.post(url, json=BODY, headers=HEADERS) as reply:
        first, size = 0.0, 0
        async for data in reply.content.iter_any():
            first = first or time.perf_counter() - began
            size += len(data)
        if reply.status != 200 or size < 1000:
            raise RuntimeError(f"{url} answered {reply.status} with {size} bytes")
    seen.first.append(first)
    seen.whole.append(time.perf_counter() - began)
