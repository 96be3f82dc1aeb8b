"""The stack's custom resource: on delete, every endpoint goes first."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.logs import about, logger
from autoscaler.runtime.stack import change_stack


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    about(event)
    return change_stack(event)
