"""What CloudWatch tells others about an alarm: bus events, topic messages, function payloads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def stamp(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "+0000")


def state_change_detail(alarm: Any, before: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The detail of "CloudWatch Alarm State Change"."""
    configuration: dict[str, Any] = {"description": alarm.description or ""}
    if alarm.rule:
        configuration["alarmRule"] = alarm.rule
    else:
        configuration["metrics"] = [_event_metric(q) for q in metric_queries(alarm)]
    return {
        "alarmName": alarm.name,
        "state": {
            "value": alarm.state_value,
            "reason": alarm.state_reason,
            "reasonData": alarm.state_reason_data,
            "timestamp": stamp(now),
        },
        "previousState": dict(before),
        "configuration": configuration,
    }


def _event_metric(query: Mapping[str, Any]) -> dict[str, Any]:
    if "Expression" in query:
        return {
            "id": query["Id"],
            "expression": query["Expression"],
            "returnData": query.get("ReturnData", True),
        }
    stat = query["MetricStat"]
    metric = stat["Metric"]
    return {
        "id": query["Id"],
        "returnData": query.get("ReturnData", True),
        "metricStat": {
            "metric": {
                "namespace": metric["Namespace"],
                "name": metric["MetricName"],
                "dimensions": {d["Name"]: d["Value"] for d in metric["Dimensions"]},
            },
            "period": int(stat["Period"]),
            "stat": stat["Stat"],
        },
    }


def topic_message(
    alarm: Any, before: Mapping[str, Any], now: float, account_id: str, region: str
) -> str:
    """What an SNS topic is told."""
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account_id,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": stamp(now),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before["value"],
        "OKActions": list(alarm.ok_actions),
        "AlarmActions": list(alarm.alarm_actions),
        "InsufficientDataActions": list(alarm.insufficient_data_actions),
    }
    if alarm.rule:
        message["AlarmRule"] = alarm.rule
    else:
        message["Trigger"] = {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "Statistic": alarm.statistic,
            "Period": alarm.period,
            "Dimensions": [{"name": d.name, "value": d.value} for d in alarm.dimensions],
            "EvaluationPeriods": alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "missing",
        }
    return json.dumps(message)


def function_payload(
    alarm: Any, before: Mapping[str, Any], now: float, account_id: str, region: str
) -> bytes:
    """What a function that is an alarm's action is invoked with."""
    return json.dumps(
        {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.alarm_arn,
            "accountId": account_id,
            "time": stamp(now),
            "region": region,
            "alarmData": state_change_detail(alarm, before, now),
        }
    ).encode()


def metric_queries(alarm: Any) -> list[dict[str, Any]]:
    """A metric alarm's configuration as GetMetricData queries; its single metric is `m1`."""
    if not alarm.metric_data_queries:
        stat = {
            "Metric": {
                "Namespace": alarm.namespace,
                "MetricName": alarm.metric_name,
                "Dimensions": _dimensions(alarm.dimensions),
            },
            "Period": int(alarm.period),
            "Stat": alarm.statistic or alarm.extended_statistic,
        }
        if alarm.unit:
            stat["Unit"] = alarm.unit
        return [{"Id": "m1", "MetricStat": stat}]
    return [_query(q) for q in alarm.metric_data_queries]


def _query(query: Any) -> dict[str, Any]:
    returned = str(query.return_data).lower() != "false"
    found: dict[str, Any] = {"Id": query.id, "ReturnData": returned}
    if query.period:
        found["Period"] = int(query.period)
    if query.expression:
        return {**found, "Expression": query.expression}
    inner = query.metric_stat
    stat = {
        "Metric": {
            "Namespace": inner.metric.namespace,
            "MetricName": inner.metric.metric_name,
            "Dimensions": _dimensions(inner.metric.dimensions),
        },
        "Period": int(inner.period),
        "Stat": inner.stat,
    }
    if inner.unit:
        stat["Unit"] = inner.unit
    return {**found, "MetricStat": stat}


def _dimensions(dimensions: Any) -> list[dict[str, str]]:
    return [{"Name": d.name, "Value": d.value} for d in dimensions or ()]
