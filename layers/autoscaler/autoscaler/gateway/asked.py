"""What is asked: the body within its limits, and how long its sender waits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..aws.bodies import LARGEST_BYTES
from ..endpoints.prompts import choices_asked, is_prompt
from ..spec import EndpointSpec
from ..spec.request import RESERVED, RequestError, RequestOptions, parse_options
from ..spec.strict_json import StrictError, is_deeper, read_json
from ..spec.text import compact_json
from .access import Caller
from .bodies import MOST_BYTES, too_large
from .errors import GatewayError, wrong

DEEPEST = 64
_NOT_BY_HTTP = ("id", "body")  # the gateway chooses them
_WAIT = re.compile(r"wait\s*=\s*\"?([0-9]{1,6})\"?")
_ASYNC = "respond-async"
_UNSTREAMABLE = "prompt_logprobs"
_EXPECTED = {
    "messages": "a list",
    "prompt": "text, token ids, or a list of several of either,",
}


@dataclass(frozen=True)
class Asked:
    """A request whose shape is right. `body` is as it came, without the reserved key."""

    endpoint: str
    body: Mapping[str, Any]
    options: RequestOptions
    tenant: str

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def wants_usage(self) -> bool:
        options = self.body.get("stream_options")
        return isinstance(options, dict) and bool(options.get("include_usage"))

    @property
    def choices(self) -> int:
        return choices_asked(self.body)

    def for_model(self, spec: EndpointSpec) -> bytes:
        """As the container of an endpoint takes it, which knows the model by its own name. It is
        always streamed, because a plain answer must come within 60 s; with the usage, for the
        report."""
        given = self.body.get("stream_options")
        options = {**(given if isinstance(given, dict) else {}), "include_usage": True}
        body = {**self.for_queue(spec), "stream": True, "stream_options": options}
        return _within(MOST_BYTES, body)

    def for_queue(self, spec: EndpointSpec) -> dict[str, Any]:
        """As it is worked off later: the dispatcher streams by itself."""
        left = ("stream", "stream_options")
        kept = {key: value for key, value in self.body.items() if key not in left}
        return {**kept, "model": spec.model.id}

    def to_keep(self, spec: EndpointSpec) -> bytes:
        """The same, as it is stored until then; no larger than the dispatcher reads it."""
        return _within(LARGEST_BYTES, self.for_queue(spec))

    def refuse_unstreamable(self) -> None:
        """Raises GatewayError for what vLLM gives in no stream. Its own refusal would name a
        `stream` that the caller did not ask for, or come by a ticket."""
        if self.body.get(_UNSTREAMABLE):
            why = "models are always asked for a stream, which cannot have them; leave it out"
            raise wrong(f"{_UNSTREAMABLE}: {why}", _UNSTREAMABLE)

    def told(self, held: timedelta) -> dict[str, Any]:
        """The options that its message carries, `held` after it was asked: a `ttl`, which begins
        anew with the message, is what is left of it."""
        ttl = self.options.ttl
        if ttl is not None:
            ttl = timedelta(seconds=max(1, math.ceil((ttl - held).total_seconds())))
        options = self.options.model_copy(update={"ttl": ttl})
        given = options.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        return {**given, **({"tenant": self.tenant} if self.tenant else {})}


@dataclass(frozen=True)
class Patience:
    """How long a sender waits for a model that is not awake; `later`: not even for the answer of
    one that is, by choice."""

    seconds: float
    later: bool = False


def patience(prefer: str, usual: float, longest: float) -> Patience:
    """Reads `Prefer: wait=N` and `Prefer: respond-async` (RFC 7240); N is cut at the longest."""
    tokens = [token.strip().lower() for token in re.split(r"[,;]", prefer)]
    if _ASYNC in tokens:
        return Patience(0.0, later=True)
    for token in tokens:
        if found := _WAIT.fullmatch(token):
            seconds = min(float(found[1]), longest)
            return Patience(seconds, later=int(found[1]) == 0)
    return Patience(min(usual, longest))


def read(raw: bytes, question: str, caller: Caller) -> Asked:
    """Raises GatewayError that names the field. `question`: `messages` or `prompt`."""
    body = _object(raw)
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise wrong("model: give the name of an endpoint", "model", "missing_required_parameter")
    asks = body.get(question)
    if not asks or not (is_prompt(asks) if question == "prompt" else isinstance(asks, list)):
        raise wrong(f"{question}: give {_EXPECTED[question]} that is not empty", question)
    if not isinstance(body.get("stream", False), bool | None):
        raise wrong("stream: is neither true nor false", "stream")
    options = _options(body.pop(RESERVED, None))
    if caller.tenant and options.tenant not in (None, caller.tenant):
        why = f"autoscaler.tenant: {options.tenant!r} is not the tenant of this key; leave it out"
        raise GatewayError(403, "wrong_tenant", why, param="autoscaler.tenant")
    return Asked(name, body, options, caller.tenant or options.tenant or "")


def _within(most: int, body: Mapping[str, Any]) -> bytes:
    """Raises GatewayError 413: written out, a number like 1e15 is longer than it came."""
    raw = compact_json(body)
    if len(raw) > most:
        raise too_large(most, " as it is sent on")
    return raw


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = read_json(raw)
    except (ValueError, RecursionError) as bad:
        where = ""  # a position, never the text
        if isinstance(bad, json.JSONDecodeError):
            where = f" (line {bad.lineno}, column {bad.colno})"
        elif isinstance(bad, StrictError):
            where = f": {bad}"
        raise wrong(f"the body is not JSON{where}", code="invalid_json") from None
    if not isinstance(body, dict):
        raise wrong("the body must be a JSON object", code="invalid_json")
    if is_deeper(body, DEEPEST - 1):  # the body itself is one
        raise wrong(f"the body is nested more than {DEEPEST} deep", code="invalid_json")
    return body


def _options(given: Any) -> RequestOptions:
    if given is None:
        return RequestOptions()
    try:
        options = parse_options(given)
    except RequestError as bad:
        raise wrong(str(bad), RESERVED) from None
    for name in _NOT_BY_HTTP:
        if getattr(options, name) is not None:
            raise wrong(f"{RESERVED}.{name}: the gateway chooses it; leave it out", RESERVED)
    return options
