"""The alerts' secret, read when it is needed and anew every five minutes."""

from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import ClientError

from ..alerts.secret import AlertConfig, read_config
from .clients import client, error_code

SECRET_SECONDS = 300  # what was rotated, filled in or mended is noticed after this at the latest
_MEANINGFUL = {"AccessDeniedException", "DecryptionFailure", "InvalidRequestException"}
# The stack's own one is there from the beginning, and says "unset".
_MISSING = (
    "it is not there, or has no value: make it, or deploy with the SlackSecretName that is meant"
)


class AlertSecret:
    """Configs over Secrets Manager. No name is a secret that is not set; one that is named and not
    there, or may not be read, is a problem to be told. Raises what else Secrets Manager answers."""

    def __init__(self, secret_id: str, secrets: Any = None) -> None:
        self._secret_id = secret_id
        self._secrets = secrets or client("secretsmanager")
        self._config: AlertConfig | None = None
        self._read_at = 0.0

    def current(self) -> AlertConfig:
        if self._config is None or time.monotonic() - self._read_at >= SECRET_SECONDS:
            return self.reread()
        return self._config

    def reread(self) -> AlertConfig:
        self._config = self._read()
        self._read_at = time.monotonic()
        return self._config

    def _read(self) -> AlertConfig:
        if not self._secret_id:
            return AlertConfig()
        try:
            reply = self._secrets.get_secret_value(SecretId=self._secret_id)
        except ClientError as error:
            code = error_code(error)
            if code == "ResourceNotFoundException":
                return AlertConfig(problems=(_MISSING,))
            if code in _MEANINGFUL:
                return AlertConfig(problems=(f"it cannot be read: {code}",))
            raise
        return read_config(reply.get("SecretString", ""))
