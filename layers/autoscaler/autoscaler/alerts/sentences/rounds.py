"""Sentences about functions that go their rounds."""

from __future__ import annotations

from ...policy.wording import counted
from ..events.rounds import RoundFailed
from .base import Sentence, told

_MEANWHILE = {
    "sweep-account": "Until it works again nobody looks for machines that no endpoint owns.",
    "refresh-prices": "Costs are reckoned with the prices that were read before.",
}


@told.register
def _(event: RoundFailed) -> Sentence:
    failure = event.failure.rstrip(".")
    how = f"It failed in {counted(event.tries, 'try')}" if event.tries else "It was not run"
    what = f"{event.function} of the {event.period}" if event.period else event.function
    return Sentence(f"{what} does not work", f"{how}: {failure}. {_meanwhile(event)}".rstrip())


def _meanwhile(event: RoundFailed) -> str:
    if event.period:
        which = "--closed" if event.closed else "--last"
        return (
            f"`autoscaler report --period {event.period} {which}` writes the one that is missing."
        )
    return _MEANWHILE.get(event.function, "")
