"""Posts JSON to a webhook whose URL stands in the alerts' secret, and goes nowhere else with it.

urllib follows a redirect of a POST with a GET: a webhook, or who speaks in its place, could send
the controller to an address inside its network.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST_ANSWER = 4096  # Slack's is a word


@dataclass(frozen=True)
class HookReply:
    """What the place said, its beginning."""

    status: int
    headers: Mapping[str, Any]
    body: str


class _Straight(urllib.request.HTTPRedirectHandler):
    """Makes of a redirect what it is here: an answer that is none of 200 to 299."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_Straight)


def post_json(url: str, document: Mapping[str, Any], seconds: float) -> HookReply:
    """Raises OSError or http.client.HTTPException when it was not reached."""
    request = urllib.request.Request(
        url,
        data=json.dumps(document).encode(),
        headers={"Content-Type": "application/json;charset=utf-8", "User-Agent": "autoscaler"},
    )
    try:
        with _OPENER.open(request, timeout=seconds) as reply:
            return _read(reply)
    except urllib.error.HTTPError as answered:
        with answered:
            return _read(answered)


def _read(reply: Any) -> HookReply:
    said = reply.read(_LONGEST_ANSWER).decode("utf-8", "replace")
    return HookReply(int(reply.status), dict(reply.headers.items()), said)
