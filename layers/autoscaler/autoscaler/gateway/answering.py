"""From a request to its answer: passed through from a model that is awake, held until it is, or
taken with a ticket."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..aws.model import LARGEST_ANSWER_BYTES
from ..aws.streaming import BrokenStreamError, ModelStream, ModelStreams
from ..aws.tickets import NoQueueError, Tickets
from ..control.patience import expected_ready
from ..control.purse import barred
from ..endpoints.completions import assemble
from ..endpoints.status import EndpointRecord
from ..ports import Answer, BusyError, Clock, NoCapacityError
from ..runtime.logs import logger
from ..spec import Kind
from .asked import Asked, Patience
from .errors import GatewayError, retry_after
from .held import Held
from .out import Out
from .repeats import Repeats, as_events
from .sse import Passage
from .states import States, Wanted, serves_directly
from .stopping import Leaving
from .tickets import life_of_queue, new_ticket
from .traffic import Counted
from .troubles import logged
from .waiting import (
    UNSURE_SECONDS,
    because,
    refuse_if_barred,
    refuse_if_hopeless,
    refuse_if_over,
    sentence,
    without_queue,
)

_ANSWERED_BY = "x-autoscaler-answered-by"
_CACHED = "x-autoscaler-cached"


@dataclass(frozen=True)
class Pace:
    """Seconds between two signs of life of a stream that is held, and between two looks."""

    comment_seconds: float = 10.0
    look_seconds: float = 1.0
    retry_seconds: float = 2.0  # after a model that is up said that it takes nothing now


@dataclass(frozen=True)
class Question:
    """One caller's request and what is known of the caller's patience."""

    asked: Asked
    patience: Patience
    weight: int  # bytes of its body
    progress: bool  # events besides the comments
    began: float  # on the monotonic clock
    asked_at: datetime  # on the account's

    @property
    def due_at(self) -> datetime | None:
        """After it an answer is of no use."""
        return self.asked.options.due_at(self.asked_at)

    @property
    def name(self) -> str:
        return self.asked.endpoint

    @property
    def left(self) -> float:
        """Seconds of patience that are left."""
        return self.began + self.patience.seconds - time.monotonic()


class Answering:
    """Answers questions; one for a process."""

    def __init__(
        self,
        *,
        clock: Clock,
        states: States,
        streams: ModelStreams,
        tickets: Tickets,
        counted: Counted,
        held: Held,
        pace: Pace,
        repeats: Repeats,
        leaving: Leaving,
    ) -> None:
        self._clock, self._states, self._streams = clock, states, streams
        self._tickets, self._counted, self._held, self._pace = tickets, counted, held, pace
        self._repeats, self._leaving = repeats, leaving

    async def answer(self, question: Question, out: Out) -> None:
        """Raises GatewayError, or what went wrong."""
        record = await self._states.record(question.name)
        if record is None:
            raise await self._unknown(question.name)
        refuse_if_over(record, question.due_at, self._clock.now())
        if record.spec.kind is not Kind.ASYNC:  # of those alone the whole is asked for
            question.asked.refuse_unstreamable()
        later = question.patience.later  # also of a model that is awake: it may take hours
        if not later and (kept := await self._repeats.find(question.asked, record)) is not None:
            await self._repeat(question, kept, out)
            return
        if serves_directly(record) and not later:
            try:
                await self._ask(question, record, out)
                return
            except NoCapacityError:
                self._states.forget(question.name)  # it fell asleep since the last look
        if question.asked.options.deferrable and (later or record.spec.kind is Kind.ASYNC):
            refuse_if_hopeless(record)
            await self._ticket(question, record, out)  # the tick wakes for it when it is worth it
            return
        wanted = await self._states.wanted(question.name, question.asked.tenant)
        record = wanted.record or record
        refuse_if_hopeless(record)
        hasty = question.patience.seconds <= 0 and wanted.serving is None
        if record.spec.kind is Kind.ASYNC or later or hasty:
            await self._ticket(question, record, out)
            return
        if wanted.serving is None:
            refuse_if_barred(record, self._clock.now())
            spec = record.spec  # too large for a ticket: it is said now, not after the wait
            await self._states.blocking(lambda: question.asked.to_keep(spec))
        with self._held.place(question.weight):
            await self._hold(question, wanted, out)

    async def _unknown(self, name: str) -> GatewayError:
        there = sorted(record.status.name for record in await self._states.all())
        have = ", ".join(there) or "none yet"
        why = f"model: there is no endpoint {name!r:.60}; endpoints here: {have:.2000}"
        return GatewayError(404, "model_not_found", why, param="model")

    async def _hold(self, question: Question, wanted: Wanted, out: Out) -> None:
        """Until somebody serves, or the patience is over; then there is a ticket."""
        next_sign = next_try = 0.0
        record = wanted.record
        while record is not None:
            refuse_if_over(record, question.due_at, self._clock.now())
            refuse_if_hopeless(record)
            now = time.monotonic()
            if wanted.serving is not None and now >= next_try:
                try:
                    await self._ask(question, wanted.serving, out)
                    return
                except (NoCapacityError, BusyError):
                    self._states.forget(question.name)
                    next_try = now + self._pace.retry_seconds * random.uniform(0.5, 1.5)
            # Who waits when a budget ends or the kill switch is thrown keeps the request.
            stopped = wanted.serving is None and barred(record, self._clock.now())
            if question.left <= 0 or stopped or self._leaving.begun:
                await self._ticket(question, record, out)
                return
            if question.asked.stream and now >= next_sign:
                await self._sign(question, record, out)
                next_sign = now + self._pace.comment_seconds
            pause = self._pace.look_seconds * random.uniform(0.9, 1.1)
            await asyncio.sleep(min(pause, max(0.01, question.left)))
            wanted = await self._look_again(question, wanted)
            record = wanted.record
        raise GatewayError(503, "endpoint_removed", f"{question.name!r} was removed")

    async def _look_again(self, question: Question, before: Wanted) -> Wanted:
        """A look that fails is no reason to let go of who waits: the next one may not."""
        try:
            return await self._states.wanted(question.name, question.asked.tenant)
        except Exception as error:  # noqa: BLE001 - logged; the table mends itself or patience ends
            logger.error("an endpoint could not be looked at", extra=logged(error))
            return before

    async def _sign(self, question: Question, record: EndpointRecord, out: Out) -> None:
        now = self._clock.now()
        expected, why = expected_ready(record, now), because(record, now)
        progress = {"status": "waiting", **_standing(record, expected), **why}
        said = sentence(record, expected, why.get("because", ""))
        await out.begin_events()
        await out.alive(said, progress if question.progress else None)

    async def _repeat(self, question: Question, kept: Answer, out: Out) -> None:
        """No model was asked, and no token made."""
        headers = {_CACHED: "true"}
        await self._counted.answered(question.name, None, 0.0, kept=True)
        if not question.asked.stream:
            await out.document(200, kept.body, headers)
            return
        await out.begin_events(headers)
        await out.pass_on(as_events(kept.body, usage=question.asked.wants_usage))
        await out.end()

    async def _ask(self, question: Question, serving: EndpointRecord, out: Out) -> None:
        """Raises before the first byte of an answer, or the answer is broken."""
        asked, name = question.asked, serving.status.name
        waited = time.monotonic() - question.began
        headers = {_ANSWERED_BY: name} if name != question.name else {}
        own = name == question.name and self._repeats.may_be_kept(asked, serving)
        async with await self._streams.open(serving.spec, asked.for_model(serving.spec)) as stream:
            if not asked.stream:
                found = await _whole(stream, asked.choices)
                await self._counted.answered(name, found.body.get("usage"), waited)
                if own:  # before its caller has it, who may be gone at once, and this with him
                    await self._repeats.keep(asked, serving, found)
                await out.document(200, found.body, headers)
                return
            passage = Passage(keep_usage=asked.wants_usage, choices=asked.choices)
            pieces = await _passed_on(stream, passage, out, headers, keep=own)
            await self._counted.answered(name, passage.usage, waited)
        if own:
            await self._repeats.keep_stream(asked, serving, pieces)
        await out.end()

    async def _ticket(self, question: Question, record: EndpointRecord, out: Out) -> None:
        """The request is stored and queued before its sender is told so."""
        asked, ticket, now = question.asked, new_ticket(question.name), self._clock.now()

        def keep() -> None:
            body, tenant = asked.to_keep(record.spec), asked.tenant
            told = asked.told(now - question.asked_at)
            self._tickets.keep(question.name, ticket, body, tenant, told, life_of_queue(record))

        try:
            await self._states.blocking(keep)
        except NoQueueError:
            raise without_queue(record, now) from None
        expected, held = expected_ready(record, now), because(record, now)
        where = f"/v1/requests/{ticket}"
        again = retry_after(expected, UNSURE_SECONDS)
        if out.status:  # a stream has begun: no other status can be given
            why = f"{question.name!r} is not awake yet; the request is kept: GET {where}"
            why += "".join(f"; {text}" for text in held.values())
            more = {"ticket": ticket, "location": where, "retry_after": int(again["retry-after"])}
            raise GatewayError(503, "still_waiting", why, more=more)
        document = {"id": ticket, "status": "waiting", **_standing(record, expected), **held}
        await out.document(202, document, {"location": where, **again})


def _standing(record: EndpointRecord, expected: Any) -> dict[str, Any]:
    """How it stands, for programs. `expected_seconds` None: nobody can say."""
    seconds = None if expected is None else round(expected.total_seconds())
    status = record.status
    return {"endpoint": status.name, "phase": status.phase.value, "expected_seconds": seconds}


async def _whole(stream: ModelStream, choices: int) -> Answer:
    chunks = [data async for data in _bounded(stream)]
    return await asyncio.to_thread(assemble, chunks, choices)


async def _passed_on(
    stream: ModelStream, passage: Passage, out: Out, headers: dict[str, str], *, keep: bool
) -> list[bytes]:
    """Its pieces, if they are kept. Raises BrokenStreamError; before the first whole event that can
    still be a status."""
    pieces: list[bytes] = []
    async for data in _bounded(stream):
        if keep:
            pieces.append(data)
        if whole := passage.passed(data):
            await out.begin_events(headers)
            await out.pass_on(whole)
    if rest := passage.rest():
        await out.begin_events(headers)
        await out.pass_on(rest)
    return pieces


async def _bounded(stream: ModelStream) -> AsyncIterator[bytes]:
    """Raises BrokenStreamError where the dispatcher takes no more of an answer either."""
    size = 0
    async for data in stream:
        size += len(data)
        if size > LARGEST_ANSWER_BYTES:
            raise BrokenStreamError(f"its answer is longer than {LARGEST_ANSWER_BYTES:,} bytes")
        yield data
