"""What becomes of single requests."""

from __future__ import annotations

from .base import Event, Seconds, Severity


class RequestAnswered(Event):
    """For the sender of one request; people do not read these."""

    told = False
    salient = ("request_id",)

    request_id: str
    result_uri: str
    waited_seconds: Seconds
    late: bool = False  # it came after its deadline
    reply_trouble: str = ""  # why its sender was not told otherwise, after the last try


class RequestWaited(Event):
    """A request waited although its endpoint is awake: the controller shall look now."""

    told = False
    salient = ("at",)

    waited_seconds: Seconds


class RequestRefused(Event):
    """`reason` has nothing of what was asked, nor of what the model said to it."""

    salient = ("request_id",)

    request_id: str
    reason: str
    code: str = ""
    reply_trouble: str = ""

    @property
    def severity(self) -> Severity:
        return Severity.WARNING
