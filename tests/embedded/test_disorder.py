"""A fifth of all calls of the control plane fails, and every endpoint still gets where it should.

`make bench-lifecycle` does the same with more endpoints.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.lifecycle.story import PHASES, live
from tests.embedded.stack import deployed
from tools.embedded.kernel.disorder import Disorder, Trouble

pytestmark = pytest.mark.soak  # minutes: `make soak`
SEED = 7


@pytest.mark.timeout(420)
def test_two_endpoints_live_through_a_fifth_of_all_calls_failing(tmp_path: Path) -> None:
    disorder = Disorder(0.2, SEED)
    with deployed(tmp_path) as stack:
        lived = live(stack, ["one", "two"], disorder)
    assert lived.reached == {"one": list(PHASES), "two": list(PHASES)}
    assert lived.unanswered == []
    assert (lived.left, lived.instances) == ({}, 0)
    assert disorder.calls.total() > 500
    assert 0.15 < disorder.share < 0.25
    assert all(disorder.of_kind(trouble) > 20 for trouble in Trouble)
    services = {operation.partition(":")[0] for operation, _ in disorder.failed}
    assert services >= {"sagemaker", "sqs", "dynamodb", "monitoring", "states"}
