"""The event that Lambda receives from an SQS event source mapping, and what it answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tools.embedded.pump.patterns import matches


class MalformedResponseError(ValueError):
    """A batch response that Lambda cannot read: the whole batch counts as failed."""


def sqs_record(message: Any, queue_arn: str, region: str) -> dict[str, Any]:
    record = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": _system_attributes(message),
        "messageAttributes": {
            name: _message_attribute(value) for name, value in message.message_attributes.items()
        },
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    if message.message_attributes:
        record["md5OfMessageAttributes"] = message.attribute_md5
    return record


def _system_attributes(message: Any) -> dict[str, str]:
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    if message.group_id is not None:
        attributes["MessageGroupId"] = message.group_id
    if message.deduplication_id is not None:
        attributes["MessageDeduplicationId"] = message.deduplication_id
    if message.sequence_number is not None:
        attributes["SequenceNumber"] = message.sequence_number
    trace = message.system_attributes.get("AWSTraceHeader")
    if trace:
        attributes["AWSTraceHeader"] = trace.get("StringValue", "")
    return attributes


def _message_attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    if value.get("StringValue") is not None:
        record["stringValue"] = value["StringValue"]
    binary = value.get("BinaryValue")
    if binary is not None:
        record["binaryValue"] = (
            base64.b64encode(binary).decode() if isinstance(binary, bytes) else binary
        )
    record["dataType"] = value.get("DataType", "String")
    return record


def passes_filters(record: Mapping[str, Any], criteria: Mapping[str, Any] | None) -> bool:
    """Whether a record satisfies one filter; a body that is not JSON fails a JSON body filter."""
    filters = (criteria or {}).get("Filters") or []
    if not filters:
        return True
    return any(_passes(record, json.loads(f["Pattern"])) for f in filters if f.get("Pattern"))


def _passes(record: Mapping[str, Any], pattern: Mapping[str, Any]) -> bool:
    candidate = dict(record)
    if isinstance(pattern.get("body"), Mapping):
        try:
            candidate["body"] = json.loads(record["body"])
        except ValueError:
            return False
    return matches(pattern, candidate)


def failed_ids(payload: bytes, message_ids: Sequence[str]) -> set[str]:
    """The messages that a ReportBatchItemFailures function could not process.

    Raises MalformedResponseError for what Lambda takes as the failure of the whole batch.
    """
    try:
        answer = json.loads(payload) if payload.strip() else None
    except ValueError as error:
        raise MalformedResponseError("the response is not JSON") from error
    failures = (answer or {}).get("batchItemFailures") if isinstance(answer, dict | None) else 0
    if not failures and failures in (None, []):
        return set()
    if not isinstance(failures, list):
        raise MalformedResponseError("batchItemFailures is not a list")
    failed = {f.get("itemIdentifier") if isinstance(f, dict) else None for f in failures}
    if not failed <= set(message_ids):
        raise MalformedResponseError("batchItemFailures names no message of this batch")
    return {str(i) for i in failed}
