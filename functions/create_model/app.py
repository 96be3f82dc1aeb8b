"""Makes the model of an endpoint that loads from the Hub: the token must be in no input."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.hub_models import answer_model
from autoscaler.runtime.logs import about, logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    about(event)
    return answer_model(event)
