"""Pins a commit and plans what is staged of it."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.logs import about, logger
from autoscaler.runtime.staging import answer_plan


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    about(event)
    return answer_plan(event, context.get_remaining_time_in_millis)
