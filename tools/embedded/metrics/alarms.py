"""Evaluates moto's alarms on the account's clock and carries out their actions."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from moto.cloudwatch import models

from tools.embedded.metrics.alarm_events import (
    function_payload,
    metric_queries,
    stamp,
    state_change_detail,
    topic_message,
)
from tools.embedded.metrics.alarm_rules import AlarmRuleError, holds
from tools.embedded.metrics.alarm_states import EXTRA_WINDOWS, Rule, judge
from tools.embedded.metrics.math_eval import Series
from tools.embedded.metrics.query import Query, QueryError
from tools.embedded.metrics.samples import StatisticError
from tools.embedded.metrics.store import MetricsStore
from tools.embedded.pump.view import AccountView
from tools.embedded.types import EventSink

log = logging.getLogger(__name__)

ACTIONS = {
    "ALARM": "alarm_actions",
    "OK": "ok_actions",
    "INSUFFICIENT_DATA": "insufficient_data_actions",
}
SCALING_REPEAT_SECONDS = 60.0  # an alarm repeats a scaling action as long as its state lasts
MAX_HISTORY = 100


class ActionSink(Protocol):
    """Carries out what an alarm asks for, in the background."""

    def act(self, alarm_arn: str, target_arn: str, payload: str) -> None: ...


class Alarms:
    """All alarms of the account."""

    def __init__(
        self, account: AccountView, store: MetricsStore, events: EventSink, actions: ActionSink
    ) -> None:
        self._account = account
        self._store = store
        self._events = events
        self._actions = actions
        self._evaluated: dict[str, float] = {}
        self._breaches: dict[str, float] = {}  # the newest value less the threshold
        self._repeated: dict[str, float] = {}
        self._lock = threading.RLock()

    def evaluate(self, now: float) -> None:
        """Evaluates what is due: high-resolution alarms every 10 s, others every minute."""
        with self._lock:
            alarms = list(self._backend().alarms.values())
            for alarm in alarms:
                if not alarm.rule and self._is_due(alarm, now):
                    self._guarded(alarm, self._metric_state, now)
            for alarm in alarms:
                if alarm.rule:
                    self._guarded(alarm, self._composite_state, now)
            for alarm in alarms:
                self._repeat_scaling(alarm, now)

    def _backend(self) -> Any:
        return models.cloudwatch_backends[self._account.account_id][self._account.region]

    def _is_due(self, alarm: Any, now: float) -> bool:
        interval = 10.0 if self._period(alarm) < 60 else 60.0
        mark = now // interval
        if alarm.state_reason.startswith("Unchecked") or self._evaluated.get(alarm.name) != mark:
            self._evaluated[alarm.name] = mark
            return True
        return False

    @staticmethod
    def _period(alarm: Any) -> float:
        if alarm.period:
            return float(alarm.period)
        periods = [
            q.metric_stat.period if q.metric_stat else q.period for q in alarm.metric_data_queries
        ]
        return max((float(p) for p in periods if p), default=60.0)

    def _guarded(self, alarm: Any, look: Any, now: float) -> None:
        try:
            state, reason, data = look(alarm, now)
        except (QueryError, StatisticError, AlarmRuleError, KeyError) as error:
            log.warning("alarm %s cannot be evaluated: %s", alarm.name, error)
            return
        if state != alarm.state_value:
            self.change(alarm, state, reason, data)

    def _metric_state(self, alarm: Any, now: float) -> tuple[str, str, dict[str, Any]]:
        period = self._period(alarm)
        needed = int(alarm.evaluation_periods or 1)
        end = now // period * period
        windows = [end - period * n for n in range(needed + EXTRA_WINDOWS, 0, -1)]
        series = self._series(alarm, windows[0], end)
        values = [series.get(window) for window in windows]
        rule = Rule(
            alarm.comparison_operator,
            float(alarm.threshold),
            needed,
            int(alarm.datapoints_to_alarm or needed),
            alarm.treat_missing_data or "missing",
        )
        state = judge(rule, values, alarm.state_value)
        recent = [v for v in values[-needed:] if v is not None]
        if recent:
            self._breaches[alarm.name] = recent[-1] - rule.threshold
        data = {
            "version": "1.0",
            "queryDate": stamp(now),
            "startDate": stamp(windows[0]),
            "period": int(period),
            "recentDatapoints": recent,
            "threshold": rule.threshold,
            "statistic": alarm.statistic or alarm.extended_statistic,
        }
        return state, _reason(state, rule, recent, needed), data

    def _series(self, alarm: Any, start: float, end: float) -> Series:
        results = Query(self._store, metric_queries(alarm), start, end).results()
        wanted = alarm.threshold_metric_id
        for query_id, _, series in results:
            if query_id != wanted:
                return series
        return {}

    def _composite_state(self, alarm: Any, now: float) -> tuple[str, str, dict[str, Any]]:
        alarms = self._backend().alarms

        def state_of(name: str) -> str | None:
            found = alarms.get(name)
            return None if found is None else str(found.state_value)

        state = "ALARM" if holds(alarm.rule, state_of) else "OK"
        return state, f"AlarmRule {alarm.rule} evaluates to {state}", {}

    def change(self, alarm: Any, state: str, reason: str, data: Mapping[str, Any]) -> None:
        """Moves an alarm to another state, records it, tells the bus, carries out its actions."""
        with self._lock:
            now = self._account.clock.time()
            before = {
                "value": alarm.state_value,
                "reason": alarm.state_reason,
                "reasonData": alarm.state_reason_data,
                "timestamp": stamp(alarm.__dict__.get("_pump_changed", now)),
            }
            alarm.update_state(reason, json.dumps(data), state)
            alarm.__dict__["_pump_changed"] = now
            alarm.__dict__.setdefault("_pump_history", []).append(
                (now, before["value"], state, reason)
            )
            del alarm.__dict__["_pump_history"][:-MAX_HISTORY]
        self._events.put_event(
            "aws.cloudwatch",
            "CloudWatch Alarm State Change",
            state_change_detail(alarm, before, now),
            resources=[alarm.alarm_arn],
        )
        if alarm.actions_enabled:
            for target in getattr(alarm, ACTIONS[state]):
                self._act(alarm, target, before, now)

    def _act(self, alarm: Any, target: str, before: Mapping[str, Any], now: float) -> None:
        where = self._account.account_id, self._account.region
        if ":autoscaling:" in target:
            self._scale(alarm, target, now)
        elif ":lambda:" in target:
            payload = function_payload(alarm, before, now, *where).decode()
            self._actions.act(alarm.alarm_arn, target, payload)
        else:
            self._actions.act(alarm.alarm_arn, target, topic_message(alarm, before, now, *where))

    def _scale(self, alarm: Any, policy_arn: str, now: float) -> None:
        scaling = getattr(self._account, "scaling", None)
        if scaling is None:
            return
        self._repeated[f"{alarm.name}|{policy_arn}"] = now
        try:
            breach = self._breaches.get(alarm.name, 0.0)
            scaling.alarm_state(alarm.alarm_arn, alarm.state_value, policy_arn, breach)
        except Exception:  # a policy's trouble must not stop the other alarms
            log.exception("alarm %s: its scaling policy failed", alarm.name)

    def _repeat_scaling(self, alarm: Any, now: float) -> None:
        if not alarm.actions_enabled or alarm.state_value not in ACTIONS:
            return
        for target in getattr(alarm, ACTIONS[alarm.state_value]):
            last = self._repeated.get(f"{alarm.name}|{target}")
            if last is not None and now - last >= SCALING_REPEAT_SECONDS:
                self._scale(alarm, target, now)


def _reason(state: str, rule: Rule, recent: list[float], needed: int) -> str:
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {needed} datapoints were unknown."
    shown = ", ".join(str(float(v)) for v in recent)
    verb = "were" if state == "ALARM" else "were not"
    return (
        f"Threshold Crossed: {len(recent)} datapoints [{shown}] {verb} "
        f"{rule.comparison} ({rule.threshold}), {rule.datapoints_to_alarm} out of the last "
        f"{needed} needed."
    )
