"""What each schedule says to its function is what that function takes, and means what it is for.

Nobody reads what an invocation by the scheduler answers: one that is refused is only an error in a
log, and the hourly sweep, say, would never remove anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from autoscaler.runtime import notify
from autoscaler.runtime.reports import ReportOrder
from autoscaler.runtime.sweep import SweepOrder
from tests.contract.test_watching import of_type

Judge = Callable[[Any], bool]


def reports(said: Any) -> bool:
    """test_report_schedules has which, and when."""
    return bool(ReportOrder.model_validate(said).period)


def sweeps(said: Any) -> bool:
    """`look` would be taken too, and remove nothing."""
    return SweepOrder.model_validate(said).sweep == "remove"


def flushes(said: Any) -> bool:
    """No batch of a queue, which the same function takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notify, "tell_held", lambda _invocation: {"held": True})
        patch.setattr(notify, "tell", lambda _event: {})
        return notify.handle(said) == {"held": True}


def nothing(said: Any) -> bool:
    """It looks at no event: what the scheduler sends by itself will do."""
    return said is None


JUDGES: dict[str, Judge] = {
    "ReconcileFunction.Arn": nothing,
    "RefreshPricesFunction.Arn": nothing,
    "ReportCostsFunction.Arn": reports,
    "NotifyFunction.Arn": flushes,
    "SweepAccountFunction.Arn": sweeps,
}


def targets() -> dict[str, dict[str, Any]]:
    """By the schedule's name."""
    return {name: one["Target"] for name, one in of_type("AWS::Scheduler::Schedule").items()}


def test_every_function_that_is_called_on_time_is_known_here() -> None:
    assert {target["Arn"] for target in targets().values()} == JUDGES.keys()


@pytest.mark.parametrize("name", sorted(targets()))
def test_a_function_takes_what_its_schedule_says(name: str) -> None:
    target = targets()[name]
    said = json.loads(target["Input"]) if "Input" in target else None
    assert JUDGES[target["Arn"]](said)


def test_no_schedule_rests() -> None:
    schedules = of_type("AWS::Scheduler::Schedule")
    assert {one.get("State", "ENABLED") for one in schedules.values()} == {"ENABLED"}
    assert {one["Target"]["RoleArn"] for one in schedules.values()} == {"ScheduleRole.Arn"}
