"""One structured logger for every handler. Never log bodies: they may be prompts.

X-Ray's segments come from Lambda itself (the parameter `Tracing`). Its SDK would add one for every
call to AWS, and take a fifth of each cold start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger

logger = Logger(service="autoscaler")

_LONGEST_SHOWN = 200  # of a value in each line
_KEYS = ("endpoint", "generation", "execution", "command", "step", "model_id", "commit")


def about(event: Any) -> None:
    """Puts what the event is about into every line that this invocation logs; cut, since nobody has
    looked at it yet."""
    given = event if isinstance(event, Mapping) else {}
    known = {
        key: value[:_LONGEST_SHOWN] if isinstance(value, str) else value
        for key in _KEYS
        if isinstance(value := given.get(key), str | int)
    }
    logger.append_keys(**known)
