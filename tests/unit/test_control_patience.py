"""A message is looked at again soon enough, and never so often that SQS gives it up."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from autoscaler.control.patience import (
    LONGEST_WAIT,
    WHEN_BUSY,
    WHEN_TROUBLED,
    expected_ready,
    in_time_for,
    paced,
    time_until_ready,
)
from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.queues import MOST_RECEIVES, RETENTION_SECONDS, queue_requests
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy.types import Phase
from tests.memory import NOON
from tests.samples import asleep, awake, spec

WAITING = [Phase.ASLEEP, Phase.SLEEPING, Phase.WAKING, Phase.CREATING, Phase.FAILED]


def record(phase: Phase) -> EndpointRecord:
    return EndpointRecord(spec=spec(), status=asleep("llama", phase=phase))


@pytest.mark.parametrize("phase", WAITING)
def test_a_message_is_received_less_often_than_sqs_allows(phase: Phase) -> None:
    """The worst case: the wake is overdue from the first second on, for as long as it lasts."""
    one, now, receives = record(phase), NOON, 0
    while now - NOON < LONGEST_WAIT:
        now += time_until_ready(one, NOON, now)
        receives += 1
    assert 600 < receives < MOST_RECEIVES * 0.9


@pytest.mark.parametrize("wait", [WHEN_BUSY, WHEN_TROUBLED])
def test_a_busy_model_does_not_use_a_message_up(wait: timedelta) -> None:
    now, receives = NOON, 0
    while now - NOON < LONGEST_WAIT:
        now += paced(wait, NOON, now)
        receives += 1
    assert receives < MOST_RECEIVES * 0.9


def test_it_is_refused_before_the_queue_deletes_it() -> None:
    assert LONGEST_WAIT + timedelta(minutes=30) < timedelta(seconds=RETENTION_SECONDS)


def test_the_queues_of_an_endpoint_are_made_so() -> None:
    """Untold, SQS keeps a message for 4 days and brings it back after 30 s."""
    arns = "arn:aws:sqs:us-east-1:123456789012:"
    made = queue_requests(
        spec("llama"),
        ResourceNames("stack", "llama"),
        account_arn_prefix=arns,
        dispatcher_arn="arn:aws:lambda:us-east-1:123456789012:function:dispatch",
        alarm_topic_arn="arn:aws:sns:us-east-1:123456789012:alarms",
        tags={},
    )
    for name in ("queue", "later_queue", "dead_letter_queue"):
        kept = made[name]["Attributes"]["MessageRetentionPeriod"]
        assert kept == str(14 * 24 * 3600), name
    for name in ("queue", "later_queue"):
        attributes = made[name]["Attributes"]
        assert attributes["VisibilityTimeout"] == "960", "longer than a dispatcher may run"
        assert json.loads(attributes["RedrivePolicy"]) == {
            "deadLetterTargetArn": arns + made["dead_letter_queue"]["QueueName"],
            "maxReceiveCount": 1000,
        }
    for name in ("mapping", "later_mapping"):
        assert made[name]["FunctionResponseTypes"] == ["ReportBatchItemFailures"], "or all go"


@pytest.mark.parametrize(
    ("age_seconds", "wait_seconds"),
    [(0, 2), (60, 2.5), (600, 25), (7200, 300), (86_400, 1800)],
)
def test_when_the_wake_is_overdue_the_wait_is_a_24th_of_the_age(age_seconds, wait_seconds) -> None:
    sent_at = NOON - timedelta(seconds=age_seconds)
    waking = record(Phase.WAKING)  # since an hour
    assert time_until_ready(waking, sent_at, NOON).total_seconds() == wait_seconds


@pytest.mark.parametrize(
    ("left_seconds", "asked_seconds", "wait_seconds"),
    [
        (3600, 300, 300),  # there is time
        (3600, 1800, 1800),
        (600, 1800, 300),  # old messages are looked at seldom, but not too late
        (6, 1800, 3),
        (3, 1800, 2),
        (1, 1800, 2),  # it is over then, and refused
        (0, 1800, 1),
    ],
)
def test_a_message_is_looked_at_while_it_can_still_be_answered(
    left_seconds: int, asked_seconds: int, wait_seconds: float
) -> None:
    due_at = NOON + timedelta(seconds=left_seconds)
    wait = in_time_for(due_at, timedelta(seconds=asked_seconds), NOON)
    assert wait.total_seconds() == wait_seconds


def test_a_deadline_costs_few_looks() -> None:
    now, due_at, receives = NOON, NOON + timedelta(days=13), 0
    while now < due_at:
        now += in_time_for(due_at, timedelta(days=13), now)
        receives += 1
    assert receives < 25


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        (awake("llama"), 0),
        (asleep("llama"), 300),
        (asleep("llama", phase=Phase.SLEEPING), 300),
        (asleep("llama", phase=Phase.WAKING, wished_at=NOON - timedelta(seconds=200)), 100),
        (asleep("llama", phase=Phase.WAKING, wished_at=NOON - timedelta(seconds=900)), 15),
        (asleep("llama", retry_at=NOON + timedelta(minutes=3)), 480),
        (asleep("llama", retry_at=NOON - timedelta(minutes=3)), 300),
        (asleep("llama", wakes_on=NOON.date(), wakes_today=96), None),
        (asleep("llama", phase=Phase.UPDATING, observed_copies=1), 0),
        (asleep("llama", phase=Phase.UPDATING), 300),
        (asleep("llama", phase=Phase.FAILED), None),
        (asleep("llama", phase=Phase.RETIRING), None),
    ],
)
def test_what_a_caller_is_told_of_its_waiting_time(status, seconds) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert expected_ready(EndpointRecord(spec=spec(), status=status), NOON) == expected
