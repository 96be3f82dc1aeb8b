"""Sentences about observe mode, and about what is not done in it."""

from __future__ import annotations

from ...endpoints.withheld import Would
from ...policy.wording import counted
from ..events.observing import ChangeWithheld, ObservingBegan, ObservingEnded
from ..wording import spoken, usd
from .base import Fact, Sentence, told


@told.register
def _(event: ObservingBegan) -> Sentence:
    body = (
        "Everything is decided, told and priced, and no endpoint is changed: what is awake stays "
        "awake, what sleeps is not woken, and its requests wait. Deploy the stack with Mode=act to "
        "let it act."
    )
    return Sentence("The stack only observes", body)


@told.register
def _(event: ObservingEnded) -> Sentence:
    body = (
        f"It observed for {spoken(event.since_seconds)}. What it decided meanwhile would have "
        f"saved about {usd(event.would_have_saved_usd)}. From now on it is done."
    )
    return Sentence("The stack acts again", body)


@told.register
def _(event: ChangeWithheld) -> Sentence:
    what = {
        Would.WAKE: f"would wake now, with {counted(event.after, 'copy')}",
        Would.SLEEP: "would go to sleep now",
        Would.RESIZE: f"would have {event.after} instead of {counted(event.before, 'copy')}",
    }[event.would]
    reasons = " ".join(event.reasons) or "No reason was given."
    body = f"{reasons} Nothing is changed: the stack only observes."
    return Sentence(f"{event.endpoint} {what}", body, tuple(_facts(event)))


def _facts(event: ChangeWithheld) -> list[Fact]:
    found: list[Fact] = []
    rate = event.saves_usd_per_hour
    if rate is None:
        found.append(("Price", usd(None)))
    elif rate:
        found.append(("Would save" if rate > 0 else "Would cost", f"{usd(abs(rate))} an hour"))
    if event.saved_usd is not None:
        found.append(("The sleep before would have saved", usd(event.saved_usd)))
    return found
