"""Requests of an async endpoint: handed over once, and answered when their answer lies there.

A message stays in its queue meanwhile. A note in the table says that SageMaker has its request,
so that no other receive hands it over again; the note goes when SageMaker could not answer any
more. Whoever dies in between leaves a short one, and an answer's place follows from the request's
id: even a request that was handed over twice has one answer.
"""

from __future__ import annotations

from datetime import timedelta

from ..endpoints.completions import IncompleteAnswerError
from ..endpoints.late import WAITS_SECONDS, WORKS_SECONDS
from ..endpoints.status import EndpointRecord
from ..ports import BusyError, ExpiredError, ModelError, NotAllowedError, UnsureError
from .desk import Desk, Outcome
from .messages import Request
from .patience import WHEN_BUSY, paced
from .refusals import refusal_of_model
from .replies import UNSTORABLE, failed, postpone, refuse, store
from .tried import tried

# Longer than a dispatcher may run (15 min): nobody is still between its note and its call then.
ASKING = timedelta(minutes=20)
ASKED = timedelta(seconds=WAITS_SECONDS + WORKS_SECONDS) + ASKING
WHEN_ASKED = timedelta(seconds=10)


def arrived(desk: Desk, name: str, record: EndpointRecord, request: Request) -> Outcome | None:
    """What came of a request that was handed over before; None: nothing yet."""
    request_id = request.late_id
    answer = tried(
        lambda: desk.late.look(name, request_id), ModelError, ExpiredError, IncompleteAnswerError
    )
    if answer is None:
        return None
    if isinstance(answer, ModelError):
        outcome = refuse(desk, name, record, request, refusal_of_model(answer))
        _forget(desk, record, request_id)
        return outcome
    if isinstance(answer, Exception):
        _forget(desk, record, request_id)
        return failed(desk, name, record, request, answer)
    stored = tried(lambda: store(desk, name, record, request, answer), *UNSTORABLE)
    if isinstance(stored, Exception):
        _forget(desk, record, request_id)
        return failed(desk, name, record, request, stored)
    # The note stays: another message of the same id may have looked just before this one.
    desk.late.forget(name, request_id)
    return stored


def hand_over(desk: Desk, record: EndpointRecord, request: Request) -> Outcome:
    """Gives SageMaker the request unless it has it, and puts the message back to look later."""
    message, request_id = request.message, request.late_id
    name, now = record.status.name, desk.world.clock.now()
    note, holder = _note(record, request_id), message.receipt_handle
    why = "its answer has not come yet"
    if desk.asked.first_time(note, ASKING, holder):
        try:
            desk.late.ask(name, request_id, request.body)
        except UnsureError:
            desk.asked.first_time(note, ASKED, holder)
            raise
        except BusyError as busy:
            desk.asked.forget(note)
            wait = paced(WHEN_BUSY, message.sent_at, now)
            return postpone(desk, name, record, request, wait, str(busy))
        except NotAllowedError:
            desk.asked.forget(note)
            raise  # told as trouble; the message comes back until it is mended
        except Exception as error:  # noqa: BLE001 - counted, and refused with it in the end
            desk.asked.forget(note)
            return failed(desk, name, record, request, error)
        desk.asked.first_time(note, ASKED, holder)
    wait = paced(WHEN_ASKED, message.sent_at, now)
    return postpone(desk, name, record, request, wait, why)


def _forget(desk: Desk, record: EndpointRecord, request_id: str) -> None:
    """It may be asked anew: by its sender, or by the next receive."""
    desk.late.forget(record.status.name, request_id)
    desk.asked.forget(_note(record, request_id))


def _note(record: EndpointRecord, request_id: str) -> str:
    """Of this life of the endpoint: the queue of one that was deleted is gone with it."""
    life = int(record.status.created_at.timestamp())
    return f"async#{record.status.name}#{life}#{request_id}"
