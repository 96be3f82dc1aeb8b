"""SageMaker and Application Auto Scaling among the account's other services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.embedded.sagemaker_lab import STILL, Stage, until
from tools.embedded.kernel.account import Account
from tools.embedded.types import Fault

IC: dict[str, Any] = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "inference-component/ic",
    "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
}


class Lab(Stage):
    """An account in which time passes by jumps only."""

    def __init__(self, account: Account) -> None:
        self.account, self.client = account, account.boto
        self.sagemaker = account.boto("sagemaker")
        self.runtime = account.boto("sagemaker-runtime")
        self.scaling = account.boto("application-autoscaling")

    def ready(self, copies: int = 1) -> None:
        """An endpoint in service with a component."""
        self.model()
        self.config()
        self.endpoint()
        self.account.clock.jump(121)
        self.component(copies=copies)
        self.account.clock.jump(300)

    def topic(self, name: str) -> tuple[str, str]:
        """A topic and the address of a queue that hears it."""
        arn = self.client("sns").create_topic(Name=name)["TopicArn"]
        url = self.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        queue = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        endpoint = queue["Attributes"]["QueueArn"]
        self.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=endpoint)
        return arn, url

    def heard(self, url: str) -> dict[str, Any]:
        """The next message of a topic."""
        found: list[Any] = []

        def look() -> bool:
            found.extend(self.client("sqs").receive_message(QueueUrl=url).get("Messages", []))
            return bool(found)

        until(look)
        message: dict[str, Any] = json.loads(json.loads(found[0]["Body"])["Message"])
        return message

    def publish(self, name: str, value: float) -> None:
        data = [{"MetricName": name, "Value": value}]
        self.client("cloudwatch").put_metric_data(Namespace="Own", MetricData=data)

    def keep_publishing(self, name: str, value: float, minutes: int) -> None:
        for _ in range(minutes):
            self.publish(name, value)
            self.account.clock.jump(60)
            self.account.sagemaker.world.look()

    def desired(self) -> int:
        return self.seen()[1]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Account(tmp_path, speed=STILL) as account:
        account.iam.enforced = False  # its roles are names: what they may do is shown elsewhere
        yield Lab(account)


def test_async_answers_go_to_s3_and_topics_hear_of_them(lab: Lab) -> None:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="async")
    s3.put_object(Bucket="async", Key="in/one", Body=b'{"prompt": "x", "max_tokens": 5}')
    (good, heard_good), (bad, heard_bad) = lab.topic("good"), lab.topic("bad")
    output = {
        "S3OutputPath": "s3://async/out/",
        "S3FailurePath": "s3://async/failed/",
        "NotificationConfig": {"SuccessTopic": good, "ErrorTopic": bad},
    }
    lab.model()
    lab.config(ModelName="m", config={"AsyncInferenceConfig": {"OutputConfig": output}})
    lab.endpoint()
    lab.account.clock.jump(246)
    asked = [
        lab.runtime.invoke_endpoint_async(EndpointName="e", InputLocation=f"s3://async/in/{name}")
        for name in ("one", "none")
    ]
    lab.account.clock.set_speed(20)
    told = lab.heard(heard_good)
    assert told["inferenceId"] == asked[0]["InferenceId"]
    assert told["responseParameters"]["outputLocation"] == asked[0]["OutputLocation"]
    key = asked[0]["OutputLocation"].removeprefix("s3://async/")
    answer = json.loads(s3.get_object(Bucket="async", Key=key)["Body"].read())
    assert answer["usage"]["completion_tokens"] == 5
    told = lab.heard(heard_bad)
    assert (told["invocationStatus"], told["inferenceId"]) == ("Failed", asked[1]["InferenceId"])
    key = asked[1]["FailureLocation"].removeprefix("s3://async/")
    assert b"could not be read" in s3.get_object(Bucket="async", Key=key)["Body"].read()


@pytest.mark.parametrize("bucket", ["empty", "absent"])
def test_weights_that_are_not_in_s3_fail_a_component(lab: Lab, bucket: str) -> None:
    lab.client("s3").create_bucket(Bucket="empty")
    source = {
        "S3Uri": f"s3://{bucket}/weights/",
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }
    lab.model(ModelDataSource={"S3DataSource": source})
    lab.config()
    lab.endpoint()
    lab.account.clock.jump(121)
    lab.component()
    lab.account.clock.jump(300)
    assert lab.seen() == ("Failed", 1, 0)


def test_a_step_policy_acts_on_its_alarm_by_the_size_of_the_breach(lab: Lab) -> None:
    lab.ready(copies=0)
    lab.scaling.register_scalable_target(**IC, MinCapacity=0, MaxCapacity=3)
    steps = [
        {
            "MetricIntervalLowerBound": 0,
            "MetricIntervalUpperBound": 10,
            "ScalingAdjustment": 1,
        },
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 2},
    ]
    policy = lab.scaling.put_scaling_policy(
        **IC,
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": steps,
        },
    )
    lab.client("cloudwatch").put_metric_alarm(
        AlarmName="backlog",
        Namespace="Own",
        MetricName="Backlog",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[policy["PolicyARN"]],
    )
    assert lab.desired() == 0
    lab.publish("Backlog", 20)
    lab.account.clock.jump(60)
    until(lambda: lab.desired() == 2)
    assert ":alarm:backlog in state ALARM" in lab.account.scaling.activities[-1].cause


def test_target_tracking_follows_a_metric_of_ones_own(lab: Lab) -> None:
    lab.ready()
    lab.scaling.register_scalable_target(**IC, MinCapacity=1, MaxCapacity=3)
    lab.scaling.put_scaling_policy(
        **IC,
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 10,
            "CustomizedMetricSpecification": {
                "Metrics": [
                    {"Id": "half", "Expression": "all / 2"},
                    {
                        "Id": "all",
                        "ReturnData": False,
                        "MetricStat": {
                            "Metric": {"Namespace": "Own", "MetricName": "Work"},
                            "Stat": "Maximum",
                        },
                    },
                ]
            },
        },
    )
    lab.keep_publishing("Work", 18, minutes=6)
    assert lab.desired() == 1, "half of it is below the target"
    lab.keep_publishing("Work", 38, minutes=6)
    assert lab.desired() == 2


def test_an_ordered_fault_reaches_the_service_that_answers_it(lab: Lab) -> None:
    lab.ready()
    front = lab.account.front
    front.inject(Fault("sagemaker:InvokeEndpointWithResponseStream", "InternalStreamFailure"))
    front.inject(
        Fault("application-autoscaling:RegisterScalableTarget", "ConcurrentUpdateException")
    )
    front.inject(Fault("sqs:ListQueues", "OverLimit"))
    with pytest.raises(ClientError, match="OverLimit"):
        lab.client("sqs").list_queues()
    with pytest.raises(ClientError, match="ConcurrentUpdateException"):
        lab.scaling.register_scalable_target(**IC, MinCapacity=0, MaxCapacity=1)
    lab.account.clock.set_speed(20)
    answer = lab.runtime.invoke_endpoint_with_response_stream(
        EndpointName="e",
        InferenceComponentName="ic",
        Body=b'{"prompt": "x", "max_tokens": 100, "stream": true}',
    )
    with pytest.raises(EventStreamError, match="InternalStreamFailure"):
        list(answer["Body"])
    assert [fault.operation.partition(":")[0] for _, fault in front.fired] == [
        "sqs",
        "application-autoscaling",
        "sagemaker",
    ]


def test_an_ordered_fault_of_one_operation_lets_all_others_pass(lab: Lab) -> None:
    """Their bodies were read while the fault was looked for, and waited for again ever after."""
    lab.account.front.inject(Fault("iam:GetRole", "AccessDenied", "not you", 403))
    assert lab.client("sts").get_caller_identity()["Account"]
    assert lab.client("sagemaker").list_endpoint_configs()["EndpointConfigs"] == []
    with pytest.raises(ClientError, match="not you"):
        lab.client("iam").get_role(RoleName="none")
    assert [fault.operation for _, fault in lab.account.front.fired] == ["iam:GetRole"]
