"""Moves one file from the Hub to S3, checked on the way."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.logs import about, logger
from autoscaler.runtime.staging import answer_file


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    about(event)
    return answer_file(event, context.get_remaining_time_in_millis)
