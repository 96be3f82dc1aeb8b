"""Answers that are kept: a deterministic request that comes again needs no model, and wakes none.

Same is what gives the same answer: the endpoint in its present life, the model's commit, what of
`serving` changes an answer, and the whole body but how it is to be sent back and for whom. Another
file therefore finds nothing of before; what is not found any more expires.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from ..ports import Answer, KeptAnswer, KeptAnswers
from .desk import Desk, Outcome
from .messages import Request
from .replies import store

# They say how the answer is sent, and for whom it is; none changes what it says.
_NOT_OF_THE_ANSWER = {"stream", "stream_options", "user", "metadata", "autoscaler"}
# A whole number beyond it may be another one as a float.
_LARGEST_EXACT = 2**53


def find(
    answers: KeptAnswers, record: EndpointRecord, body: Mapping[str, Any], now: datetime
) -> Answer | None:
    """The kept answer of a request; None: a model has to answer it. Raises what the port raises.

    It has no tokens: none were made for it. `body` has its own `usage` still.
    """
    keep, key = record.spec.answers.keep, digest(record, body)
    if keep is None or key is None:
        return None
    found = answers.find(record.status.name, key)
    if found is None or now >= found.kept_at + keep:
        return None
    return Answer(found.body, 0, 0)


def keep(
    answers: KeptAnswers,
    asked: EndpointRecord,
    present: EndpointRecord | None,
    body: Mapping[str, Any],
    answer: Answer,
    now: datetime,
) -> bool:
    """Keeps an answer; whether it did. `asked`: the endpoint as it was when the model was asked.

    While an update rolls, nobody knows whether a copy of the old or the new file has answered; so
    nothing is kept then, nor if the endpoint has had another wish in between.
    """
    key = digest(asked, body)
    if asked.spec.answers.keep is None or key is None or present is None:
        return False
    before, after = asked.status, present.status
    if Phase.UPDATING in (before.phase, after.phase) or before.generation != after.generation:
        return False
    return answers.put(before.name, key, KeptAnswer(answer.body, now))


def is_deterministic(body: Mapping[str, Any]) -> bool:
    """Whether the same request has the same answer: temperature 0 or a seed, and one answer."""
    parameters = body.get("parameters")
    options = parameters if "inputs" in body and isinstance(parameters, Mapping) else body
    if not _is(body.get("n", 1), 1):
        return False
    seeded = isinstance(options.get("seed"), int) and not isinstance(options["seed"], bool)
    return seeded or _is(options.get("temperature"), 0) or options.get("do_sample") is False


def digest(record: EndpointRecord, body: Mapping[str, Any]) -> str | None:
    """SHA-256, in hex, over all that an answer depends on; None: no two answers need be the same,
    or the commit is not known yet."""
    spec, status = record.spec, record.status
    if status.commit is None or not is_deterministic(body):
        return None
    served = spec.serving.model_dump(include={"engine", "image", "context_tokens", "parameters"})
    asked = {name: value for name, value in body.items() if name not in _NOT_OF_THE_ANSWER}
    whole = {
        "endpoint": [spec.name, status.created_at.isoformat()],
        "model": [spec.model.id, status.commit],
        "serving": served,
        "body": asked,
    }
    canonical = json.dumps(_canonical(whole), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def answered_before(
    desk: Desk, record: EndpointRecord, request: Request
) -> tuple[Outcome | None, Exception | None]:
    """The request's outcome, if its like was answered and kept; what went wrong with looking.

    Whatever it is, the request is none the worse for it: a model answers.
    """
    try:
        answer = find(desk.kept, record, request.body, desk.world.clock.now())
    except Exception as error:  # noqa: BLE001 - told; it is as if nothing had been kept
        return None, error
    if answer is None:
        return None, None
    name = record.status.name
    return store(desk, name, record, request, answer, cached=True), None


def keeping(
    desk: Desk, record: EndpointRecord, body: Mapping[str, Any], outcome: Outcome
) -> Outcome:
    """The same outcome, its answer kept for the next request that is the same. That it could not
    be is told, and nothing else: the answer is stored."""
    if record.spec.answers.keep is None or outcome.answer is None or not is_deterministic(body):
        return outcome
    try:
        present = desk.world.store.load(record.status.name)
        keep(desk.kept, record, present, body, outcome.answer, desk.world.clock.now())
    except Exception as error:  # noqa: BLE001 - told
        return replace(outcome, trouble=error)
    return outcome


def _is(value: Any, number: int) -> bool:
    """JSON's true is no 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == number


def _canonical(value: Any) -> Any:
    """One spelling of what means the same: 0.0 is 0. The order of keys is settled by the dump."""
    if isinstance(value, Mapping):
        return {name: _canonical(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(one) for one in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_EXACT:
        return int(value)
    return value
