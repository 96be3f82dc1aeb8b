"""What Lambda tells when an asynchronous call came to nothing.

Lambda's developer guide, "Capturing records of Lambda asynchronous invocations": the function
failed in all its tries (RetriesExhausted), or was not run at all for six hours (EventAgeExceeded).
A record that names one of our functions is told whatever else it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator

from ..alerts.events.rounds import RoundFailed
from .boundary import Foreign

_LONGEST_FAILURE = 500  # characters of what a function said


def _text(value: Any) -> str:
    """One line, without what would be formatting, or no text at all, where it is read."""
    line = str(value or "").split("\n", 1)[0].replace("`", "'")
    plain = " ".join(line.encode(errors="replace").decode().split())
    return plain if len(plain) <= _LONGEST_FAILURE else plain[: _LONGEST_FAILURE - 3] + "..."


def _mapping(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {}


_Text = Annotated[str, BeforeValidator(_text)]


class _Said(Foreign):
    """By the function in its last try; nothing if it was not run."""

    errorType: _Text = ""
    errorMessage: _Text = ""


class _Order(Foreign):
    """With which a report is called."""

    period: _Text = ""
    closed: bool = False


class _Called(Foreign):
    functionArn: str
    condition: _Text = ""
    approximateInvokeCount: int = 0


class _Record(Foreign):
    timestamp: AwareDatetime
    requestContext: _Called
    requestPayload: Annotated[_Order, BeforeValidator(_mapping)] = _Order()
    responsePayload: Annotated[_Said, BeforeValidator(_mapping)] = _Said()


def round_failed(document: Mapping[str, Any], stack: str) -> RoundFailed:
    """Raises pydantic.ValidationError, and ValueError for a function of somebody else."""
    record = _Record.model_validate(document)
    context, said, order = record.requestContext, record.responsePayload, record.requestPayload
    name = context.functionArn.partition(":function:")[2].partition(":")[0]
    if not name.startswith(f"{stack}-"):
        raise ValueError("requestContext.functionArn: is no function of this stack")
    why = ": ".join(one for one in (said.errorType, said.errorMessage) if one)
    return RoundFailed(
        at=record.timestamp,
        function=name.removeprefix(f"{stack}-")[:64],
        failure=why or context.condition or "nothing was said",
        tries=max(0, context.approximateInvokeCount),
        period=order.period[:16],
        closed=order.closed,
    )
