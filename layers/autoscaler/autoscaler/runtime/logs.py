"""One structured logger and tracer for every handler. Never log bodies: they may be prompts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Tracer

logger = Logger(service="autoscaler")
# Tracing needs the X-Ray daemon, which only Lambda has.
tracer = Tracer(service="autoscaler", disabled="AWS_XRAY_DAEMON_ADDRESS" not in os.environ)

_KEYS = ("endpoint", "generation", "execution", "command", "step", "model_id", "commit")


def about(event: Mapping[str, Any]) -> None:
    """Puts what the event is about into every line that this invocation logs."""
    known = {key: event[key] for key in _KEYS if isinstance(event.get(key), str | int)}
    logger.append_keys(**known)
