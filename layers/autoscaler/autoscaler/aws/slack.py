"""The Slack sink: an incoming webhook whose URL lies in Secrets Manager, and nowhere else.

The URL is a credential: it is in no error, no log line and no environment variable.
"""

from __future__ import annotations

import json
import logging
import time
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from slack_sdk.webhook import WebhookClient

from ..alerts.message import Message
from ..alerts.notify import RetryLater, Sink
from ..alerts.slack import payload
from .clients import client, error_code

SECRET_SECONDS = 300  # a webhook that was rotated or filled in is read anew after this
_TIMEOUT_SECONDS = 10
_DEFAULT_RETRY_SECONDS = 30.0
_UNSET = {"", "unset"}
# slack_sdk logs requests with their URL below this level.
_quiet = logging.getLogger("autoscaler.slack")
_quiet.setLevel(logging.CRITICAL)


class SlackRejectedError(RuntimeError):
    """Slack will never take this: the webhook was revoked, or the message is malformed."""


class SlackSink:
    """Sends to Slack; to `otherwise` while the secret is missing or says "unset"."""

    def __init__(self, secret_id: str, otherwise: Sink, secrets: Any = None) -> None:
        self._secret_id = secret_id
        self._otherwise = otherwise
        self._secrets = secrets or client("secretsmanager")
        self._url: str | None = None
        self._read_at: float | None = None

    def send(self, message: Message) -> None:
        """Raises SlackRejectedError, or RetryLater when Slack is busy or not reached."""
        url = self._webhook()
        if url is None:
            self._otherwise.send(message)
            return
        webhook = WebhookClient(url, timeout=_TIMEOUT_SECONDS, logger=_quiet, retry_handlers=[])
        body = payload(message)
        try:
            reply = webhook.send_dict(body)
        except OSError as unreachable:  # URLError, timeouts and resets are among them
            raise RetryLater(_DEFAULT_RETRY_SECONDS) from unreachable
        if reply.status_code == 429 or reply.status_code >= 500:
            raise RetryLater(_retry_after(reply.headers))
        if reply.status_code != 200:
            self._read_at = None
            raise SlackRejectedError(_why(reply.status_code, reply.body, self._secret_id))

    def _webhook(self) -> str | None:
        now = time.monotonic()
        if self._read_at is None or now - self._read_at >= SECRET_SECONDS:
            self._url = self._read()
            self._read_at = now
        return self._url

    def _read(self) -> str | None:
        try:
            reply = self._secrets.get_secret_value(SecretId=self._secret_id)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
        return webhook_url(reply.get("SecretString", ""), self._secret_id)


def webhook_url(secret: str, secret_id: str) -> str | None:
    """The URL in a secret: as it is, or in JSON's `url`; None for "unset".

    Raises SlackRejectedError for anything that is neither https nor http on loopback.
    """
    text = secret.strip()
    if text.startswith("{"):
        try:
            text = str(json.loads(text).get("url", "")).strip()
        except ValueError:
            text = "{"
    if text in _UNSET:
        return None
    if not _is_allowed(text):
        raise SlackRejectedError(
            f"secret {secret_id!r} holds no webhook URL: it must be an https URL (http only on "
            'loopback), alone or as {"url": "..."}'
        )
    return text


def _is_allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _retry_after(headers: Any) -> float:
    try:
        return max(1.0, float({k.lower(): v for k, v in headers.items()}["retry-after"]))
    except (KeyError, TypeError, ValueError):
        return _DEFAULT_RETRY_SECONDS


def _why(status: int, body: str, secret_id: str) -> str:
    said = f"HTTP {status} {body.strip()[:80]!r}"
    if status in (403, 404, 410):
        return (
            f"Slack does not know the webhook in secret {secret_id!r} any more ({said}): make a "
            "new one and put its URL there"
        )
    return f"Slack refused the message ({said})"
