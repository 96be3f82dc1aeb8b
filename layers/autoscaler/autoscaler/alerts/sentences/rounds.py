"""Sentences about functions that go their rounds."""

from __future__ import annotations

from ..events.rounds import RoundFailed
from .base import Sentence, told

_MEANWHILE = {
    "sweep-account": "Until it works again nobody looks for machines that no endpoint owns.",
    "report-costs": "`autoscaler report` writes the report that is missing.",
    "refresh-prices": "Costs are reckoned with the prices that were read before.",
}


@told.register
def _(event: RoundFailed) -> Sentence:
    failure = event.failure.rstrip(".")
    body = f"{failure}. It was tried three times. {_MEANWHILE.get(event.function, '')}"
    return Sentence(f"{event.function} does not work", body.rstrip())
