"""The transitions that a report estimates, against those of the machines' executions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from autoscaler.ledger.own_use import transitions
from autoscaler.spec import Kind
from tests.histories.entered import entered
from tests.histories.forks import in_copy
from tests.histories.world import World
from tests.samples import spec

ROUNDS = 3  # some sleeps look a second time


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_what_a_report_estimates_is_what_the_executions_entered(
    empty: World, kind: Kind, copies: int
) -> None:
    found = in_copy(lambda: entered(empty, kind, copies, ROUNDS))
    assert found.of_a_round > 25, "it was counted"
    known = {name: Decimal(count) for name, count in found.calls.items()}
    woken = [spec("llama", kind=kind.value, scaling={"max_copies": copies})]
    assert float(transitions(known, woken)) == pytest.approx(found.states, rel=0.05), found
