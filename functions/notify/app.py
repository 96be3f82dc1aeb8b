"""Says in Slack, and wherever else people want to hear it, what happened."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.logs import logger
from autoscaler.runtime.notify import handle


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return handle(event, context.aws_request_id)
