"""Writes a cost report: `{"period": "day" | "week" | "month" | "all", "advice": true}`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.logs import logger
from autoscaler.runtime.reports import report


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return report(event, context.get_remaining_time_in_millis)
