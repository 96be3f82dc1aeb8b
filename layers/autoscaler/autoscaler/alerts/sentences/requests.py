"""Sentences about single requests."""

from __future__ import annotations

from ..events.requests import RequestAnswered, RequestRefused, RequestWaited
from ..wording import spoken
from .base import Sentence, told


@told.register
def _(event: RequestAnswered) -> Sentence:
    body = f"Request {event.request_id} waited {spoken(event.waited_seconds)}: {event.result_uri}"
    return Sentence(f"{event.endpoint} answered a request", body)


@told.register
def _(event: RequestWaited) -> Sentence:
    body = f"One waited {spoken(event.waited_seconds)} although it is awake: it is looked at now."
    return Sentence(f"{event.endpoint} has requests waiting", body)


@told.register
def _(event: RequestRefused) -> Sentence:
    reason = event.reason.rstrip(".")
    body = f"Request {event.request_id}: {reason}. It lies in the dead-letter queue."
    return Sentence(f"{event.endpoint} cannot answer a request", body)
