"""Takes a person's command from the command line."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.commands import accept
from autoscaler.runtime.logs import about, logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    about(event)
    return accept(event)
