"""Removes an endpoint's staged weights with it, if that was asked for and nobody else has them."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.logs import about, logger
from autoscaler.runtime.weights import answer_weights


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    about(event)
    return answer_weights(event)
