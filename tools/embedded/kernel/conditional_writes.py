"""PutObject on a condition, one at a time: moto looks and then writes, and of two such writes at
the same moment both would find nothing there."""

from __future__ import annotations

import threading
from functools import cache, wraps
from typing import Any

_CONDITIONS = ("If-Match", "If-None-Match")
_LOCK = threading.Lock()


@cache
def install() -> None:
    from moto.s3.responses import S3Response

    S3Response.put_object = _alone(S3Response.put_object)  # type: ignore[method-assign]


def _alone(put_object: Any) -> Any:
    @wraps(put_object)
    def alone(response: Any) -> Any:
        if not any(name in response.headers for name in _CONDITIONS):
            return put_object(response)
        with _LOCK:
            return put_object(response)

    return alone
