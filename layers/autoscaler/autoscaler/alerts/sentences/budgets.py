"""Sentences about budgets that will not last, and about the kill switch."""

from __future__ import annotations

from ...spec import OnForecast
from ..events.budgets import (
    ForecastExceeded,
    ForecastRecovered,
    RunawayStopped,
    StopEnded,
    StopSet,
    WakePutDown,
)
from ..wording import spoken, usd
from .base import Sentence, told

_KEPT = (
    "Requests stay in their queues (SQS keeps them 14 days; after 13 they are refused with this as "
    "the reason)."
)


@told.register
def _(event: ForecastExceeded) -> Sentence:
    who = event.endpoint or "The stack"
    body = (
        f"{usd(event.spent_usd)} are spent in {event.month}, and with what such days cost lately "
        f"it will be about {usd(event.forecast_usd)} of {usd(event.monthly_usd)}. "
    )
    if event.on_forecast is OnForecast.CAP:
        body += "Until that is less it has one copy at most, and none kept warm."
    else:
        body += "Nothing is done about it: a higher budget, fewer copies or shorter windows would."
    return Sentence(f"{who} will probably exceed its budget", body)


@told.register
def _(event: ForecastRecovered) -> Sentence:
    who = event.endpoint or "The stack"
    body = f"About {usd(event.forecast_usd)} of {usd(event.monthly_usd)} are expected now."
    return Sentence(f"{who} will probably keep to its budget", body)


@told.register
def _(event: WakePutDown) -> Sentence:
    return Sentence(f"{event.endpoint} was put down before it was awake", event.why)


@told.register
def _(event: StopSet) -> Sentence:
    what, back = event.endpoint or "Everything", f"autoscaler start {event.endpoint}".rstrip()
    body = (
        f"{event.author}: {event.reason.rstrip('.')}. It goes to zero now, and nothing wakes "
        f"until `{back}`. {_KEPT}"
    )
    return Sentence(f"{what} is stopped", body)


@told.register
def _(event: StopEnded) -> Sentence:
    what = event.endpoint or "Everything"
    body = (
        f"{event.author} ended the stop after {spoken(event.since_seconds)}. What has requests "
        "waiting wakes with the next look."
    )
    if event.still_stopped:
        body += f" Still stopped on their own: {', '.join(event.still_stopped)}."
    return Sentence(f"{what} may wake again", body)


@told.register
def _(event: RunawayStopped) -> Sentence:
    body = (
        f"{event.saw} It goes to zero and does not wake until `autoscaler start "
        f"{event.endpoint}`: look first at what drives it. {_KEPT}"
    )
    return Sentence(f"{event.endpoint} ran away and was stopped", body)
