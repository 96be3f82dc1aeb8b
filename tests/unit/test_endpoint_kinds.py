"""What is asked of AWS by the kind of an endpoint, held against AWS's own API models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from autoscaler.aws.asked import read_recorded
from autoscaler.aws.load import AwsLoadReader
from autoscaler.catalog.fit import DoesNotFitError
from autoscaler.endpoints import kinds
from autoscaler.endpoints.alarms import alarms_of
from autoscaler.endpoints.bursts import burst_alarm, bursts, put_burst_policy
from autoscaler.endpoints.late import answer_name
from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.queues import queue_requests
from autoscaler.endpoints.requests import Deployment
from autoscaler.endpoints.reshape import reshape_requests, same_config, same_copies
from autoscaler.endpoints.scaling import register_scalable_target, scales, update_copies
from autoscaler.policy.types import Bounds
from autoscaler.spec import EndpointSpec, Kind, SpecError, parse_spec
from tests.api_shapes import check
from tests.memory import NOON
from tests.samples import document, spec
from tests.unit.test_endpoint_requests import CREATES, NAMES, R1_ON_P5E, build

LATE = "s3://results/async/llama/"
VARIANT = "endpoint/prod-llama/variant/AllTraffic"
WHOLE = (Kind.REALTIME, Kind.ASYNC)
DIMENSIONS = {
    Kind.COMPONENT: "sagemaker:inference-component:DesiredCopyCount",
    Kind.REALTIME: "sagemaker:variant:DesiredInstanceCount",
    Kind.ASYNC: "sagemaker:variant:DesiredInstanceCount",
}
BY_ENDPOINT = [{"Name": "EndpointName", "Value": "prod-llama"}]
BY_VARIANT = [*BY_ENDPOINT, {"Name": "VariantName", "Value": "AllTraffic"}]
BY_COMPONENT = [{"Name": "InferenceComponentName", "Value": "prod-llama"}]


def made(wanted: EndpointSpec, names: ResourceNames = NAMES) -> Deployment:
    return build(wanted, names, late_uri=LATE)


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_makes_requests_that_aws_takes(kind: Kind) -> None:
    built = made(spec(kind=kind.value))

    for part, (service, operation) in CREATES.items():
        if getattr(built, part) is not None:
            check(service, operation, getattr(built, part))
    assert (built.component is None) is (kind is not Kind.COMPONENT)
    check("application-autoscaling", "PutScalingPolicy", built.burst_policy)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_variant_names_its_model_and_its_network_is_the_models(kind: Kind) -> None:
    config = made(spec(kind=kind.value)).endpoint_config
    (variant,) = config["ProductionVariants"]

    assert variant["ModelName"] == "prod-llama"
    assert variant["InitialInstanceCount"] == 1
    assert variant["ModelDataDownloadTimeoutInSeconds"] == 600
    assert variant["VariantInstanceProvisionTimeoutInSeconds"] == 840
    assert "ManagedInstanceScaling" not in variant
    assert config.keys().isdisjoint({"ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation"})
    assert ("RoutingConfig" in variant) is (kind is Kind.REALTIME)
    assert ("AsyncInferenceConfig" in config) is (kind is Kind.ASYNC)


def test_an_async_endpoint_works_on_as_many_as_a_copy_takes_and_answers_under_its_prefix() -> None:
    wanted = spec(kind="async", serving={"concurrency_per_copy": 5})

    assert made(wanted).endpoint_config["AsyncInferenceConfig"] == {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 5},
        "OutputConfig": {
            "S3OutputPath": "s3://results/async/llama/answers",
            "S3FailurePath": "s3://results/async/llama/failures",
        },
    }
    with pytest.raises(ValueError, match="does not end in /"):
        build(wanted, late_uri="s3://results/async")


@pytest.mark.parametrize("number", [1, 128])
def test_an_answer_has_a_name_that_sagemaker_takes_whatever_the_requests_id(number: int) -> None:
    check(
        "sagemaker-runtime",
        "InvokeEndpointAsync",
        {
            "EndpointName": "prod-llama",
            "InputLocation": f"{LATE}questions/x.json",
            "Filename": answer_name("a" * number),
            "RequestTTLSeconds": 21_600,
            "InvocationTimeoutSeconds": 3600,
        },
    )
    assert answer_name("a" * number) != answer_name("b" * number)


@pytest.mark.parametrize(
    ("kind", "bounds", "expected"),
    [
        (Kind.COMPONENT, Bounds(0, 0), (0, 0)),
        (Kind.REALTIME, Bounds(0, 0), (1, 1)),
        (Kind.REALTIME, Bounds(0, 3), (1, 3)),
        (Kind.ASYNC, Bounds(0, 0), (0, 0)),
    ],
)
def test_bounds_are_those_that_the_kind_may_have(
    kind: Kind, bounds: Bounds, expected: tuple[int, int]
) -> None:
    request = register_scalable_target(NAMES, bounds, kind)

    check("application-autoscaling", "RegisterScalableTarget", request)
    whole = kind is not Kind.COMPONENT
    assert request["ResourceId"] == (VARIANT if whole else "inference-component/prod-llama")
    assert request["ScalableDimension"] == DIMENSIONS[kind]
    assert (request["MinCapacity"], request["MaxCapacity"]) == expected


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        (Kind.COMPONENT, "UpdateInferenceComponentRuntimeConfig"),
        (Kind.REALTIME, "UpdateEndpointWeightsAndCapacities"),
        (Kind.ASYNC, "UpdateEndpointWeightsAndCapacities"),
    ],
)
def test_copies_are_moved_by_the_call_of_the_kind(kind: Kind, operation: str) -> None:
    check("sagemaker", operation, update_copies(NAMES, 3, kind))


@pytest.mark.parametrize(
    ("kind", "tracked"),
    [
        (Kind.COMPONENT, "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"),
        (Kind.REALTIME, "SageMakerVariantConcurrentRequestsPerModelHighResolution"),
        (Kind.ASYNC, None),
    ],
)
def test_each_kind_is_tracked_by_what_sagemaker_publishes_of_it(
    kind: Kind, tracked: str | None
) -> None:
    policy = made(spec(kind=kind.value)).scaling_policy["TargetTrackingScalingPolicyConfiguration"]

    assert policy["TargetValue"] == 16.0
    if tracked:
        assert policy["PredefinedMetricSpecification"]["PredefinedMetricType"] == tracked
    else:
        customized = policy["CustomizedMetricSpecification"]
        assert customized["MetricName"] == "ApproximateBacklogSizePerInstance"
        assert customized["Dimensions"] == BY_ENDPOINT


@pytest.mark.parametrize(
    ("kind", "metric", "expected"),
    [
        (Kind.COMPONENT, "ConcurrentRequestsPerCopy", BY_COMPONENT),
        (Kind.REALTIME, "ConcurrentRequestsPerModel", BY_VARIANT),
        (Kind.ASYNC, "ApproximateBacklogSizePerInstance", BY_ENDPOINT),
    ],
)
def test_load_is_read_under_the_dimensions_of_the_kind(
    kind: Kind, metric: str, expected: list[dict[str, str]]
) -> None:
    assert kinds.manner(kind).concurrency == metric
    assert kinds.dimensions(kind, NAMES, metric) == expected
    latency = BY_COMPONENT if kind is Kind.COMPONENT else BY_VARIANT
    assert kinds.dimensions(kind, NAMES, "ModelLatency") == latency


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        (Kind.COMPONENT, "/aws/sagemaker/InferenceComponents/prod-llama"),
        (Kind.REALTIME, "/aws/sagemaker/Endpoints/prod-llama"),
        (Kind.ASYNC, "/aws/sagemaker/Endpoints/prod-llama"),
    ],
)
def test_containers_speak_in_the_log_of_the_kind(kind: Kind, group: str) -> None:
    assert kinds.log_group(kind, NAMES) == group
    log = kinds.log_requests(spec(kind=kind.value), NAMES, {"autoscaler:stack": "prod"})
    check("logs", "CreateLogGroup", {"logGroupName": log["group"], "tags": log["tags"]})
    assert (log["group"], log["tags"]["autoscaler:stack"]) == (group, "prod")


@pytest.mark.parametrize("kind", Kind)
def test_the_report_counts_the_alarms_that_a_kind_really_makes(kind: Kind) -> None:
    wanted = spec(kind=kind.value, scaling={"max_copies": 3})
    built = made(wanted)
    queues = queue_requests(
        wanted, NAMES, account_arn_prefix="arn:aws:sqs:us-east-1:1:", dispatcher_arn="arn:d",
        alarm_topic_arn="arn:t", tags={},
    )  # fmt: skip
    requests = [queues["queue_alarm"], queues["capacity_alarm"], built.burst_alarm]
    put = [one for one in requests if one is not None]
    assert {one["AlarmName"] for one in put} <= set(NAMES.alarms), "the sweep knows no others"
    tracking = built.scaling_policy["TargetTrackingScalingPolicyConfiguration"]
    fine = "HighResolution" in str(tracking)  # whose alarms have AWS's period of 10 s
    usual = sum(one["Period"] >= 60 for one in put) + (0 if fine else 2)
    counted = alarms_of(wanted, asleep=False)
    assert (counted.usual, counted.fine) == (usual, len(put) + 2 - usual)
    for one in put:
        check("cloudwatch", "PutMetricAlarm", one)


@pytest.mark.parametrize(
    ("kind", "usual"), [(Kind.REALTIME, 1), (Kind.COMPONENT, 2), (Kind.ASYNC, 2)]
)
def test_what_sleeps_keeps_the_alarms_of_its_queue_and_its_capacity(kind: Kind, usual: int) -> None:
    counted = alarms_of(spec(kind=kind.value, scaling={"max_copies": 2}), asleep=True)
    assert (counted.usual, counted.fine) == (usual, 0)
    lonely = alarms_of(spec(kind=kind.value, scaling={"max_copies": 1}), asleep=False)
    assert lonely == counted, "of one copy nothing is scaled, and no policy has alarms"


def test_what_may_ever_have_a_second_copy_is_scaled() -> None:
    assert not scales(spec(scaling={"max_copies": 1}))
    assert scales(spec(scaling={"max_copies": 2}))
    window = {"name": "day", "days": ["mon"], "start": "08:00", "end": "18:00", "max_copies": 3}
    assert scales(spec(scaling={"max_copies": 1}, schedule={"windows": [window]}))


@pytest.mark.parametrize(
    ("kind", "metric", "watched"),
    [
        (Kind.COMPONENT, "NoCapacityInvocationFailures", BY_COMPONENT),
        (Kind.ASYNC, "HasBacklogWithoutCapacity", BY_ENDPOINT),
    ],
)
def test_what_meets_no_copy_is_watched_by_the_metric_of_the_kind(kind, metric, watched) -> None:
    alarm = queue_requests(
        spec(kind=kind.value), NAMES, account_arn_prefix="arn:aws:sqs:us-east-1:1:",
        dispatcher_arn="arn:d", alarm_topic_arn="arn:t", tags={},
    )["capacity_alarm"]  # fmt: skip
    assert (alarm["MetricName"], alarm["Dimensions"]) == (metric, watched)


def test_a_burst_is_seen_by_the_metric_of_the_kind_and_not_looked_for_in_a_queue() -> None:
    alarm = burst_alarm(spec(kind="realtime"), NAMES, [])
    assert alarm is not None
    check("cloudwatch", "PutMetricAlarm", alarm)
    assert (alarm["MetricName"], alarm["Dimensions"]) == ("ConcurrentRequestsPerModel", BY_VARIANT)
    assert put_burst_policy(spec(kind="realtime"), NAMES)["ResourceId"] == VARIANT
    assert burst_alarm(spec(kind="async"), NAMES, []) is None


@pytest.mark.parametrize(
    ("kind", "copies", "found"),
    [
        ("component", 1, False),
        ("component", 2, False),
        ("component", 3, True),
        ("realtime", 3, True),
        ("async", 3, False),
    ],
)
def test_bursts_are_watched_where_there_is_more_than_one_copy_to_add(
    kind: str, copies: int, found: bool
) -> None:
    wanted = spec(kind=kind, scaling={"max_copies": copies})
    assert bursts(wanted) is found
    tracking = 0 if kind == "async" or copies == 1 else 2
    assert alarms_of(wanted, asleep=False).fine == tracking + found


@pytest.mark.parametrize("kind", WHOLE)
def test_an_update_puts_another_config_in_place_and_touches_no_component(kind: Kind) -> None:
    names = ResourceNames("prod", "llama", config_build=7, model_build=7)
    requests = reshape_requests(made(spec(kind=kind.value), names), names, ["alarm"])

    check("sagemaker", "UpdateEndpoint", requests["update_endpoint"])
    assert requests["update_endpoint"]["EndpointConfigName"] == "prod-llama-b7"
    assert (requests["kind"], requests["update_component"]) == (kind.value, None)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("changes", "config", "copies"),
    [
        ({"scaling": {"max_copies": 2, "keep_alive": "5m"}}, True, True),
        ({"serving": {"context_tokens": 4096}}, False, False),
        ({"instances": {"types": ["ml.g6e.2xlarge"]}}, False, True),
    ],
)
def test_a_config_that_names_a_model_stands_and_falls_with_it(
    kind: Kind, changes: dict[str, Any], config: bool, copies: bool
) -> None:
    before = made(spec(kind=kind.value))
    names = ResourceNames("prod", "llama", config_build=7, model_build=7)
    after = made(spec(kind=kind.value, **changes), names)

    assert same_copies(before, after) is copies
    if kind is Kind.COMPONENT:  # its model stands in the component's specification
        config = config or "serving" in changes
    assert same_config(before, after) is config


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize(
    ("instances", "words"),
    [
        (
            {"types": ["ml.g6e.12xlarge"], "accelerators_per_copy": 2},
            r"accelerators_per_copy: 2 does not fill the instance \(ml.g6e.12xlarge 4\)",
        ),
        (
            {"types": ["ml.g6e.xlarge", "ml.g6e.12xlarge"]},
            r"different numbers of accelerators \(ml.g6e.xlarge 1, ml.g6e.12xlarge 4\)",
        ),
    ],
)
def test_a_copy_fills_its_instance_or_the_file_is_refused(
    kind: Kind, instances: dict[str, Any], words: str
) -> None:
    with pytest.raises(DoesNotFitError, match=words):
        made(spec(kind=kind.value, instances=instances))


@pytest.mark.parametrize("kind", WHOLE)
def test_the_degree_is_that_of_the_instance_type(kind: Kind) -> None:
    built = made(spec(kind=kind.value, instances={"types": ["ml.g6e.12xlarge"]}))

    assert (built.accelerators_per_copy, built.copies_per_instance) == (4, 1)
    environment = built.model["PrimaryContainer"]["Environment"]
    assert environment["SM_VLLM_TENSOR_PARALLEL_SIZE"] == "4"
    assert made(spec(kind=kind.value, **R1_ON_P5E)).accelerators_per_copy == 8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "serverless"}, "kind: 'serverless' is not one of"),
        (
            {"kind": "realtime", "instances": {"types": ["ml.g6e.xlarge"], "cpus_per_copy": 2}},
            "instances.cpus_per_copy: a copy of kind realtime is a whole instance",
        ),
        (
            {
                "kind": "async",
                "instances": {"types": ["ml.g6e.xlarge"], "memory_mib_per_copy": 2048},
            },
            "instances.memory_mib_per_copy: a copy of kind async is a whole instance",
        ),
        (
            {"kind": "async", "serving": {"routing": "random"}},
            "serving.routing: an async endpoint takes its requests from SageMaker's own queue",
        ),
    ],
)
def test_a_key_that_the_kind_has_no_use_for_is_refused_by_name(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError, match=words):
        parse_spec(document(**changes))


@pytest.mark.parametrize("kind", Kind)
def test_a_stored_spec_is_read_again(kind: Kind) -> None:
    wanted = spec(kind=kind.value)

    assert EndpointSpec.model_validate_json(wanted.model_dump_json()) == wanted


class Asked:
    """CloudWatch, that has nothing to tell and remembers what it was asked."""

    def __init__(self) -> None:
        self.queries: list[dict[str, Any]] = []

    def get_paginator(self, operation: str) -> Asked:
        assert operation == "get_metric_data"
        return self

    def paginate(self, **given: Any) -> list[dict[str, Any]]:
        check("cloudwatch", "GetMetricData", given)
        self.queries += given["MetricDataQueries"]
        return []

    def of(self, metric: str) -> list[dict[str, str]]:
        found = [one["MetricStat"]["Metric"] for one in self.queries]
        first, *others = [one["Dimensions"] for one in found if one["MetricName"] == metric]
        assert all(dimensions == first for dimensions in others)
        return list(first)

    @property
    def billed(self) -> int:
        """Metrics; up to five statistics of one are billed as one."""
        found = [one["MetricStat"]["Metric"] for one in self.queries]
        return len({json.dumps(metric, sort_keys=True) for metric in found})


class NoQueues:
    """SQS without a queue of any name."""

    def get_queue_url(self, **_given: Any) -> dict[str, Any]:
        code = "AWS.SimpleQueueService.NonExistentQueue"
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "GetQueueUrl")

    get_queue_attributes = get_queue_url


@pytest.mark.parametrize(
    ("kind", "metric", "expected"),
    [
        (Kind.COMPONENT, "ConcurrentRequestsPerCopy", BY_COMPONENT),
        (Kind.REALTIME, "ConcurrentRequestsPerModel", BY_VARIANT),
        (Kind.ASYNC, "ApproximateBacklogSizePerInstance", BY_ENDPOINT),
    ],
)
def test_the_tick_and_the_command_line_ask_cloudwatch_by_the_kind(
    kind: Kind, metric: str, expected: list[dict[str, str]]
) -> None:
    tick, line = Asked(), Asked()
    AwsLoadReader("prod", NoQueues(), tick).read(["llama"], NOON, {"llama": kind})
    read_recorded(line, "prod", ["llama"], NOON, 1, {"llama": kind})

    assert tick.of(metric) == expected
    latency = BY_COMPONENT if kind is Kind.COMPONENT else BY_VARIANT
    assert tick.of("ModelLatency") == line.of("ModelLatency") == latency
    assert tick.billed == 2
