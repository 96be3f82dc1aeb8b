"""Alarms: evaluation, missing data, actions, composites."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.embedded.test_pump_world import START, World, eventually, world
from tools.embedded.metrics.alarm_rules import AlarmRuleError, holds
from tools.embedded.metrics.alarm_states import Rule, judge
from tools.embedded.types import Datapoint

X, O, N = 10.0, 0.0, None  # breaching, not breaching, missing  # noqa: E741
IGNORED = "kept"


# The two tables of "Configuring how CloudWatch alarms treat missing data".
@pytest.mark.parametrize(
    ("values", "wanted", "missing", "ignore", "breaching", "not_breaching"),
    [
        ([O, N, X, N, X], 3, "OK", "OK", "OK", "OK"),
        ([N, N, N, N, O], 3, "OK", "OK", "OK", "OK"),
        ([N, N, N, N, N], 3, "INSUFFICIENT_DATA", IGNORED, "ALARM", "OK"),
        ([O, X, X, N, X], 3, "ALARM", "ALARM", "ALARM", "ALARM"),
        ([N, N, X, N, N], 3, "ALARM", IGNORED, "ALARM", "OK"),
        ([O, N, X, N, X], 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ([O, O, X, O, X], 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ([O, N, X, N, N], 2, "OK", "OK", "ALARM", "OK"),
        ([N, N, N, N, O], 2, "OK", "OK", "ALARM", "OK"),
        ([N, N, N, X, N], 2, "ALARM", IGNORED, "ALARM", "OK"),
    ],
)
def test_the_documented_tables_of_missing_data(
    values, wanted, missing, ignore, breaching, not_breaching
):
    expected = {
        "missing": missing,
        "ignore": ignore,
        "breaching": breaching,
        "notBreaching": not_breaching,
    }
    for treatment, state in expected.items():
        rule = Rule("GreaterThanThreshold", 5.0, 3, wanted, treatment)
        assert judge(rule, values, IGNORED) == state, treatment


@pytest.mark.parametrize(
    ("comparison", "breaching", "fine"),
    [
        ("GreaterThanThreshold", 5.1, 5.0),
        ("GreaterThanOrEqualToThreshold", 5.0, 4.9),
        ("LessThanThreshold", 4.9, 5.0),
        ("LessThanOrEqualToThreshold", 5.0, 5.1),
    ],
)
def test_comparisons(comparison, breaching, fine):
    rule = Rule(comparison, 5.0)
    assert judge(rule, [breaching], "OK") == "ALARM"
    assert judge(rule, [fine], "ALARM") == "OK"


STATES = {"a": "ALARM", "b": "OK", "c d": "INSUFFICIENT_DATA"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ALARM(a)", True),
        ('ALARM("b")', False),
        ('INSUFFICIENT_DATA("c d")', True),
        ("ALARM(a) AND OK(b)", True),
        ("ALARM(b) OR ALARM(a)", True),
        ("NOT ALARM(a)", False),
        ("NOT (ALARM(a) AND OK(a))", True),
        ("OK(a) OR OK(b) AND ALARM(a)", True),
        ("(OK(a) OR OK(b)) AND ALARM(b)", False),
        ("TRUE", True),
        ("FALSE OR NOT FALSE", True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:1:alarm:a)", True),
        ("OK(none)", False),
    ],
)
def test_composite_rules(rule, expected):
    assert holds(rule, STATES.get) is expected


@pytest.mark.parametrize(
    "rule", ["", "ALARM(a", "ALARM(a) AND", "MAYBE(a)", "(TRUE", "TRUE TRUE", "AND TRUE"]
)
def test_bad_composite_rules_are_refused(rule):
    with pytest.raises(AlarmRuleError):
        holds(rule, STATES.get)


def alarm(at: World, name: str = "high", **more: object) -> None:
    given = {
        "Namespace": "N",
        "MetricName": "M",
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }
    at.boto("cloudwatch").put_metric_alarm(
        AlarmName=name, **{k: v for k, v in given.items() if v is not None}
    )


def sample(at: World, value: float, name: str = "M", back: float = 60.0) -> None:
    at.pump.put_metric(Datapoint("N", name, {}, value, at.clock.time() - back))


def state(at: World, name: str = "high") -> str:
    found = at.boto("cloudwatch").describe_alarms(AlarmNames=[name])
    return [*found["MetricAlarms"], *found["CompositeAlarms"]][0]["StateValue"]


def look(at: World) -> None:
    at.pump.alarms.evaluate(at.clock.time())


class Scaling:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, float]] = []

    def alarm_state(self, alarm_arn: str, state: str, policy_arn: str, breach: float) -> None:
        self.told.append((alarm_arn, state, policy_arn, breach))


@pytest.fixture
def at():
    """Installed, but nothing ticks: the test moves the clock."""
    with world(running=False) as made:
        made.pump.deliveries.start()
        yield made
        made.pump.deliveries.stop()


def test_an_alarm_goes_from_insufficient_data_to_alarm_and_back(at):
    alarm(at)
    assert state(at) == "INSUFFICIENT_DATA"
    sample(at, 9)
    look(at)
    assert state(at) == "ALARM"
    described = at.boto("cloudwatch").describe_alarms(AlarmNames=["high"])["MetricAlarms"][0]
    assert "9.0" in described["StateReason"]
    assert json.loads(described["StateReasonData"])["recentDatapoints"] == [9.0]
    at.clock.jump(180)
    sample(at, 1)
    look(at)
    assert state(at) == "OK"
    history = at.boto("cloudwatch").describe_alarm_history(AlarmName="high")["AlarmHistoryItems"]
    assert [h["HistorySummary"] for h in history] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
    ]


def test_an_update_of_an_alarm_keeps_its_state(at):
    alarm(at)
    sample(at, 9)
    look(at)
    alarm(at, Threshold=6.0)
    assert state(at) == "ALARM"


def test_datapoints_to_alarm_out_of_evaluation_periods(at):
    alarm(at, EvaluationPeriods=3, DatapointsToAlarm=2)
    for back, value in ((180, 9), (120, 1), (60, 9)):
        sample(at, value, back=back)
    look(at)
    assert state(at) == "ALARM"


def test_percentiles_and_metric_math(at):
    alarm(at, "slow", Statistic=None, ExtendedStatistic="p90", Threshold=8.0)
    alarm(
        at,
        "ratio",
        Namespace=None,
        MetricName=None,
        Statistic=None,
        Period=None,
        Threshold=0.5,
        Metrics=[
            {
                "Id": "bad",
                "ReturnData": False,
                "MetricStat": {
                    "Metric": {"Namespace": "N", "MetricName": "Bad"},
                    "Period": 60,
                    "Stat": "Sum",
                },
            },
            {
                "Id": "all",
                "ReturnData": False,
                "MetricStat": {
                    "Metric": {"Namespace": "N", "MetricName": "M"},
                    "Period": 60,
                    "Stat": "SampleCount",
                },
            },
            {"Id": "e", "Expression": "FILL(bad, 0) / all", "ReturnData": True},
        ],
    )
    for value in range(1, 11):
        sample(at, value)
    look(at)
    assert (state(at, "slow"), state(at, "ratio")) == ("ALARM", "OK")
    sample(at, 6, "Bad")
    at.pump.alarms._evaluated.clear()
    look(at)
    assert state(at, "ratio") == "ALARM"


def test_an_alarm_without_data_follows_treat_missing_data(at):
    for treatment in ("missing", "notBreaching", "breaching", "ignore"):
        alarm(at, treatment, TreatMissingData=treatment)
    look(at)
    assert [state(at, t) for t in ("missing", "notBreaching", "breaching", "ignore")] == [
        "INSUFFICIENT_DATA",
        "OK",
        "ALARM",
        "INSUFFICIENT_DATA",
    ]


def test_actions_tell_a_topic_a_function_a_policy_and_the_bus(at):
    at.account.scaling = Scaling()
    function = at.function("acts")
    url, queue = at.queue("q")
    sns = at.boto("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    policy = "arn:aws:autoscaling:us-east-1:1:scalingPolicy:x:resource/sagemaker/r:policyName/p"
    bus_url, bus_queue = at.queue("bus")
    at.boto("events").put_rule(
        Name="r",
        EventPattern=json.dumps(
            {"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}}
        ),
    )
    at.boto("events").put_targets(Rule="r", Targets=[{"Id": "1", "Arn": bus_queue}])
    alarm(at, AlarmActions=[topic, function, policy], AlarmDescription="too much")
    sample(at, 9)
    look(at)
    told = json.loads(json.loads(at.received(url)[0]["Body"])["Message"])
    assert (told["AlarmName"], told["NewStateValue"], told["OldStateValue"]) == (
        "high",
        "ALARM",
        "INSUFFICIENT_DATA",
    )
    assert told["Trigger"]["MetricName"] == "M"
    event = eventually(lambda: at.functions.events("acts"))[0]
    assert event["alarmData"]["state"]["value"] == "ALARM"
    assert at.account.scaling.told == [(told["AlarmArn"], "ALARM", policy, 9 - 5)]
    on_bus = json.loads(at.received(bus_url)[0]["Body"])
    assert on_bus["detail-type"] == "CloudWatch Alarm State Change"
    assert on_bus["resources"] == [told["AlarmArn"]]
    assert on_bus["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert on_bus["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "M"


def test_a_scaling_action_is_repeated_while_the_state_lasts_others_are_not(at):
    at.account.scaling = Scaling()
    alarm(at, AlarmActions=["arn:aws:autoscaling:us-east-1:1:scalingPolicy:x"])
    for _ in range(4):
        sample(at, 9)
        look(at)
        at.clock.jump(60)
    assert len(at.account.scaling.told) == 4


def test_disabled_actions_are_not_carried_out(at):
    at.account.scaling = Scaling()
    alarm(
        at, AlarmActions=["arn:aws:autoscaling:us-east-1:1:scalingPolicy:x"], ActionsEnabled=False
    )
    sample(at, 9)
    look(at)
    assert (state(at), at.account.scaling.told) == ("ALARM", [])


def test_a_composite_alarm_follows_its_rule_and_acts(at):
    function = at.function("acts")
    alarm(at, "a")
    alarm(at, "b", MetricName="B")
    at.boto("cloudwatch").put_composite_alarm(
        AlarmName="both", AlarmRule='ALARM("a") AND NOT ALARM("b")', AlarmActions=[function]
    )
    sample(at, 9)
    sample(at, 1, "B")
    look(at)
    assert state(at, "both") == "ALARM"
    eventually(lambda: at.functions.events("acts"))
    at.clock.jump(120)
    sample(at, 9)
    sample(at, 9, "B")
    look(at)
    assert state(at, "both") == "OK"


def test_set_alarm_state_acts_until_the_next_evaluation(at):
    function = at.function("acts")
    alarm(at, AlarmActions=[function], TreatMissingData="notBreaching")
    look(at)
    at.boto("cloudwatch").set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="drill")
    assert state(at) == "ALARM"
    eventually(lambda: at.functions.events("acts"))
    at.clock.jump(60)
    look(at)
    assert state(at) == "OK"


def test_an_alarm_that_cannot_be_evaluated_does_not_stop_the_others(at):
    alarm(
        at,
        "bad",
        Namespace=None,
        MetricName=None,
        Statistic=None,
        Period=None,
        Metrics=[{"Id": "e", "Expression": "nothing + 1", "Period": 60}],
    )
    alarm(at)
    sample(at, 9)
    look(at)
    assert state(at) == "ALARM"


def test_in_running_time_a_high_resolution_alarm_fires_soon_after_its_window():
    with world(speed=120) as at:
        fired: list[float] = []
        function = at.function("acts", lambda event: fired.append(at.clock.time()))
        alarm(at, Period=10, AlarmActions=[function])
        start = at.clock.time()
        sample(at, 9, back=0)
        eventually(lambda: fired)
        assert fired[0] - start < 60  # up to 10 s until the window ends, then the wall's lag


def test_queue_age_wakes_a_function_end_to_end():
    with world(speed=30) as at:  # what is late on a busy machine are real seconds
        function = at.function("acts")
        url, _ = at.queue("jobs")
        alarm(
            at,
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Threshold=100,
            Dimensions=[{"Name": "QueueName", "Value": "jobs"}],
            AlarmActions=[function],
            TreatMissingData="notBreaching",
        )
        at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        eventually(lambda: at.functions.events("acts"), 40)
        event = at.functions.events("acts")[0]
        moment = datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(UTC)
        assert 100 <= moment.timestamp() - START < 300


def test_services_publish_their_own_metrics():
    with world(speed=120) as at:
        url, _ = at.queue("jobs")
        for _ in range(3):
            at.boto("sqs").send_message(QueueUrl=url, MessageBody="x")
        at.pump.function_invoked("f", 12.5)
        at.pump.function_invoked("f", 20.0, failed=True)
        at.pump.function_invoked("f", 0.0, throttled=True)

        def total(namespace, name, stat="Sum", **dims):
            points = at.boto("cloudwatch").get_metric_statistics(
                Namespace=namespace,
                MetricName=name,
                Period=3600,
                Statistics=[stat],
                StartTime=datetime.fromtimestamp(START, UTC),
                EndTime=datetime.fromtimestamp(START + 3600, UTC),
                Dimensions=[{"Name": k, "Value": v} for k, v in dims.items()],
            )["Datapoints"]
            return points[0][stat] if points else None

        def oldest():
            return total("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", QueueName="jobs")

        eventually(lambda: at.clock.time() > START + 135 and oldest(), 10)
        visible = "ApproximateNumberOfMessagesVisible"
        # A busy machine may take a minute of that clock between two messages.
        eventually(lambda: total("AWS/SQS", "NumberOfMessagesSent", QueueName="jobs") == 3, 10)
        eventually(lambda: total("AWS/SQS", visible, "Maximum", QueueName="jobs") == 3, 10)
        assert 0 < oldest() < 600
        assert total("AWS/Lambda", "Invocations", FunctionName="f") == 2
        assert total("AWS/Lambda", "Errors", FunctionName="f") == 1
        assert total("AWS/Lambda", "Throttles", FunctionName="f") == 1
        assert total("AWS/Lambda", "Duration", "Average", FunctionName="f") == 16.25
        at.pump.ingest_log_line("f", "ein Satz über Größe")
        assert total("AWS/Logs", "IncomingBytes", LogGroupName="/aws/lambda/f") == 22


def test_s3_tells_the_size_of_a_bucket_at_midnight():
    with world(speed=120) as at:
        at.boto("s3").create_bucket(Bucket="weights")
        for key, size in (("a", 30), ("b", 12)):
            at.boto("s3").put_object(Bucket="weights", Key=key, Body=b"x" * size)
        midnight = START + 12 * 3600

        def sizes():
            points = at.boto("cloudwatch").get_metric_statistics(
                Namespace="AWS/S3",
                MetricName="BucketSizeBytes",
                Period=86_400,
                Statistics=["Average"],
                StartTime=datetime.fromtimestamp(midnight - 86_400, UTC),
                EndTime=datetime.fromtimestamp(midnight + 86_400, UTC),
                Dimensions=[
                    {"Name": "BucketName", "Value": "weights"},
                    {"Name": "StorageType", "Value": "StandardStorage"},
                ],
            )["Datapoints"]
            return [(point["Timestamp"].timestamp(), point["Average"]) for point in points]

        eventually(lambda: at.clock.time() > START + 61, 10)
        assert sizes() == []
        at.clock.jump(12 * 3600)
        eventually(sizes, 10)
        assert sizes() == [(midnight, 42.0)]
