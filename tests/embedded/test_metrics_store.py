"""Metrics through boto3: put, windows, statistics, mathematics, listing, protocols."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.embedded.test_pump_world import START, World, world
from tools.embedded.metrics.samples import Sample, StatisticError, statistic
from tools.embedded.metrics.store import MAX_SAMPLES, MetricsStore, SeriesKey
from tools.embedded.types import Datapoint

NOON = datetime.fromtimestamp(START, UTC)
MINUTE = timedelta(minutes=1)


def put(at: World, minute: float, value: float, name: str = "M", dims: dict | None = None) -> None:
    at.boto("cloudwatch").put_metric_data(
        Namespace="N",
        MetricData=[
            {
                "MetricName": name,
                "Value": value,
                "Timestamp": NOON + minute * MINUTE,
                "Dimensions": [{"Name": k, "Value": v} for k, v in (dims or {}).items()],
            }
        ],
    )


def metric(query_id: str, name: str = "M", stat: str = "Sum", period: int = 60, **dims: str):
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": "N",
                "MetricName": name,
                "Dimensions": [{"Name": k, "Value": v} for k, v in dims.items()],
            },
            "Period": period,
            "Stat": stat,
        },
    }


def get(at: World, *queries: dict, minutes: float = 5, start: float = 0, **more: str) -> dict:
    answer = at.boto("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries),
        StartTime=NOON + start * MINUTE,
        EndTime=NOON + minutes * MINUTE,
        **{"ScanBy": "TimestampAscending", **more},
    )
    return {r["Id"]: r for r in answer["MetricDataResults"]}


@pytest.fixture
def at():
    with world(running=False) as made:
        yield made


def test_values_come_back_by_window_in_the_order_asked_for(at):
    for minute, value in ((0, 1), (0.5, 2), (2, 7)):
        put(at, minute, value)
    up = get(at, metric("m"))["m"]
    assert up["Values"] == [3, 7]
    assert up["Timestamps"] == [NOON, NOON + 2 * MINUTE]
    assert up["StatusCode"] == "Complete"
    down = get(at, metric("m"), ScanBy="TimestampDescending")["m"]
    assert down["Values"] == [7, 3]


def test_nothing_found_is_complete_and_empty(at):
    found = get(at, metric("m"))["m"]
    assert (found["StatusCode"], found["Values"], found["Timestamps"]) == ("Complete", [], [])


@pytest.mark.parametrize(
    ("stat", "value"),
    [
        ("Sum", 10),
        ("Average", 2.5),
        ("Minimum", 1),
        ("Maximum", 4),
        ("SampleCount", 4),
        ("p50", 2.5),
        ("p0", 1),
        ("p100", 4),
        ("p90", 3.7),
    ],
)
def test_statistics(at, stat, value):
    for number in (4, 1, 3, 2):
        put(at, 0, number)
    assert get(at, metric("m", stat=stat))["m"]["Values"] == [pytest.approx(value)]


def test_value_lists_and_statistic_sets(at):
    at.boto("cloudwatch").put_metric_data(
        Namespace="N",
        MetricData=[
            {"MetricName": "M", "Values": [1, 5], "Counts": [3, 1], "Timestamp": NOON},
            {
                "MetricName": "M",
                "Timestamp": NOON,
                "StatisticValues": {"SampleCount": 2, "Sum": 10, "Minimum": 0.5, "Maximum": 9},
            },
        ],
    )
    stats = {
        s: get(at, metric("m", stat=s))["m"]["Values"]
        for s in ("Sum", "SampleCount", "Minimum", "Maximum", "Average", "p50")
    }
    assert stats == {
        "Sum": [18],
        "SampleCount": [6],
        "Minimum": [0.5],
        "Maximum": [9],
        "Average": [3],
        "p50": [],
    }


def test_dimensions_must_match_exactly(at):
    put(at, 0, 1)
    put(at, 0, 2, dims={"A": "x"})
    put(at, 0, 4, dims={"A": "x", "B": "y"})
    found = get(at, metric("a"), metric("b", A="x"), metric("c", B="y", A="x"), metric("d", B="y"))
    assert [found[i]["Values"] for i in "abcd"] == [[1], [2], [4], []]


def test_a_start_is_rounded_to_its_minute_or_to_a_shorter_period(at):
    put(at, 0, 1)
    put(at, 1, 2)
    assert get(at, metric("m"), start=0.6)["m"]["Values"] == [1, 2]
    fine = get(at, metric("m", period=10), start=0.6)["m"]
    assert (fine["Values"], fine["Timestamps"]) == ([2], [NOON + MINUTE])


def test_no_timestamp_means_the_accounts_present(at):
    at.boto("cloudwatch").put_metric_data(
        Namespace="N", MetricData=[{"MetricName": "M", "Value": 5}]
    )
    assert get(at, metric("m"))["m"]["Values"] == [5]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("m1 + m2", [11, 33]),
        ("m1 * 2 - 1", [1, 3, 5]),
        ("-m1 ^ 2", [-1, -4, -9]),
        ("m1 / (m2 - 10)", [3 / 20]),
        ("SUM([m1, m2])", [11, 2, 33]),
        ("SUM(METRICS())", [11, 2, 33]),
        ("AVG(METRICS())", [5.5, 2, 16.5]),
        ("MAX([m1, m2])", [10, 2, 30]),
        ("MIN(METRICS('m2'))", [10, 30]),
        ("FILL(m2, 0)", [10, 0, 30, 0, 0]),
        ("FILL(m2, REPEAT)", [10, 10, 30, 30, 30]),
        ("FILL(m2, LINEAR)", [10, 20, 30]),
        ("FILL(none, 7)", [7, 7, 7, 7, 7]),
        ("FILL(m2, 0) + m1", [11, 2, 33]),
        ("IF(m1 > 1, m1, 0)", [0, 2, 3]),
        ("IF(m1 > 1 AND m1 < 3, 100)", [100]),
        ("IF(m1 == 2 OR m1 >= 3, 1, 0)", [0, 1, 1]),
        ("m1 <= 2 && m1 != 1", [0, 1, 0]),
        ("SUM(m1)", [6] * 5),
        ("MAX(m1) - MIN(m1)", [2] * 5),
        ("RUNNING_SUM(m1)", [1, 3, 6]),
        ("DIFF(m1)", [1, 1]),
        ("RATE(m2)", [20 / 120]),
        ("m1 / PERIOD(m1)", [1 / 60, 2 / 60, 3 / 60]),
        ("CEIL(m1 / 2)", [1, 1, 2]),
        ("ABS(0 - m1)", [1, 2, 3]),
        ("1e2 + m1", [101, 102, 103]),
    ],
)
def test_metric_math(at, expression, values):
    for minute, first, second in ((0, 1, 10), (1, 2, None), (2, 3, 30)):
        put(at, minute, first, "A")
        if second is not None:
            put(at, minute, second, "B")
    found = get(
        at,
        metric("m1", "A"),
        metric("m2", "B"),
        *([metric("none", "Z")] if "none" in expression else []),
        {"Id": "e", "Expression": expression},
    )["e"]
    assert found["Values"] == pytest.approx(values)


def test_expressions_may_name_expressions_and_hide_their_inputs(at):
    put(at, 0, 3)
    answer = get(
        at,
        {**metric("m"), "ReturnData": False},
        {"Id": "b", "Expression": "a + 1", "Label": "shown"},
        {"Id": "a", "Expression": "m * 2", "ReturnData": False},
    )
    assert list(answer) == ["b"]
    assert (answer["b"]["Values"], answer["b"]["Label"]) == ([7], "shown")


@pytest.mark.parametrize(
    "expression",
    [
        "m +",
        "m ** 2",
        "unknown + 1",
        "NOSUCH(m)",
        "(m",
        "e + 1",
        "m # 2",
        "[m",
    ],
)
def test_a_bad_expression_is_a_validation_error(at, expression):
    with pytest.raises(ClientError, match="ValidationError"):
        get(at, metric("m"), {"Id": "e", "Expression": expression})


def test_500_queries_go_in_one_call_and_501_do_not(at):
    put(at, 0, 1)
    began = time.monotonic()
    assert len(get(at, *(metric(f"m{n}") for n in range(500)))) == 500
    assert time.monotonic() - began < 3
    with pytest.raises(ClientError, match="MetricDataQueries"):
        get(at, *(metric(f"m{n}") for n in range(501)))


def test_get_metric_statistics(at):
    for minute, value in ((0, 1), (0, 3), (1, 10)):
        put(at, minute, value)
    answer = at.boto("cloudwatch").get_metric_statistics(
        Namespace="N",
        MetricName="M",
        StartTime=NOON,
        EndTime=NOON + 5 * MINUTE,
        Period=60,
        Statistics=["Sum", "Maximum"],
        ExtendedStatistics=["p50"],
    )
    points = answer["Datapoints"]
    assert [(p["Sum"], p["Maximum"], p["ExtendedStatistics"]["p50"]) for p in points] == [
        (4, 3, 2),
        (10, 10, 10),
    ]
    assert points[1]["Timestamp"] == NOON + MINUTE


def test_list_metrics(at):
    put(at, 0, 1, "A", {"E": "x"})
    put(at, 0, 1, "A", {"E": "y"})
    put(at, 0, 1, "B")
    client = at.boto("cloudwatch")
    assert len(client.list_metrics(Namespace="N")["Metrics"]) == 3
    found = client.list_metrics(MetricName="A", Dimensions=[{"Name": "E", "Value": "y"}])
    assert found["Metrics"] == [
        {"Namespace": "N", "MetricName": "A", "Dimensions": [{"Name": "E", "Value": "y"}]}
    ]
    by_name = client.list_metrics(Dimensions=[{"Name": "E"}])["Metrics"]
    assert len(by_name) == 2
    at.clock.jump(4 * 3600)
    assert client.list_metrics(Namespace="N", RecentlyActive="PT3H")["Metrics"] == []


def test_long_lists_are_paged(at):
    for number in range(620):
        at.pump.put_metric(Datapoint("P", f"M{number:03}", {}, 1.0, START))
    pages = at.boto("cloudwatch").get_paginator("list_metrics").paginate(Namespace="P")
    assert [len(p["Metrics"]) for p in pages] == [500, 120]


@pytest.mark.parametrize("protocol", ["json", "query"])
def test_the_wire_protocols_of_boto3_work(at, protocol, monkeypatch):
    """botocore 1.43 chooses JSON for CloudWatch, older ones query. (moto has no route for CBOR.)"""
    from botocore import model

    monkeypatch.setattr(model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (protocol,))
    client = boto3.session.Session().client("cloudwatch", region_name="us-east-1")
    assert client.meta.service_model.resolved_protocol == protocol
    client.put_metric_data(
        Namespace="N", MetricData=[{"MetricName": "M", "Value": 5, "Timestamp": NOON}]
    )
    answer = client.get_metric_data(
        MetricDataQueries=[metric("m")], StartTime=NOON, EndTime=NOON + MINUTE
    )
    assert answer["MetricDataResults"][0]["Values"] == [5]
    assert answer["MetricDataResults"][0]["Timestamps"] == [NOON]
    points = client.get_metric_statistics(
        Namespace="N",
        MetricName="M",
        StartTime=NOON,
        EndTime=NOON + MINUTE,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert [(p["Sum"], p["Timestamp"]) for p in points] == [(5, NOON)]
    assert client.list_metrics(Namespace="N")["Metrics"][0]["MetricName"] == "M"


def test_uninstalled_moto_is_as_it_was():
    from moto.cloudwatch import models, responses

    before = (
        models.CloudWatchBackend.put_metric_data,
        models.CloudWatchBackend.put_metric_alarm,
        responses.CloudWatchResponse.get_metric_data,
        models.utcnow,
    )
    with world(running=False):
        assert models.CloudWatchBackend.put_metric_data is not before[0]
    assert before == (
        models.CloudWatchBackend.put_metric_data,
        models.CloudWatchBackend.put_metric_alarm,
        responses.CloudWatchResponse.get_metric_data,
        models.utcnow,
    )
    assert not hasattr(responses.CloudWatchResponse, "describe_alarm_history")


def test_embedded_metrics_in_a_log_line_are_stored(at):
    line = json.dumps(
        {
            "_aws": {
                "Timestamp": 1,
                "CloudWatchMetrics": [
                    {
                        "Namespace": "N",
                        "Dimensions": [["service"], ["service", "endpoint"]],
                        "Metrics": [
                            {"Name": "Wakes", "Unit": "Count"},
                            {"Name": "Lead", "Unit": "Seconds"},
                        ],
                    }
                ],
            },
            "service": "autoscaler",
            "endpoint": "r1",
            "Wakes": [1.0, 2.0],
            "Lead": 5,
        }
    )
    assert at.pump.ingest_log_line("f", line) == 6
    found = get(
        at,
        metric("a", "Wakes", service="autoscaler"),
        metric("b", "Lead", service="autoscaler", endpoint="r1"),
    )
    assert [found[i]["Values"] for i in "ab"] == [[3], [5]]


@pytest.mark.parametrize(
    "line",
    [
        "START RequestId: 1",
        '{"level": "INFO"}',
        '{"_aws": 1}',
        '{"_aws": ',
        '["_aws"]',
        '{"_aws": {"CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [["gone"]], '
        '"Metrics": [{"Name": "A"}]}]}, "A": 1}',
    ],
)
def test_other_log_lines_are_passed_over(at, line):
    assert at.pump.ingest_log_line("f", line) == 0


def test_a_powertools_line_is_understood(at, capsys):
    from aws_lambda_powertools import Metrics

    metrics = Metrics(namespace="N", service="autoscaler")
    metrics.add_metric(name="Wakes", unit="Count", value=3)
    metrics.flush_metrics()
    assert at.pump.ingest_log_line("f", capsys.readouterr().out) == 1
    assert get(at, metric("m", "Wakes", service="autoscaler"))["m"]["Values"] == [3]


def test_late_samples_find_their_place():
    store, key = MetricsStore(), SeriesKey("N", "M")
    for moment in (10.0, 30.0, 20.0, 0.0):
        store.add(key, Sample.of(moment, moment))
    assert [s.time for s in store.between(key, 0, 30)] == [0, 10, 20]


def test_the_store_is_bounded_in_time_and_number():
    store, key = MetricsStore(), SeriesKey("N", "M")
    store.add(key, Sample.of(0.0, 1))
    store.add(key, Sample.of(16 * 86400.0, 1))
    assert len(store.between(key, 0, 1e9)) == 1
    for number in range(MAX_SAMPLES + 10):
        store.add(key, Sample.of(16 * 86400.0 + number, 1))
    assert len(store.between(key, 0, 1e9)) <= MAX_SAMPLES


def test_an_unknown_statistic_is_refused():
    with pytest.raises(StatisticError):
        statistic("p101", [Sample.of(0, 1)])
    with pytest.raises(StatisticError):
        statistic("Median", [Sample.of(0, 1)])
