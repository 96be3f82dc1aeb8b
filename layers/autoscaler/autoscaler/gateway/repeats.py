"""Answers that are kept for a request that comes again: found before a model is asked or woken,
and kept before the caller has the end of one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..control.kept_answers import find, is_deterministic, keep
from ..control.world import World
from ..endpoints.completions import IncompleteAnswerError, assemble, chunks
from ..endpoints.status import EndpointRecord
from ..ports import Answer, KeptAnswers
from ..runtime.logs import logger
from .asked import Asked
from .sse import DONE
from .states import States
from .troubles import logged

# No request waits longer for being looked for, no answer for being kept; S3 takes some 30 ms.
KEEP_SECONDS = 2.0


class Repeats:
    """Whatever goes wrong here, a request is none the worse for it: a model answers."""

    def __init__(self, world: World, states: States, answers: KeptAnswers) -> None:
        self._world, self._states, self._answers = world, states, answers

    def may_be_kept(self, asked: Asked, record: EndpointRecord) -> bool:
        return record.spec.answers.keep is not None and is_deterministic(asked.body)

    async def find(self, asked: Asked, record: EndpointRecord) -> Answer | None:
        if not self.may_be_kept(asked, record):
            return None
        body, now = asked.for_queue(record.spec), self._world.clock.now()
        looking = self._states.blocking(lambda: find(self._answers, record, body, now))
        try:
            return await asyncio.wait_for(looking, KEEP_SECONDS)
        except Exception as error:  # noqa: BLE001 - logged; it is as if nothing had been kept
            logger.error("kept answers could not be looked for", extra=logged(error))
            return None

    async def keep(self, asked: Asked, record: EndpointRecord, answer: Answer) -> None:
        body, now = asked.for_queue(record.spec), self._world.clock.now()

        def work() -> None:
            present = self._world.store.load(record.status.name)
            keep(self._answers, record, present, body, answer, now)

        try:
            await asyncio.wait_for(self._states.blocking(work), KEEP_SECONDS)
        except Exception as error:  # noqa: BLE001 - logged; the caller gets the answer
            logger.error("an answer could not be kept", extra=logged(error))

    async def keep_stream(
        self, asked: Asked, record: EndpointRecord, pieces: Sequence[bytes]
    ) -> None:
        try:
            # Megabytes, while others stream.
            answer = await asyncio.to_thread(assemble, pieces, asked.choices)
        except IncompleteAnswerError:
            return  # its caller saw how it ended
        await self.keep(asked, record, answer)


def as_events(body: Mapping[str, Any], *, usage: bool) -> bytes:
    """A whole answer as the stream that it once was."""
    told = (json.dumps(one, ensure_ascii=False).encode() for one in chunks(body, usage=usage))
    return b"".join(b"data: " + one + b"\n\n" for one in told) + DONE
