"""A plain webhook: the message as JSON, by https, to an address on the internet and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from ..alerts.message import Message
from ..alerts.pace import Pace
from ..alerts.plain import document
from ..alerts.sinks import SinkRejectedError
from ..ports import ReplyError
from .callbacks import Callbacks, ForbiddenPlaceError
from .slack import retry_after

_RETRY_SECONDS = 30.0


class PostSink:
    """POSTs to one URL. The checks are those of requests' callbacks: no redirect is followed, and
    the address that is connected to is the one that was looked at."""

    def __init__(
        self, url: str, pace: Pace, callbacks: Callable[[str], Callbacks] | None = None
    ) -> None:
        self._url, self._pace = url, pace
        place = urlsplit(url)
        self._host = place.hostname or ""
        named = f"{self._host}:{place.port}" if place.port not in (None, 443) else self._host
        self._callbacks = callbacks(named) if callbacks else Callbacks([named])

    def send(self, message: Message) -> None:
        """Raises SinkRejectedError on 4xx, or RetryLater when it is busy or not reached."""
        self._pace.take(self._url)
        body = json.dumps(document(message), ensure_ascii=False).encode()
        try:
            reply = self._callbacks.exchange(self._url, body)
        except ForbiddenPlaceError as forbidden:
            raise SinkRejectedError(
                f"nothing is sent to the webhook at {self._host}: it means an address inside a "
                "network; name one on the internet in the secret"
            ) from forbidden
        except ReplyError as unreached:
            raise self._pace.close(self._url, _RETRY_SECONDS) from unreached
        if reply.status == 429 or reply.status >= 500:
            headers = {"retry-after": reply.retry_after} if reply.retry_after else {}
            raise self._pace.close(self._url, retry_after(headers))
        if not 200 <= reply.status < 300:
            gone = reply.status != 400 and reply.status != 413 and reply.status != 422
            raise SinkRejectedError(
                f"the webhook at {self._host} answered {reply.status}: mend its URL in the secret",
                lasting=gone,
            )
