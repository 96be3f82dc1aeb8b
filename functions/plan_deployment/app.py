"""Computes every request that creates an endpoint."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.deployment import answer_deployment
from autoscaler.runtime.logs import about, logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    about(event)
    return answer_deployment(event)
