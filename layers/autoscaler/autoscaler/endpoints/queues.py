"""The endpoint's queue, its dead-letter queue, what reads it and what watches it: the requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ..spec import EndpointSpec, Kind
from .kinds import dimensions, manner
from .names import ResourceNames
from .tags import as_labels

BATCH_SIZE = 10
RETENTION_SECONDS = 1_209_600  # 14 days, the longest that SQS keeps a message
# Longer than the dispatcher may run, or a message would be worked on twice at once.
VISIBILITY_SECONDS = 960
# Receives while the endpoint sleeps are no failures, so the queue itself hardly ever gives a
# message up; the dispatcher counts real failures. 1,000 is the most that SQS allows.
MOST_RECEIVES = 1000
OLDEST_REQUEST_SECONDS = 900
# What Lambda takes as MaximumConcurrency of a queue.
FEWEST_READERS, MOST_READERS = 2, 1000
# Of the queue of requests that may wait: each takes its part of the slots that are idle.
LATER_READERS = FEWEST_READERS
# How often the tick asks it while nothing is known to lie in it. What is due within two hours is
# never sent straight there.
LATER_EVERY = timedelta(minutes=5)


def queue_requests(
    spec: EndpointSpec,
    names: ResourceNames,
    *,
    account_arn_prefix: str,
    dispatcher_arn: str,
    alarm_topic_arn: str,
    tags: Mapping[str, str],
    key_arn: str = "",
) -> dict[str, Any]:
    """Returns the API requests `dead_letter_queue`, `queue`, `later_queue`, `mapping`,
    `later_mapping`, `queue_alarm`, `capacity_alarm`.
    `account_arn_prefix` is like `arn:aws:sqs:us-east-1:123456789012:`.
    `key_arn`: the KMS key that encrypts the queues; empty: SQS's own.
    SQS calls its member `tags`, and Step Functions, which sends it, `Tags`.

    A rule of the stack calls `reconcile` when an alarm fires; people hear of it by the topic.
    """
    labels = as_labels(tags)
    return {
        **_queues(names, account_arn_prefix, tags, key_arn),
        "mapping": {
            "EventSourceArn": account_arn_prefix + names.queue,
            "FunctionName": dispatcher_arn,
            "BatchSize": BATCH_SIZE,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": readers(spec, spec.highest_max_copies)},
            "Tags": dict(tags),
        },
        "later_mapping": {
            "EventSourceArn": account_arn_prefix + names.later_queue,
            "FunctionName": dispatcher_arn,
            "BatchSize": BATCH_SIZE,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": LATER_READERS},
            "Tags": dict(tags),
        },
        "queue_alarm": _queue_alarm(names, alarm_topic_arn, labels),
        "capacity_alarm": _capacity_alarm(spec.kind, names, alarm_topic_arn, labels),
    }


def _queues(
    names: ResourceNames, account_arn_prefix: str, tags: Mapping[str, str], key_arn: str
) -> dict[str, Any]:
    redrive = {
        "deadLetterTargetArn": account_arn_prefix + names.dead_letter_queue,
        "maxReceiveCount": MOST_RECEIVES,
    }
    key = {"KmsMasterKeyId": key_arn} if key_arn else {"SqsManagedSseEnabled": "true"}
    shared = {"MessageRetentionPeriod": str(RETENTION_SECONDS), **key}
    worked = {
        **shared,
        "VisibilityTimeout": str(VISIBILITY_SECONDS),
        "RedrivePolicy": json.dumps(redrive),
    }
    return {
        "dead_letter_queue": {
            "QueueName": names.dead_letter_queue,
            "Attributes": {**shared, **tls_only(account_arn_prefix + names.dead_letter_queue)},
            "Tags": dict(tags),
        },
        "queue": {
            "QueueName": names.queue,
            "Tags": dict(tags),
            "Attributes": {**worked, **tls_only(account_arn_prefix + names.queue)},
        },
        "later_queue": {
            "QueueName": names.later_queue,
            "Tags": dict(tags),
            "Attributes": {**worked, **tls_only(account_arn_prefix + names.later_queue)},
        },
    }


def tls_only(queue_arn: str) -> dict[str, str]:
    """The attribute by which SQS, which also listens in the clear, refuses what comes so."""
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": queue_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}


def _queue_alarm(
    names: ResourceNames, topic_arn: str, labels: list[dict[str, str]]
) -> dict[str, Any]:
    return _alarm(
        names.queue_alarm,
        "Requests have waited for a quarter of an hour: the controller looks now.",
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        [{"Name": "QueueName", "Value": names.queue}],
        OLDEST_REQUEST_SECONDS,
        topic_arn,
        labels,
    )


def _capacity_alarm(
    kind: Kind, names: ResourceNames, topic_arn: str, labels: list[dict[str, str]]
) -> dict[str, Any] | None:
    """Tells of requests past the queue that met no copy; None where SageMaker has no metric of
    them: asleep, a realtime endpoint does not exist, and whoever calls it hears so."""
    metric = manner(kind).uncovered
    if metric is None:
        return None
    return _alarm(
        names.capacity_alarm,
        "A direct request met no copy: the controller shall look now.",
        "AWS/SageMaker",
        metric,
        dimensions(kind, names, metric),
        0,
        topic_arn,
        labels,
    )


def readers(spec: EndpointSpec, copies: int) -> int:
    """Dispatchers at a time: enough to keep so many copies at their concurrency."""
    in_flight = copies * spec.serving.concurrency_per_copy
    return min(max(FEWEST_READERS, -(-in_flight // BATCH_SIZE)), MOST_READERS)


def _alarm(
    name: str,
    description: str,
    namespace: str,
    metric: str,
    watched: list[dict[str, str]],
    threshold: int,
    topic_arn: str,
    labels: list[dict[str, str]],
) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmDescription": description,
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": watched,
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [topic_arn],
        "Tags": labels,
    }
