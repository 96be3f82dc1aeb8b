"""AWS's own policies that SAM gives to functions, as far as anything here asks for them.

From the AWS Managed Policy Reference, as of 2026-11. Traces and logs of functions pass no front.
"""

from __future__ import annotations

import json

_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_XRAY = ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules",
         "xray:GetSamplingTargets", "xray:GetSamplingStatisticSummaries")  # fmt: skip
_ACTIONS: dict[str, tuple[str, ...]] = {
    "AWSLambdaBasicExecutionRole": _LOGS,
    "AWSXrayWriteOnlyAccess": _XRAY,
    "AWSLambdaSQSQueueExecutionRole": (
        "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *_LOGS,
    ),
}  # fmt: skip


def is_of_aws(arn: str) -> bool:
    """Whether a managed policy is AWS's own, and not the account's."""
    return arn.startswith("arn:aws:iam::aws:")


def managed_policy(arn: str) -> tuple[str, str]:
    """Name and document of a policy of AWS's. Raises ValueError for one that is not known here."""
    name = arn.rpartition("/")[2]
    if name not in _ACTIONS:
        raise ValueError(f"{arn}: tools/embedded/iam/managed.py does not know this policy")
    allow = {"Effect": "Allow", "Action": list(_ACTIONS[name]), "Resource": "*"}
    return name, json.dumps({"Version": "2012-10-17", "Statement": [allow]})
