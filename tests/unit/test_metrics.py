"""Our own metrics: few, in EMF lines that CloudWatch would take."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.alerts.events.life import WakeRequested
from autoscaler.endpoints.status import Cause
from autoscaler.runtime.metrics import NAMESPACE, Measures, Metric, metric_of
from tests.alerts_events import ONE_OF_EACH, WHO


@pytest.fixture(autouse=True)
def _named_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "autoscaler")  # as in the template


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]


def series(line: dict[str, Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    (dimensions,) = directive["Dimensions"]
    assert all(isinstance(line[name], str) for name in dimensions)
    return [
        (directive["Namespace"], one["Name"], tuple(dimensions)) for one in directive["Metrics"]
    ]


def test_a_tick_is_a_line_of_the_whole_stack(capsys: pytest.CaptureFixture[str]) -> None:
    Measures("prod").tick(3, stuck=0, spent_today_usd=Decimal("12.3456789"))
    (stack,) = lines(capsys)
    assert series(stack) == [
        (NAMESPACE, "Copies", ("Stack",)),
        (NAMESPACE, "SpentTodayUsd", ("Stack",)),
    ]
    assert (stack["Stack"], stack["Copies"], stack["SpentTodayUsd"]) == ("prod", [3.0], [12.345679])


def test_stuck_endpoints_have_a_value_only_while_there_are_any(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Measures("prod").tick(3, stuck=2, spent_today_usd=Decimal(1))
    _, stuck = lines(capsys)
    assert (series(stuck), stuck["StuckEndpoints"]) == (
        [(NAMESPACE, "StuckEndpoints", ("Stack",))],
        [2.0],
    )


def test_waits_are_one_line_a_batch_with_every_value(capsys: pytest.CaptureFixture[str]) -> None:
    Measures("prod").waited([1.0, 2.5, 0.25])
    (line,) = lines(capsys)
    assert line["WaitSeconds"] == [1.0, 2.5, 0.25] and series(line)[0][2] == ("Stack",)
    Measures("prod").waited([])
    assert lines(capsys) == []


@pytest.mark.parametrize("cause", Cause)
def test_every_wake_is_counted_by_its_cause(cause: Cause) -> None:
    metric = metric_of(WakeRequested(**WHO, cause=cause, copies=1, expected_seconds=9))
    assert metric is not None and metric.startswith("Wakes")


def test_what_counts_as_a_failure() -> None:
    found = {e.detail_type for e in ONE_OF_EACH if metric_of(e) is Metric.FAILURES}
    assert found == {
        "CapacityMissing", "CopiesMissing", "EndpointFailed", "PhaseStuck", "SleepStuck",
        "UpdateFailed", "ScalingMissing", "RoundFailed",
    }  # fmt: skip
