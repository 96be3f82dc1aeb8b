"""What the gateway answers when it cannot answer: OpenAI's error shape, and a status to go by."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ..spec.text import readable

_SHORTEST_RETRY_SECONDS = 1


class GatewayError(Exception):
    """An error for the caller. `code` is for programs, `param` names the field that is wrong."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self.status, self.code, self.param = status, code, param
        self.message = readable(message)  # a model's own words may have halves of characters
        self.headers = dict(headers or {})
        self._more = dict(more or {})
        super().__init__(self.message)

    @property
    def kind(self) -> str:
        """OpenAI's `type`, by which their client and others choose."""
        named = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        if self.status in named:
            return named[self.status]
        return "invalid_request_error" if self.status < 500 else "server_error"

    def document(self) -> dict[str, Any]:
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": {**error, **self._more}}

    def event(self) -> bytes:
        """The same inside of a stream that has begun: clients raise it."""
        return b"data: " + json.dumps(self.document()).encode() + b"\n\n"


def wrong(message: str, param: str | None = None, code: str = "invalid_value") -> GatewayError:
    """A request that has to be changed."""
    return GatewayError(400, code, message, param=param)


def retry_after(wait: timedelta | None, otherwise: float) -> dict[str, str]:
    """The header; `otherwise`: seconds when nobody can say."""
    seconds = otherwise if wait is None else wait.total_seconds()
    return {"retry-after": str(max(_SHORTEST_RETRY_SECONDS, math.ceil(seconds)))}
