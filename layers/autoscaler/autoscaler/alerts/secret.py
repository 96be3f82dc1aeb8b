"""What the alerts' secret may hold; the only place that says so.

| the secret                                             | what it means                        |
|--------------------------------------------------------|--------------------------------------|
| `unset`, or nothing                                    | alerts are only logged               |
| `https://hooks.slack.com/...`                          | everything to this webhook           |
| `{"url": "https://hooks.slack.com/..."}`               | the same                             |
| `{"token": "xoxb-...", "channel": "#gpu"}`             | everything to this channel, by a bot |
| `{..., "default": PLACE, "routes": [ROUTE, ...], "quiet_hours": ..., "group_seconds": 60}` | |

A PLACE has one of `webhook`, `channel` (needs `token`), `sns` (an ARN, or `alarms`: the stack's own
topic) and `post` (an https URL). A ROUTE is a place with `team` (none: every team) and
`min_severity` (`info`).

What is wrong is left out and named in `problems`, field by field and never with its value, since a
value may be a credential: one bad route must not silence the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from ..spec.schedule import TimeZoneName
from .events.base import Severity

UNSET = frozenset({"", "unset"})
OWN_TOPIC = "alarms"
GROUP_SECONDS = 60
MOST_GROUP_SECONDS = 900
_KINDS = ("webhook", "channel", "sns", "post")
_KEYS = {"url", "token", "default", "routes", "quiet_hours", "group_seconds", *_KINDS}
_STRICT = ConfigDict(frozen=True, defer_build=True, extra="forbid", populate_by_name=True)

Model = TypeVar("Model", bound=BaseModel)


def _webhook(url: str) -> str:
    if not (_https(url) or _loopback(url)):
        raise ValueError("is no webhook URL: it must be an https URL (http only on loopback)")
    return url


def _post(url: str) -> str:
    if not _https(url):
        raise ValueError("must be an https URL")
    return url


def _token(token: str) -> str:
    if not token.startswith("xox"):
        raise ValueError("is no Slack token: a bot's begins with xoxb-")
    if not _is_plain(token):  # http.client would show it in its complaint
        raise ValueError("is no Slack token: it has a space, a line break or a letter beyond ASCII")
    return token


Stripped = Annotated[str, StringConstraints(strip_whitespace=True)]
Webhook = Annotated[Stripped, AfterValidator(_webhook)]
PostUrl = Annotated[Stripped, AfterValidator(_post)]
Token = Annotated[Stripped, AfterValidator(_token)]
Channel = Annotated[str, Field(pattern=r"^[#@]?[^\s#@<>&]{1,80}$")]
Topic = Annotated[
    str, Field(pattern=r"^(alarms|arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256})$")
]


class Place(BaseModel):
    """One way to people."""

    model_config = _STRICT

    webhook: Webhook | None = None
    channel: Channel | None = None
    sns: Topic | None = None
    post: PostUrl | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_KINDS)}")
        return self

    @property
    def kind(self) -> str:
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def shown(self) -> str:
        """As it may be shown: a webhook's URL and what lies behind a host are credentials."""
        if self.webhook:
            return "a Slack webhook"
        if self.post:
            return f"the webhook at {urlsplit(self.post).hostname}"
        if self.sns:
            return "the stack's alarm topic" if self.sns == OWN_TOPIC else f"topic {self.sns}"
        return f"Slack channel {self.channel}"


class Route(Place):
    """A place for the alerts of one team, or of all, from a severity on."""

    team: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    min_severity: Severity = Severity.INFO

    @property
    def name(self) -> str:
        """Stays the same when a credential is rotated."""
        return f"{self.team or 'all'}/{self.min_severity}/{self.channel or self.sns or self.kind}"


_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def _clock(value: Any) -> time:
    """Text alone: of 7 pydantic makes seconds past midnight, in UTC, and so of `22:00Z`."""
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, str) and (shown := _CLOCK.fullmatch(value)):
        return time(int(shown[1]), int(shown[2]))
    raise ValueError('is no time of day: write it as text like "07:00", up to "23:59"')


Clock = Annotated[time, BeforeValidator(_clock)]


class QuietHours(BaseModel):
    """Local hours in which only `let_through` and worse is told; a span may pass midnight."""

    model_config = _STRICT

    time_zone: TimeZoneName
    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    let_through: Literal[Severity.WARNING, Severity.CRITICAL] = Severity.WARNING

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.start == self.end:
            raise ValueError("from and to are the same time: leave quiet_hours out for none")
        return self


@dataclass(frozen=True)
class AlertConfig:
    """What was understood. `problems`: what was not, for people. `default` None: nobody named."""

    token: str | None = None
    default: Place | None = None
    routes: tuple[Route, ...] = ()
    quiet_hours: QuietHours | None = None
    group_seconds: int = GROUP_SECONDS
    problems: tuple[str, ...] = ()

    @property
    def is_unset(self) -> bool:
        """Nobody has put anything there yet."""
        return self.default is None and not self.routes and not self.problems


def read_config(secret: str) -> AlertConfig:
    """Never raises: what cannot be used is in `problems`."""
    text = secret.strip()
    if text in UNSET:
        return AlertConfig()
    if not text.startswith("{"):
        return _Reading({"webhook": text}).config()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as bad:
        where = "a number without end, or nested without one"
        if isinstance(bad, json.JSONDecodeError):
            where = f"line {bad.lineno}, column {bad.colno}"
        return AlertConfig(problems=(f"it begins with {{ but is no JSON ({where})",))
    return _Reading(document).config()


class _Reading:
    """One document, piece by piece, so that what is wrong in one leaves the others standing."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = {k: v for k, v in document.items() if v not in ("unset", None)}
        self._problems: list[str] = []

    def config(self) -> AlertConfig:
        document = self._document
        for key in sorted(document.keys() - _KEYS):
            self._problems.append(f"{_shown(key)}: is no field; known: {', '.join(sorted(_KEYS))}")
        found = self._read(_Token, {"token": document["token"]}) if "token" in document else None
        token = found.token if found else None
        default = self._usable(self._default(), "default", token)
        routes = [
            self._usable(self._read(Route, one, f"routes.{index}"), f"routes.{index}", token)
            for index, one in enumerate(self._listed("routes"))
        ]
        quiet = document.get("quiet_hours")
        grouped = {k: v for k, v in document.items() if k == "group_seconds"}
        seconds = self._read(_Grouping, grouped)
        return AlertConfig(
            token=token,
            default=default,
            routes=tuple(one for one in routes if one is not None),
            quiet_hours=None if quiet is None else self._read(QuietHours, quiet, "quiet_hours"),
            group_seconds=seconds.group_seconds if seconds else GROUP_SECONDS,
            problems=tuple(self._problems),
        )

    def _default(self) -> Place | None:
        """`default`, or one of the places beside it; `url` is the webhook of old."""
        document = self._document
        short = {kind: document[kind] for kind in _KINDS if kind in document}
        if "url" in document:
            short["webhook"] = document["url"]
        if "default" in document:
            if short:
                self._problems.append(
                    f"default: stands beside {', '.join(sorted(short))}, which is not used"
                )
            return self._read(Place, document["default"], "default")
        return self._read(Place, short) if short else None

    def _listed(self, key: str) -> list[Any]:
        value = self._document.get(key, [])
        if isinstance(value, list):
            return value
        self._problems.append(f"{key}: must be a list")
        return []

    def _usable(self, place: Model | None, where: str, token: str | None) -> Model | None:
        if isinstance(place, Place) and place.channel and token is None:
            self._problems.append(f"{where}.channel: needs a bot's `token` beside the routes")
            return None
        return place

    def _read(self, model: type[Model], value: Any, where: str = "") -> Model | None:
        try:
            return model.model_validate(value)
        except ValidationError as invalid:
            for error in invalid.errors(include_url=False, include_input=False):
                path = ".".join(filter(None, (where, *map(_shown, error["loc"]))))
                said = error["msg"].removeprefix("Value error, ")
                self._problems.append(f"{path or 'it'}: {said}")
            return None


class _Token(BaseModel):
    token: Token


class _Grouping(BaseModel):
    group_seconds: Annotated[int, Field(ge=0, le=MOST_GROUP_SECONDS)] = GROUP_SECONDS


def _is_plain(text: str) -> bool:
    """Whether it goes over the wire as it is: printable ASCII without a space."""
    return all("!" <= letter <= "~" for letter in text)


def _shown(field: Any) -> str:
    """A field's name, unless it looks like a value that was put in its place."""
    plain = re.fullmatch(r"[A-Za-z_]{1,32}|[0-9]{1,4}", str(field))
    return str(field) if plain else "(a name that is no field's)"


def _https(url: str) -> bool:
    scheme, host = _parts(url)
    return scheme == "https" and bool(host)


def _loopback(url: str) -> bool:
    scheme, host = _parts(url)
    try:
        return scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


def _parts(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        usable = _is_plain(url) and parts.port != 0  # raises for one that is none
        (parts.hostname or "").encode("idna")
        return (parts.scheme, parts.hostname or "") if usable else ("", "")
    except ValueError:
        return "", ""
