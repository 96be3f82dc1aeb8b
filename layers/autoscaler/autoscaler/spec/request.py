"""What a request says besides the body for its model: a message's reserved key `autoscaler`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from .durations import Duration
from .numbers import Whole
from .sentences import sentence

RESERVED = "autoscaler"
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"
TENANT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
FIRST, USUAL, LAST = 9, 5, 0
# The queue of what may wait is read once a tick has seen something in it (a quarter of an hour at
# most), and a start may take three more: what is due sooner goes where it is read at once.
_LIES_UNREAD = timedelta(hours=2)
_LONGEST_URL = 2048
# Each key that is wrong has its sentence, and is compared with those that there are.
_MOST_KEYS = 32
_LONGEST_COMPARED = 40
_QUEUE = re.compile(
    r"https?://[A-Za-z0-9.:-]+/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?"
    r"|arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?"
)
_DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FORMS: Mapping[str, str] = {
    "id": "cannot name a result: 1 to 128 of letters, digits and _ . : -",
    "tenant": "is not a tenant's name: 1 to 64 of letters, digits and _ . -",
    "body": "is not where a body may lie: s3://BUCKET/requests/ENDPOINT/ID.json",
}
_KINDS: Mapping[str, str] = {"timezone_aware": "has no time zone: end it with Z or an offset"}
_NO_TIME = "is not a time such as 2026-11-26T12:00:00Z"


class RequestError(ValueError):
    """Options that cannot be accepted; `problems` holds one sentence per field. `told` names the
    fields alone, where the sentences have the beginning of a value."""

    def __init__(self, problems: list[str], told: str = "") -> None:
        self.problems, self.told = problems, told
        super().__init__("; ".join(problems))


def _switch(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("0s leaves no time for an answer: at least 1s")
    return value


def _moment(value: Any) -> Any:
    """Numbers would be taken for seconds since the epoch, and so would text of digits."""
    dated = isinstance(value, str) and _DATED.match(value)
    if not dated and not isinstance(value, datetime):
        raise ValueError(f"{value!r:.80} {_NO_TIME}")
    return value


def _callback(value: Any) -> Any:
    """Its value is in no sentence: a callback's URL is mostly a secret."""
    if value is None:
        return None
    try:
        parts = urlsplit(value) if isinstance(value, str) and len(value) <= _LONGEST_URL else None
        usual = parts is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, usual = None, False
    if parts is None or not usual or not parts.hostname:
        raise ValueError(f"is not a URL of at most {_LONGEST_URL} characters")
    if parts.scheme != "https":
        raise ValueError("a callback goes by https only")
    if (
        parts.username is not None
        or parts.fragment
        or not value.isascii()
        or not value.isprintable()
        or " " in value  # http.client would not send it
    ):
        raise ValueError("has a user, a fragment or characters that belong in no URL")
    return value


def _queue(value: Any) -> Any:
    if not isinstance(value, str) or not _QUEUE.fullmatch(value):
        raise ValueError(f"{value!r:.80} is neither the URL nor the ARN of an SQS queue")
    return value


Switch = Annotated[bool, BeforeValidator(_switch)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")


class ReplyTo(_Part):
    """Where the answer is told besides its result: one of a queue, a callback, or the event alone.

    Queues and callbacks must be in the stack's allow-lists.
    """

    queue: Annotated[str, BeforeValidator(_queue)] | None = None
    url: Annotated[str | None, BeforeValidator(_callback), Field(repr=False)] = None
    event: Switch | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [one for one in (self.queue, self.url, self.event) if one]
        if len(given) != 1 or self.event is False:
            raise ValueError("give exactly one of `queue`, `url` and `event: true`")
        return self


class RequestOptions(_Part):
    """Frozen; unknown keys are refused. Times are aware; `ttl` counts from when it was sent."""

    id: Annotated[str, Field(pattern=ID_PATTERN)] | None = None
    priority: Annotated[Whole, Field(ge=LAST, le=FIRST)] = USUAL
    deadline: Annotated[AwareDatetime, BeforeValidator(_moment)] | None = None
    ttl: Annotated[Duration, AfterValidator(_positive)] | None = None
    deferrable: Switch = False
    reply_to: ReplyTo | None = None
    tenant: Annotated[str, Field(pattern=TENANT_PATTERN)] | None = None
    body: Annotated[str, Field(pattern=r"^s3://[^/\s]+/requests/[^/\s]+/[^/\s]+\.json$")] | None = (
        None
    )

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.deadline is not None and self.ttl is not None:
            raise ValueError("give `deadline` or `ttl`, not both")
        return self

    def due_at(self, sent_at: datetime) -> datetime | None:
        """When an answer comes too late; None: never."""
        if self.deadline is not None:
            return self.deadline
        return None if self.ttl is None else sent_at + self.ttl


def parse_options(value: Any) -> RequestOptions:
    """Returns the options under the reserved key; raises RequestError naming each wrong field."""
    if not isinstance(value, Mapping):
        raise RequestError([f"{RESERVED}: is not a mapping of keys to values"])
    for path, inner in ((RESERVED, value), (f"{RESERVED}.reply_to", value.get("reply_to"))):
        if isinstance(inner, Mapping) and len(inner) > _MOST_KEYS:
            raise RequestError([f"{path}: has {len(inner)} keys; at most {_MOST_KEYS}"])
    try:
        return RequestOptions.model_validate(dict(value))
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        fields = ", ".join(dict.fromkeys(_field(error) for error in errors))
        told = f"{fields}: what is wrong there is in the result"
        # Without its cause, which would carry what was sent.
        raise RequestError([_sentence(error) for error in errors], told) from None


def may_lie_unread(options: Mapping[str, Any], now: datetime) -> bool:
    """Whether a message with these options may be sent straight to the queue of what may wait. One
    with an early end is sorted by the dispatcher, which reads the endpoint's own queue at once."""
    told = {name: options[name] for name in ("deferrable", "deadline", "ttl") if name in options}
    read = parse_options(told)
    due_at = read.due_at(now)
    return read.deferrable and (due_at is None or due_at - now >= _LIES_UNREAD)


def _field(error: Any) -> str:
    """Where it is; of a key that there is not no more than that."""
    known = {*RequestOptions.model_fields, *ReplyTo.model_fields}
    place = [str(part) if part in known else "(no key of ours)" for part in error["loc"]]
    return ".".join([RESERVED, *place])


def _sentence(error: Any) -> str:
    place = [str(part) for part in error["loc"]]
    path = ".".join([RESERVED, *place])
    kind, value, said = error["type"], error["input"], str(error["msg"])
    if kind == "extra_forbidden":
        return f"{path:.120}: unknown key{_suggestion(place)}"
    if kind == "value_error":
        return f"{path}: {said.removeprefix('Value error, ')}"
    if kind == "string_pattern_mismatch":
        return f"{path}: {value!r:.80} {_FORMS[place[-1]]}"
    if kind in _KINDS or kind.startswith("datetime"):
        return f"{path}: {value!r:.80} {_KINDS.get(kind, _NO_TIME)}"
    return f"{path}: {sentence(kind, (), value, error.get('ctx', {}), said)}"


def _suggestion(place: list[str]) -> str:
    model: type[BaseModel] = ReplyTo if place[0] == "reply_to" else RequestOptions
    known = list(model.model_fields)
    close = get_close_matches(place[-1][:_LONGEST_COMPARED], known, n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; known keys: {', '.join(known)}"
