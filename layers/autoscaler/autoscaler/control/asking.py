"""One request and a model: it is asked, and its answer or its failure is stored."""

from __future__ import annotations

from ..endpoints.status import EndpointRecord
from ..ports import Answer, BusyError, ModelError, NoCapacityError, NotAllowedError
from ..spec import Kind
from .desk import Desk, Fate, Outcome
from .fallback import as_asked_of
from .kept_answers import keeping
from .late import hand_over
from .messages import Request
from .patience import WHEN_BUSY, WHEN_TROUBLED, held_up, paced, serves, time_until_ready
from .refusals import refusal_of_model
from .replies import UNSTORABLE, failed, postpone, refuse, store, troubled
from .shift import Shift
from .tried import tried


def asked(desk: Desk, shift: Shift, record: EndpointRecord, request: Request) -> Outcome:
    """What became of a request that only a model can answer: stored, handed over to an async
    endpoint, or put back for later. Raises what the desk's services raise, but not the model's."""
    name, sent_at = record.status.name, request.message.sent_at
    other, now = request.other, desk.world.clock.now()
    serving = other or record
    if not serves(serving):
        wait = time_until_ready(serving, sent_at, now)
        why = held_up(record, now) or f"the endpoint is {record.status.phase}"
        return postpone(desk, name, record, request, wait, why)
    if serving.spec.kind is Kind.ASYNC:
        return hand_over(desk, record, request)
    answer = tried(lambda: _answer_of(desk, serving, request), Exception)
    if shift.left_behind(request):
        return Outcome(request.message, Fate.POSTPONED)
    if isinstance(answer, Exception):
        return _not_answered(desk, record, request, answer)
    by = other.status.name if other else ""
    outcome = tried(lambda: store(desk, name, record, request, answer, by), *UNSTORABLE)
    if isinstance(outcome, Exception):
        return failed(desk, name, record, request, outcome)
    return outcome if other else keeping(desk, record, request.body, outcome)


def _answer_of(desk: Desk, serving: EndpointRecord, request: Request) -> Answer:
    body, spec = request.body, serving.spec
    body = as_asked_of(serving, body) if request.other else body
    return desk.models.ask(spec.name, body, spec.kind, spec.instances.shared or "")


def _not_answered(
    desk: Desk, record: EndpointRecord, request: Request, error: Exception
) -> Outcome:
    """No copy, or a busy one, is no failure; nor says anything of the endpoint that was asked what
    another one cannot take, or may not be asked. A refusal stays one; the rest is counted, and
    refused in the end."""
    name, sent_at, now = record.status.name, request.message.sent_at, desk.world.clock.now()
    if isinstance(error, NoCapacityError | BusyError):
        return postpone(desk, name, record, request, paced(WHEN_BUSY, sent_at, now), str(error))
    if request.other:
        wait = max(time_until_ready(record, sent_at, now), WHEN_TROUBLED)
        return postpone(desk, name, record, request, wait, str(error))
    if isinstance(error, NotAllowedError):
        return troubled(desk, name, request.message, error)
    if isinstance(error, ModelError):
        return refuse(desk, name, record, request, refusal_of_model(error))
    return failed(desk, name, record, request, error)
