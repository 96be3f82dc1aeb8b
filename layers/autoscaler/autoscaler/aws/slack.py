"""Slack: an incoming webhook, or a bot that writes into channels.

A webhook's URL and a bot's token are credentials: they are in no error, no log line and no
environment variable.
"""

from __future__ import annotations

import http.client
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from ..alerts.message import Message
from ..alerts.pace import Pace
from ..alerts.picture import picture
from ..alerts.sinks import SinkRejectedError
from ..alerts.slack import payload
from .hooks import post_json

API = "https://slack.com/api/"
_TIMEOUT_SECONDS = 10
_DEFAULT_RETRY_SECONDS = 30.0
_MOST_RETRY_SECONDS = 3600.0
_UNREACHED = (OSError, http.client.HTTPException)
# slack_sdk logs requests with their URL below this level.
_quiet = logging.getLogger("autoscaler.slack")
_quiet.setLevel(logging.CRITICAL)
_log = logging.getLogger(__name__)

# Slack's own names of what a person has to mend, and what that is.
_MEND = {
    "invalid_auth": "the token is void: put the app's present bot token into the secret",
    "not_authed": "the token is void: put the app's present bot token into the secret",
    "token_revoked": "the token was revoked: install the app again and put its new token there",
    "token_expired": "the token has expired: put one that is not rotated into the secret",
    "account_inactive": "the app was removed: install it again and put its new token there",
    "org_login_required": "the workspace asks for a log-in: ask its administrators",
    "missing_scope": "the app lacks the scope chat:write: add it and install the app again",
    "channel_not_found": "there is no such channel, or the app may not see it: invite the app",
    "not_in_channel": "the app is not in the channel: /invite it there",
    "is_archived": "the channel is archived: name another one",
    "channel_is_archived": "the channel is archived: make a webhook for another one",
    "restricted_action": "the workspace does not let the app post there: ask its administrators",
    "action_prohibited": "the workspace does not let it post there: ask its administrators",
    "ekm_access_denied": "the workspace's administrators have suspended posting",
    "no_service": "the webhook was removed: make a new one and put its URL into the secret",
    "no_active_hooks": "the webhook is switched off: make a new one and put its URL there",
    "no_team": "its workspace is gone: make a webhook in another one",
    "team_disabled": "its workspace is switched off: make a webhook in another one",
    "invalid_token": "the webhook was rotated: put its new URL into the secret",
}
_BUSY = {
    "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable",
    "request_timeout", "rollup_error", "team_added_to_org",
}  # fmt: skip
_GONE = {403, 404, 410}


class SlackRejectedError(SinkRejectedError):
    """Slack will not take it: a person has to mend the secret, or the message is malformed."""


class WebhookSink:
    """An incoming webhook: one channel, which Slack knows."""

    def __init__(self, url: str, secret_id: str, pace: Pace) -> None:
        self._url, self._secret_id, self._pace = url, secret_id, pace

    def send(self, message: Message) -> None:
        """Raises SlackRejectedError, or RetryLater when Slack is busy or not reached."""
        self._pace.take(self._url)
        try:
            reply = post_json(self._url, payload(message), _TIMEOUT_SECONDS)
        except _UNREACHED as unreachable:  # URLError, timeouts and resets are among them
            raise self._pace.close(self._url, _DEFAULT_RETRY_SECONDS) from unreachable
        if reply.status == 429 or reply.status >= 500:
            raise self._pace.close(self._url, retry_after(reply.headers))
        if reply.status != 200:
            raise self._refused(reply.status, reply.body.strip()[:80])

    def _refused(self, status: int, said: str) -> SlackRejectedError:
        if 300 <= status < 400:
            return SlackRejectedError(
                f"the webhook in secret {self._secret_id!r} sends elsewhere (HTTP {status}), which "
                "Slack's never do, and nothing follows it: put the channel's own URL there"
            )
        if said in _MEND or status in _GONE:
            mend = _MEND.get(said, "make a new webhook and put its URL into the secret")
            return SlackRejectedError(
                f"Slack does not take the webhook in secret {self._secret_id!r} any more "
                f"(HTTP {status} {said!r}): {mend}"
            )
        return SlackRejectedError(
            f"Slack refused the message (HTTP {status} {said!r})", lasting=False
        )


class BotSink:
    """A channel by its name or id, with a bot's token. A chart is uploaded as a picture."""

    def __init__(
        self, token: str, channel: str, secret_id: str, pace: Pace, api: str = API
    ) -> None:
        self._channel, self._secret_id, self._pace = channel, secret_id, pace
        self._client = WebClient(
            token, api, timeout=_TIMEOUT_SECONDS, logger=_quiet, retry_handlers=[]
        )

    def send(self, message: Message) -> None:
        """Raises SlackRejectedError, or RetryLater when Slack is busy or not reached."""
        self._pace.take(self._channel)
        body = payload(replace(message, bars=None))
        try:
            posted = self._client.chat_postMessage(
                channel=self._channel, unfurl_links=False, unfurl_media=False, **body
            )
        except SlackApiError as error:
            raise self._trouble(error) from None
        except (SlackClientError, *_UNREACHED) as unreachable:
            raise self._pace.close(self._channel, _DEFAULT_RETRY_SECONDS) from unreachable
        if message.bars is not None:
            self._with_picture(message, str(posted["channel"]), str(posted["ts"]))

    def _with_picture(self, message: Message, channel: str, thread: str) -> None:
        """The message is there already: without a picture it gets the same chart as text."""
        bars = message.bars
        if bars is None:
            return
        try:
            self._client.files_upload_v2(
                channel=channel,
                content=picture(bars),
                filename="costs.png",
                title=bars.title,
                alt_txt=bars.title,
            )
        except Exception as error:  # noqa: BLE001 - the message is told: not again for a picture
            why = _code(error) if isinstance(error, SlackApiError) else type(error).__name__
            _log.warning("the picture of a report was not uploaded (%s): it comes as text", why)
            self._as_text(message, channel, thread)

    def _as_text(self, message: Message, channel: str, thread: str) -> None:
        try:
            self._client.chat_postMessage(channel=channel, thread_ts=thread, **chart_only(message))
        except Exception:  # noqa: BLE001 - as above
            _log.warning("nor was its text: the report itself is linked in the message")

    def _trouble(self, error: SlackApiError) -> Exception:
        code = _code(error)
        headers, status = _head(error.response)
        if code in _BUSY or status == 429 or status >= 500:
            return self._pace.close(self._channel, retry_after(headers))
        if code in _MEND:
            return SlackRejectedError(
                f"Slack does not let the bot of secret {self._secret_id!r} write into "
                f"{self._channel} ({code}): {_MEND[code]}"
            )
        return SlackRejectedError(f"Slack refused the message ({code})", lasting=False)


def chart_only(message: Message) -> dict[str, Any]:
    """The chart of a message as a text of its own."""
    whole = payload(message)
    charts = [block for block in whole["attachments"][0]["blocks"] if block.get("block_id")]
    return {"text": message.title, "blocks": charts}


def retry_after(headers: Mapping[str, Any]) -> float:
    """Seconds, from a header of any case; slack_sdk has lists as values now and then."""
    try:
        found = {str(name).lower(): value for name, value in headers.items()}["retry-after"]
        value = float(found[0] if isinstance(found, list) else found)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        return _DEFAULT_RETRY_SECONDS
    return min(_MOST_RETRY_SECONDS, max(1.0, value))


def _head(response: Any) -> tuple[Mapping[str, Any], int]:
    """Headers and status; what is no JSON comes as a plain dictionary."""
    if isinstance(response, dict):
        return response.get("headers") or {}, int(response.get("status") or 200)
    return response.headers or {}, int(response.status_code)


def _code(error: SlackApiError) -> str:
    return str(error.response.get("error", "unknown_error"))[:80]
