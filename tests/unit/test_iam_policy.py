"""What a policy allows: nothing by itself, no more than it says, and never against a denial."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools.embedded.iam.policy import Permission, Verdict, judge, statements

QUEUE = "arn:aws:sqs:us-east-1:123456789012:autoscaler-a"


def verdict(
    *written: dict[str, Any],
    action: str = "sqs:SendMessage",
    resource: str = QUEUE,
    **context: tuple[str, ...],
) -> Verdict:
    policy = statements([json.dumps({"Version": "2012-10-17", "Statement": list(written)})])
    return judge(policy, action, resource, context)


def allow(action: Any, resource: Any = "*", sid: str = "S", **more: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource, **more}


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not verdict().allowed
    assert not verdict(allow("sqs:ReceiveMessage")).allowed


@pytest.mark.parametrize(
    ("action", "fits"),
    [
        ("sqs:SendMessage", True),
        ("SQS:sendmessage", True),
        ("sqs:Send*", True),
        ("*", True),
        ("sqs:SendMessageBatch", False),
        ("sns:SendMessage", False),
        ("sqs:Send?essage", True),
    ],
)
def test_actions_are_compared_with_wildcards_and_without_case(action: str, fits: bool) -> None:
    assert verdict(allow(action)).allowed is fits


@pytest.mark.parametrize(
    ("resource", "fits"),
    [
        ("arn:aws:sqs:us-east-1:123456789012:autoscaler-*", True),
        ("arn:aws:sqs:*:*:autoscaler-a", True),
        ("arn:aws:sqs:us-east-1:123456789012:AUTOSCALER-a", False),
        ("arn:aws:sqs:us-east-1:123456789012:other-*", False),
        ([QUEUE, "arn:aws:sqs:us-east-1:123456789012:b"], True),
        ([], False),
    ],
)
def test_resources_are_compared_with_wildcards_and_with_case(resource: Any, fits: bool) -> None:
    assert verdict(allow("sqs:*", resource)).allowed is fits


def test_a_denial_is_stronger_than_any_permission() -> None:
    deny = {"Sid": "No", "Effect": "Deny", "Action": "sqs:*", "Resource": QUEUE}
    found = verdict(allow("*"), deny)
    assert not found.allowed
    assert found.denied_by == "No"
    assert verdict(allow("*"), deny, resource=f"{QUEUE}-b").allowed


def test_what_a_statement_leaves_out_is_not_in_it() -> None:
    rest = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": f"{QUEUE}-secret"}
    assert verdict(rest).allowed
    assert not verdict(rest, action="iam:PassRole").allowed
    assert not verdict(rest, resource=f"{QUEUE}-secret").allowed


def test_a_condition_that_does_not_hold_takes_the_permission_away() -> None:
    tagged = allow("sqs:*", Condition={"StringEquals": {"aws:ResourceTag/t": "mine"}})
    assert verdict(tagged, **{"aws:resourcetag/t": ("mine",)}).allowed
    assert not verdict(tagged, **{"aws:resourcetag/t": ("other",)}).allowed
    assert not verdict(tagged).allowed


def test_every_permission_that_allows_it_is_named() -> None:
    found = verdict(allow(["sqs:Send*", "sqs:SendMessage"], sid="A"), allow("*", sid="B"))
    assert found.by == (
        Permission("A", "sqs:Send*"),
        Permission("A", "sqs:SendMessage"),
        Permission("B", "*"),
    )
