"""What becomes of single requests."""

from __future__ import annotations

from .base import Event, Seconds, Severity


class RequestAnswered(Event):
    """The answer lies at `result_uri`. For the sender of one request; people do not read these.
    `reply_trouble`: why its `reply_to` was not served."""

    told = False
    salient = ("request_id",)

    request_id: str
    result_uri: str
    waited_seconds: Seconds
    late: bool = False  # it came after its deadline
    reply_trouble: str = ""  # after the last try


class RequestWaited(Event):
    """A request waited although its endpoint is awake: the controller shall look now."""

    told = False
    salient = ("at",)

    waited_seconds: Seconds


class RequestRefused(Event):
    """A request will have no answer. `reason` has nothing of what was asked, nor of what the model
    said to it."""

    salient = ("request_id",)

    request_id: str
    reason: str
    code: str = ""
    reply_trouble: str = ""

    @property
    def severity(self) -> Severity:
        return Severity.WARNING
