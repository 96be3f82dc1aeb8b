"""What the table says of the endpoints, for many callers at once.

A look blocks, so that it runs in a thread; its result serves everybody for a second. Of an
endpoint that serves, an older one is taken while the next look is under way, and when that fails:
if it has fallen asleep meanwhile, SageMaker says so. So no stream waits for the table.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from ..control.asked_by import named
from ..control.fallback import stand_in
from ..control.patience import serves
from ..control.waking import wake_for
from ..control.world import World
from ..endpoints.status import EndpointRecord
from ..runtime.logs import logger
from ..spec import Kind
from ..spec.endpoint import LONGEST_NAME, NAME_PATTERN
from .troubles import logged

T = TypeVar("T")
GOOD_SECONDS = 1.0
# A gateway without requests looks at nothing; after so long it knows nothing.
_STALE_SECONDS = 30.0
_MOST_KEPT = 2000
_THREADS = 8
_NAME = re.compile(NAME_PATTERN)


@dataclass(frozen=True)
class Wanted:
    """An endpoint that was asked for, woken if it slept; `other` answers for it meanwhile."""

    record: EndpointRecord | None
    other: EndpointRecord | None = None

    @property
    def serving(self) -> EndpointRecord | None:
        """Whoever can be asked now."""
        for one in (self.record, self.other):
            if one is not None and serves_directly(one):
                return one
        return None


@dataclass
class _Kept:
    at: float
    look: asyncio.Future[Any]
    is_renewed: bool = False  # at this moment, by a look that is under way


class States:
    """Reads and wakes endpoints off the event loop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gateway")
        # Of their own: whoever waits for S3 or a queue keeps nobody from looking who needs neither.
        self._looks = ThreadPoolExecutor(_THREADS, thread_name_prefix="looks")
        self._kept: dict[tuple[str, str], _Kept] = {}

    async def record(self, name: str) -> EndpointRecord | None:
        """None: there is no endpoint of that name. What can be none is not looked for: a caller
        chose it, and DynamoDB fails for a key of thousands of bytes."""
        if not may_be_named(name):
            return None
        return await self._shared(
            ("record", name), lambda: self._world.store.load(name), _is_serving
        )

    async def all(self) -> list[EndpointRecord]:
        return await self._shared(("all", ""), self._world.store.load_all, _never)

    async def wanted(self, name: str, tenant: str = "") -> Wanted:
        """Wakes the endpoint as the dispatcher does, if it sleeps; of callers at the same time the
        first one's tenant is told as whom it wakes for."""
        who = named([tenant])
        return await self._shared(("wanted", name), lambda: self._want(name, who), _never)

    def forget(self, name: str) -> None:
        """What was read of it turned out to be old."""
        self._kept.pop(("record", name), None)
        self._kept.pop(("wanted", name), None)

    async def blocking(self, work: Callable[[], T]) -> T:
        """Runs one of boto3's calls where it stops nobody."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        for pool in (self._pool, self._looks):
            pool.shutdown(wait=False, cancel_futures=True)

    def _want(self, name: str, asked_by: str | None) -> Wanted:
        record = self._world.store.load(name)
        if record is None or serves_directly(record):
            return Wanted(record)
        record = wake_for(self._world, record, asked_by)
        return Wanted(record, stand_in(self._world, record, asked_by))

    async def _shared(
        self, key: tuple[str, str], work: Callable[[], T], still_good: Callable[[Any], bool]
    ) -> T:
        kept, now = self._kept.get(key), time.monotonic()
        if kept is None or now - kept.at > _STALE_SECONDS:
            kept = self._begin(key, work, now)
        elif now - kept.at > GOOD_SECONDS and kept.look.done():
            if kept.look.exception() is None and still_good(kept.look.result()):
                if not kept.is_renewed:
                    self._renew(key, work, now, kept)
            else:
                kept = self._begin(key, work, now)
        # Shielded: who goes away must not end the look of all the others.
        waited: Awaitable[T] = asyncio.shield(kept.look)
        return await waited

    def _begin(self, key: tuple[str, str], work: Callable[[], T], now: float) -> _Kept:
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        kept = _Kept(now, self._look(work))
        kept.look.add_done_callback(_seen)
        self._kept[key] = kept
        return kept

    def _renew(self, key: tuple[str, str], work: Callable[[], T], now: float, old: _Kept) -> None:
        """The old look goes on serving until the new one is over, and if that fails."""
        old.at, old.is_renewed = now, True

        def over(look: asyncio.Future[Any]) -> None:
            old.is_renewed = False
            if look.cancelled():
                return
            if (error := look.exception()) is not None:
                why = "an endpoint could not be looked at; what was seen of it last goes on"
                logger.error(why, extra=logged(error))
            elif self._kept.get(key) is old:
                self._kept[key] = _Kept(now, look)

        self._look(work).add_done_callback(over)

    def _look(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._looks, work)


def may_be_named(name: str) -> bool:
    return len(name) <= LONGEST_NAME and _NAME.fullmatch(name) is not None


def serves_directly(record: EndpointRecord) -> bool:
    """Whether its copies can be asked now; those of an async endpoint never answer the caller."""
    return serves(record) and record.spec.kind is not Kind.ASYNC


def _is_serving(record: EndpointRecord | None) -> bool:
    return record is not None and serves_directly(record)


def _never(_: Any) -> bool:
    return False


def _seen(look: asyncio.Future[Any]) -> None:
    """A failure is told to whoever waits; if nobody does any more, it is nobody's."""
    if not look.cancelled():
        look.exception()
