"""Where Lambda sends an asynchronous call whose last try failed.

The record is that of its developer guide, "Capturing records of Lambda asynchronous invocations".
It is sent with the rights of the function's own role, as Lambda does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3

from tools.embedded.types import Invocation

if TYPE_CHECKING:
    from tools.embedded.kernel.account import Account


def given_up(account: Account, arn: str, payload: bytes, last: Invocation, tries: int) -> None:
    """Tells the function's destination on failure, if it has one: a queue."""
    name = arn.rpartition(":")[2]
    queue = _destination(account, name)
    if queue is None:
        return
    session = boto3.Session(**account.runtime.session(name), region_name=account.region)
    sqs = session.client("sqs", endpoint_url=account.endpoint_url)
    url = account.boto("sqs").get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
    record = _record(account, arn, payload, last, tries)
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record))


def _destination(account: Account, name: str) -> str | None:
    awslambda = account.boto("lambda")
    try:
        found = awslambda.get_function_event_invoke_config(FunctionName=name)
    except awslambda.exceptions.ResourceNotFoundException:
        return None
    arn = found.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return str(arn) if arn and ":sqs:" in arn else None


def _record(
    account: Account, arn: str, payload: bytes, last: Invocation, tries: int
) -> dict[str, Any]:
    return {
        "version": "1.0",
        "timestamp": account.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": last.request_id,
            "functionArn": f"{arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": tries,
        },
        "requestPayload": json.loads(payload or b"{}"),
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": last.function_error,
        },
        "responsePayload": json.loads(last.payload or b"null"),
    }
