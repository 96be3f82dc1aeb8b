"""How long requests and answers lie in the results bucket, and how they lie there."""

from __future__ import annotations

from typing import Any

from autoscaler.control.patience import LONGEST_WAIT
from tests.contract.test_statemachines import template

_QUEUE_DAYS = 14  # as long as SQS keeps a message, at most


def results_bucket() -> dict[str, Any]:
    return template()["Resources"]["ResultsBucket"]["Properties"]


def rules() -> dict[str, Any]:
    """Days by prefix."""
    found = results_bucket()["LifecycleConfiguration"]["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in found)
    return {rule["Prefix"]: rule["ExpirationInDays"] for rule in found if "Prefix" in rule}


def test_whatever_is_written_there_expires() -> None:
    assert rules() == {
        "results/": "ResultDays",
        "answers/": "ResultDays",
        "requests/": 28,
        "async/": 14,
    }


def test_a_body_outlives_every_message_that_points_to_it() -> None:
    longest = LONGEST_WAIT.days + _QUEUE_DAYS  # in its queue, then among the dead letters
    assert rules()["requests/"] >= longest
    assert rules()["async/"] >= LONGEST_WAIT.days


def test_it_is_private_and_speaks_tls_only() -> None:
    """How it is encrypted, test_encryption says of every bucket and queue."""
    properties = results_bucket()
    assert all(flag == "true" or flag is True for flag in _flags(properties))
    policy = template()["Resources"]["ResultsBucketPolicy"]["Properties"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert policy["Bucket"] == "ResultsBucket"
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == (
        "Deny",
        "*",
        "s3:*",
    )
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def _flags(properties: dict[str, Any]) -> list[Any]:
    flags = properties["PublicAccessBlockConfiguration"]
    assert len(flags) == 4
    return list(flags.values())
