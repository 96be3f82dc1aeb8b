"""What the models of events have in common: what is wrong is named by its field, never quoted.

An event may hold what its sender asked, a signed URL, or what a container said; an error of a
handler goes into its log, its trace and the history of whoever called it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..spec.endpoint import NAME_PATTERN
from ..spec.sentences import cut

# The last millisecond that datetime knows.
_LAST_MILLISECOND = 253_402_300_799_999
_LONGEST_NAME = 40
_MOST_PROBLEMS = 100

EndpointName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=_LONGEST_NAME)]
# Of SageMaker's own: models, configs, endpoints; empty where there is none.
SageMakerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9](-*[A-Za-z0-9])*$", max_length=63)]
Generation = Annotated[int, Field(ge=0, le=2**53)]


class Boundary(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, defer_build=True, extra="forbid", hide_input_in_errors=True
    )


class Foreign(BaseModel):
    """Frozen; of what AWS sends, whose further keys are AWS's own affair."""

    model_config = ConfigDict(
        frozen=True, defer_build=True, extra="ignore", hide_input_in_errors=True
    )


def problems_of(invalid: ValidationError) -> list[str]:
    """A sentence for each wrong field; of what came it has the field's name alone, cut."""
    errors = invalid.errors(include_url=False, include_input=False)
    return [f"{_field(error)}: {_said(error)}" for error in errors[:_MOST_PROBLEMS]]


def _field(error: Any) -> str:
    path = ".".join(map(str, error["loc"]))
    if error["type"].startswith("union_tag_"):
        path = ".".join(filter(None, (path, error["ctx"]["discriminator"].strip("'"))))
    return cut(path)  # an unknown key is as long as its sender likes


def _said(error: Any) -> str:
    if error["type"] == "union_tag_invalid":  # pydantic's own words quote the tag whole
        return f"is none of {error['ctx']['expected_tags']}"
    return str(error["msg"])


def _text_or_none(value: Any) -> Any:
    return "" if value is None else value


class Variables(Foreign):
    """Frozen; what a function's environment has for it, beside what is not its affair. An error
    quotes none of them: credentials are among them."""


class QueueAttributes(Foreign):
    """What SQS says of a message, as numbers."""

    SentTimestamp: Annotated[int, Field(ge=0, le=_LAST_MILLISECOND)] = 0
    ApproximateReceiveCount: Annotated[int, Field(ge=1, le=2**31)] = 1


class QueueAttribute(Foreign):
    """What a sender put beside its message."""

    stringValue: Annotated[str, BeforeValidator(_text_or_none)] = ""


class QueueRecord(Foreign):
    """A message as Lambda hands it over."""

    messageId: Annotated[str, Field(min_length=1, max_length=200)]
    receiptHandle: str = ""  # only to put it off; SQS refuses one that is none
    body: str
    eventSourceARN: str = ""
    attributes: QueueAttributes = QueueAttributes()
    messageAttributes: dict[str, QueueAttribute] = {}


class QueueBatch(Foreign):
    """What Lambda hands over of a queue."""

    Records: tuple[QueueRecord, ...]
