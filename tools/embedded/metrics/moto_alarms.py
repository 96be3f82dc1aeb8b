"""Mends moto's alarms: first state, updates, SetAlarmState, composite alarms, history."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch import models, responses
from moto.core.responses import ActionResult

from tools.embedded.metrics.alarms import Alarms
from tools.embedded.pump.patches import Patches


class AlarmPatches:
    """moto's alarms as CloudWatch has them while installed."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._patches = Patches()

    def install(self) -> None:
        backend, response = models.CloudWatchBackend, responses.CloudWatchResponse
        original = self._patches.set(backend, "put_metric_alarm", None)
        backend.put_metric_alarm = _put_with(original)  # type: ignore[method-assign]
        original = self._patches.set(backend, "set_alarm_state", None)
        backend.set_alarm_state = _set_state_with(  # type: ignore[method-assign]
            self._alarms, original
        )
        self._patches.set(response, "put_composite_alarm", response.put_metric_alarm)
        self._patches.set(response, "describe_alarm_history", _history)

    def uninstall(self) -> None:
        self._patches.restore()


def _put_with(original: Any) -> Any:
    def put_metric_alarm(backend: Any, *args: Any, **kwargs: Any) -> Any:
        name = kwargs.get("name", args[0] if args else None)
        before = backend.alarms.get(name)
        alarm = original(backend, *args, **kwargs)
        if before is None:
            alarm.state_value = "INSUFFICIENT_DATA"
            return alarm
        kept = (
            "state_value",
            "state_reason",
            "state_reason_data",
            "state_updated_timestamp",
            "history",
            "_pump_changed",
            "_pump_history",
        )
        alarm.__dict__.update({k: v for k, v in before.__dict__.items() if k in kept})
        return alarm

    return put_metric_alarm


def _set_state_with(alarms: Alarms, original: Any) -> Any:
    def set_alarm_state(
        backend: Any, alarm_name: str, reason: str, reason_data: str, state_value: str
    ) -> None:
        alarm = backend.alarms.get(alarm_name)
        if alarm is None or alarm.state_value == state_value:
            original(backend, alarm_name, reason, reason_data, state_value)
            return
        before = alarm.__dict__.copy()
        original(backend, alarm_name, reason, reason_data, state_value)  # validates
        alarm.__dict__.update(before)
        alarm.history.pop()
        alarms.change(alarm, state_value, reason, json.loads(reason_data or "{}"))

    return set_alarm_state


def _history(response: Any) -> ActionResult:
    name = response._get_param("AlarmName")
    items = []
    for alarm in response.cloudwatch_backend.alarms.values():
        if name not in (None, alarm.name):
            continue
        for when, old, new, reason in alarm.__dict__.get("_pump_history", []):
            items.append(
                {
                    "AlarmName": alarm.name,
                    "HistoryItemType": "StateUpdate",
                    "AlarmType": "CompositeAlarm" if alarm.rule else "MetricAlarm",
                    "Timestamp": datetime.fromtimestamp(when, UTC).replace(tzinfo=None),
                    "HistorySummary": f"Alarm updated from {old} to {new}",
                    "HistoryData": json.dumps(
                        {
                            "oldState": {"stateValue": old},
                            "newState": {"stateValue": new, "stateReason": reason},
                        }
                    ),
                }
            )
    items.sort(key=lambda item: item["Timestamp"], reverse=True)
    return ActionResult({"AlarmHistoryItems": items})
