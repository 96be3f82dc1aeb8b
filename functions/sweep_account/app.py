"""Compares the account with the table: `{"sweep": "look" | "remove"}`."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from autoscaler.runtime.logs import logger
from autoscaler.runtime.sweep import answer_sweep


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return answer_sweep(event)
