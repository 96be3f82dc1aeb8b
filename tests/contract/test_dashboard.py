"""Every metric that a widget or an alarm of the template names is one that somebody writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from autoscaler.endpoints.names import DEAD_LETTERS_SUFFIX
from autoscaler.runtime.metrics import NAMESPACE, STACK, Metric
from tests.contract.test_watching import of_type

# What AWS writes by itself, as its documentation lists it.
OF_AWS = {
    ("AWS/Lambda", ("FunctionName",)): {"Invocations", "Errors", "Throttles", "Duration"},
    ("AWS/SQS", ("QueueName",)): {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateAgeOfOldestMessage",
    },
    ("AWS/States", ("StateMachineArn",)): {"ExecutionsFailed", "ExecutionsTimedOut"},
    ("AWS/SageMaker", ("InferenceComponentName",)): {"ConcurrentRequestsPerCopy"},
    ("AWS/SageMaker", ("EndpointName", "VariantName")): {"ConcurrentRequestsPerModel"},
    ("AWS/SageMaker", ("EndpointName",)): {"ApproximateBacklogSizePerInstance"},
}
OURS = {
    (NAMESPACE, (STACK,)): {one.value for one in Metric},
}
WRITTEN = {**OF_AWS, **OURS}
Named = tuple[str, tuple[str, ...], str]  # namespace, dimensions, metric


def body() -> dict[str, Any]:
    return json.loads(of_type("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"])


def of_widgets() -> Iterator[Named]:
    for widget in body()["widgets"]:
        before: list[Any] = []
        for row in widget["properties"].get("metrics", []):
            if isinstance(row[0], dict):
                yield from searched(row[0]["expression"])
                continue
            words = [one for one in row if isinstance(one, str)]
            words = [b if w == "." else w for w, b in zip(words, before or words, strict=True)]
            before = words
            yield words[0], tuple(words[2::2]), words[1]


def searched(expression: str) -> Iterator[Named]:
    for schema, metric in re.findall(r"SEARCH\('\{([^}]+)\} MetricName=\"(\w+)\"", expression):
        namespace, *dimensions = schema.split(",")
        yield namespace, tuple(dimensions), metric


def of_alarms() -> Iterator[Named]:
    for alarm in of_type("AWS::CloudWatch::Alarm").values():
        names = tuple(dimension["Name"] for dimension in alarm["Dimensions"])
        yield alarm["Namespace"], names, alarm["MetricName"]


def test_every_metric_that_is_named_is_written_with_these_dimensions() -> None:
    named = [*of_widgets(), *of_alarms()]
    assert len(named) > 20
    unknown = [one for one in named if one[2] not in WRITTEN.get(one[:2], set())]
    assert unknown == []


def test_every_metric_of_ours_is_shown_or_watched() -> None:
    shown = {
        metric for namespace, _, metric in (*of_widgets(), *of_alarms()) if namespace == NAMESPACE
    }
    assert shown == {one.value for one in Metric}


def test_the_dashboard_shows_what_people_ask_for() -> None:
    titles = " ".join(widget["properties"]["title"] for widget in body()["widgets"])
    for asked in ("Copies", "waiting", "waited", "Wakes by cause", "Dollars today", "Failures"):
        assert asked in titles


def test_expressions_name_metrics_of_their_own_widget() -> None:
    for widget in body()["widgets"]:
        rows = widget["properties"].get("metrics", [])
        ids = {row[-1]["id"] for row in rows if isinstance(row[-1], dict) and "id" in row[-1]}
        for row in rows:
            if isinstance(row[0], dict) and "SEARCH" not in row[0]["expression"]:
                assert set(re.findall(r"[a-z]\w*", row[0]["expression"])) <= ids


def test_the_region_of_every_widget_is_the_stacks() -> None:
    metric = [one for one in body()["widgets"] if one["type"] == "metric"]
    assert {one["properties"]["region"] for one in metric} == {"${AWS::Region}"}


def test_what_is_shown_of_each_endpoint_is_read_from_a_log_that_has_it() -> None:
    """The fields of the queries are those of the lines; that these are written is in
    tests/unit/test_metrics.py."""
    queries = [w["properties"]["query"] for w in body()["widgets"] if w["type"] == "log"]
    groups = of_type("AWS::Logs::LogGroup")
    logs = [re.match(r"SOURCE '\$\{(\w+)\}' ", query) for query in queries]
    assert [log and log[1] in groups for log in logs] == [True, True]
    assert [" | stats max(copies) by " in queries[0], "message = 'copies'" in queries[0]] == [
        True
    ] * 2
    assert " | stats max(longest_wait_seconds) by " in queries[1]


def test_requests_that_wait_are_those_of_endpoints_queues_alone() -> None:
    """A search finds words of names: refused requests and alerts wait in queues too."""
    searches = [
        row[0]["expression"]
        for widget in body()["widgets"]
        for row in widget["properties"].get("metrics", [])
        if isinstance(row[0], dict) and "{AWS/SQS," in row[0]["expression"]
    ]
    left_out = {DEAD_LETTERS_SUFFIX.lstrip("-"), *of_type("AWS::SQS::Queue")}
    assert len(searches) == 2
    for search in searches:
        assert set(re.findall(r"NOT (\w+)", search)) == left_out
