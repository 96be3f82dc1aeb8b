"""A request as it is typed, as the message that the endpoint's queue takes."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from autoscaler.spec.request import (
    ID_PATTERN,
    RESERVED,
    RequestError,
    may_lie_unread,
    parse_options,
)
from autoscaler.spec.strict_json import read_json
from autoscaler.spec.text import is_readable
from tools.cli.client import RefusedError
from tools.cli.times import deadline_at

_ASKS = ("messages", "prompt", "inputs")
_STDIN = "-"


@dataclass(frozen=True)
class Typed:
    """What the command line was given; `file` is a path, or - for the standard input."""

    prompt: str | None = None
    file: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    deferrable: bool = False
    deadline: str | None = None


@dataclass(frozen=True)
class Question:
    """One request: its id, the body for the model, and what stands under the reserved key."""

    id: str
    body: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def may_lie_unread(self) -> bool:
        return may_lie_unread(self.options, datetime.now(UTC))

    def message(self) -> str:
        """The message with the body in it."""
        reserved = {RESERVED: dict(self.options)} if self.options else {}
        return json.dumps({"id": self.id, **self.body, **reserved})

    def reference(self, uri: str) -> str:
        """The message of a body that lies in S3."""
        return json.dumps({"id": self.id, RESERVED: {**self.options, "body": uri}})


def question(typed: Typed, now: datetime) -> Question:
    """Raises RefusedError that names the option or the file, and what to write instead."""
    if (typed.prompt is None) == (typed.file is None):
        raise RefusedError(["give a prompt or --file, not both or neither"])
    if typed.file is not None and typed.system is not None:
        raise RefusedError(["--system goes with a prompt: with --file it stands in the file"])
    place = "standard input" if typed.file == _STDIN else str(typed.file)
    if typed.temperature is not None and not isfinite(typed.temperature):
        raise RefusedError([f"--temperature: {typed.temperature} is not finite: write 0.7"])
    body = _read(typed.file, place) if typed.file is not None else _chat(typed)
    for name, value in (("max_tokens", typed.max_tokens), ("temperature", typed.temperature)):
        if value is not None:
            body[name] = value
    if not is_readable(body):
        raise RefusedError([f"{place}: half of a surrogate pair is no character; write it whole"])
    options = _options(body.pop(RESERVED, None), typed, now, place)
    return Question(_id(body.pop("id", None), options, place), body, options)


def _chat(typed: Typed) -> dict[str, Any]:
    if not (typed.prompt or "").strip():
        raise RefusedError(["the prompt is empty"])
    for name, text in (("the prompt", typed.prompt), ("--system", typed.system)):
        if not is_readable(text):
            raise RefusedError([f"{name}: is not UTF-8; give it in UTF-8, or in JSON by --file"])
    said = [{"role": "system", "content": typed.system}] if typed.system else []
    return {"messages": [*said, {"role": "user", "content": typed.prompt}]}


def _read(file: str, place: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == _STDIN else Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RefusedError([f"{place}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError([f"{place}: cannot be read: {error}"]) from None
    try:
        body = read_json(text)  # as the stack reads it, whose refusal of this would have no id
    except (ValueError, RecursionError) as error:
        raise RefusedError([f"{place}: is not JSON: {error}"]) from None
    if not isinstance(body, dict):
        raise RefusedError([f"{place}: is no JSON object; a request body is one"])
    if not any(name in body for name in _ASKS):
        raise RefusedError([f"{place}: asks nothing: it has none of {', '.join(_ASKS)}"])
    return body


def _options(given: Any, typed: Typed, now: datetime, place: str) -> dict[str, Any]:
    """The file's own, and over them what was typed; checked as the stack will check them."""
    typed_ones: dict[str, Any] = {"deferrable": True} if typed.deferrable else {}
    if typed.deadline is not None:
        typed_ones["deadline"] = deadline_at(typed.deadline, now).isoformat()
    try:
        if given is not None:
            parse_options(given)
        options = {**(given or {}), **typed_ones}
        parse_options(options)
    except RequestError as wrong:
        raise RefusedError([f"{place}: {problem}" for problem in wrong.problems]) from None
    if "body" in options:
        raise RefusedError([f"{place}: {RESERVED}.body: what is asked stands in the file itself"])
    return options


def _id(given: Any, options: Mapping[str, Any], place: str) -> str:
    told = given if given is not None else options.get("id")
    if told is None:
        return f"ask-{secrets.token_hex(6)}"
    if options.get("id", told) != told:
        raise RefusedError([f"{place}: id {told!r} and {RESERVED}.id {options['id']!r} differ"])
    return checked_id(told, f"{place}: ")


def checked_id(told: Any, where: str = "") -> str:
    """An id that can name a result; RefusedError for any other."""
    if not isinstance(told, str) or not re.fullmatch(ID_PATTERN, told):
        raise RefusedError(
            [
                f"{where}id {told!r:.80} cannot name a result: 1 to 128 of letters, digits and "
                "_ . : -"
            ]
        )
    return told
