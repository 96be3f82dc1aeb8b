"""A message is looked at again soon enough, and never so often that SQS gives it up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autoscaler.control.patience import (
    LONGEST_STAY,
    WHEN_BUSY,
    WHEN_TROUBLED,
    paced,
    time_until_ready,
)
from autoscaler.endpoints.queues import MOST_RECEIVES, RETENTION_SECONDS
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy.types import Phase
from tests.memory import NOON
from tests.samples import asleep, spec

WAITING = [Phase.ASLEEP, Phase.SLEEPING, Phase.WAKING, Phase.CREATING, Phase.FAILED]


def record(phase: Phase) -> EndpointRecord:
    return EndpointRecord(spec=spec(), status=asleep("llama", phase=phase))


@pytest.mark.parametrize("phase", WAITING)
def test_a_message_is_received_less_often_than_sqs_allows(phase: Phase) -> None:
    """The worst case: the wake is overdue from the first second on, for as long as it lasts."""
    one, now, receives = record(phase), NOON, 0
    while now - NOON < LONGEST_STAY:
        now += time_until_ready(one, NOON, now)
        receives += 1
    assert 600 < receives < MOST_RECEIVES * 0.9


@pytest.mark.parametrize("wait", [WHEN_BUSY, WHEN_TROUBLED])
def test_a_busy_model_does_not_use_a_message_up(wait: timedelta) -> None:
    now, receives = NOON, 0
    while now - NOON < LONGEST_STAY:
        now += paced(wait, NOON, now)
        receives += 1
    assert receives < MOST_RECEIVES * 0.9


def test_it_is_refused_before_the_queue_deletes_it() -> None:
    assert LONGEST_STAY + timedelta(minutes=30) < timedelta(seconds=RETENTION_SECONDS)


@pytest.mark.parametrize(
    ("age_seconds", "wait_seconds"),
    [(0, 2), (60, 2.5), (600, 25), (7200, 300), (86_400, 1800)],
)
def test_when_the_wake_is_overdue_the_wait_is_a_24th_of_the_age(age_seconds, wait_seconds) -> None:
    sent_at = NOON - timedelta(seconds=age_seconds)
    waking = record(Phase.WAKING)  # since an hour
    assert time_until_ready(waking, sent_at, NOON).total_seconds() == wait_seconds
