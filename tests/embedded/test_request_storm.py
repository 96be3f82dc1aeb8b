"""Requests through a sleep, two wakes without capacity, and every fault: one answer for each.

`make bench-requests` does the same with 10,000 and three sleeps. Minutes long: `make soak` runs it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.requests.storm import FAILED_WAKES, Plan, Storm, rage
from benchmarks.requests.verdict import judge
from tests.embedded.stack import deployed
from tools.embedded.sagemaker.trouble import Failure

PLAN = Plan(300, sleeps=1, early=30, seed=4, duplicated=0.1, crashing=0.1, failing=0.1)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_every_request_has_one_answer_its_own_and_whole(tmp_path: Path) -> None:
    storm = Storm.of(PLAN)
    with deployed(tmp_path, CapacitySeconds="300") as stack:
        rage(stack, storm)
        verdict = judge(stack, storm)
    assert storm.stuck == ""
    assert verdict.twice == verdict.undone == verdict.wrong == verdict.lost == verdict.refused == []
    assert len(verdict.answered) == verdict.sent == PLAN.requests
    assert verdict.left_in_queues == 0
    assert storm.failed_wakes >= FAILED_WAKES
    assert storm.sleeps == PLAN.sleeps
    assert storm.leftovers.fired > 10
    assert storm.crashes.fired > 0
    assert set(storm.trouble.failed) == set(Failure)
    assert sum(storm.witness.asked.values()) > PLAN.requests, "some were asked again"
