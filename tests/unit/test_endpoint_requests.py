"""The requests that create, scale and remove an endpoint, held against AWS's own API models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoscaler.catalog.fit import choose
from autoscaler.catalog.images import image
from autoscaler.catalog.models import known_models
from autoscaler.endpoints.names import ResourceNames
from autoscaler.endpoints.requests import Deployment, deployment, surprises
from autoscaler.endpoints.reshape import reshape_requests
from autoscaler.spec import EndpointSpec
from tests.api_shapes import check
from tests.samples import spec

ENGINES = ("vllm", "tgi", "lmi", "sglang")
TYPES = {
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": ["ml.g4dn.xlarge"],
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": ["ml.g6.xlarge", "ml.g5.xlarge"],
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": ["ml.g6e.xlarge", "ml.g6e.2xlarge"],
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B": ["ml.g6e.2xlarge"],
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": ["ml.g6e.12xlarge", "ml.g6e.24xlarge"],
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B": ["ml.g6e.12xlarge", "ml.g6e.48xlarge"],
    "deepseek-ai/DeepSeek-R1": ["ml.p5en.48xlarge", "ml.p5e.48xlarge", "ml.p6-b200.48xlarge"],
}
CREATES = {
    "model": ("sagemaker", "CreateModel"),
    "endpoint_config": ("sagemaker", "CreateEndpointConfig"),
    "endpoint": ("sagemaker", "CreateEndpoint"),
    "component": ("sagemaker", "CreateInferenceComponent"),
    "scalable_target": ("application-autoscaling", "RegisterScalableTarget"),
    "scaling_policy": ("application-autoscaling", "PutScalingPolicy"),
    "burst_policy": ("application-autoscaling", "PutScalingPolicy"),
    "burst_alarm": ("cloudwatch", "PutMetricAlarm"),
}
R1_ON_P5E = {
    "model": {"id": "deepseek-ai/DeepSeek-R1"},
    "instances": {"types": ["ml.p5e.48xlarge"]},
}
PEAK = {"name": "peak", "days": ["mon"], "start": "08:00", "end": "18:00", "min_copies": 1}
NAMES = ResourceNames("prod", "llama")
ROLE = "arn:aws:iam::123456789012:role/prod-endpoints"
WEIGHTS = "s3://weights/deepseek-ai/DeepSeek-R1-Distill-Llama-8B/0123/"


def build(wanted: EndpointSpec, names: ResourceNames = NAMES, **changes: Any) -> Deployment:
    given: dict[str, Any] = {
        "region": "eu-central-1",
        "weights_uri": WEIGHTS,
        "role_arn": ROLE,
        "facts": known_models()[wanted.model.id],
        "tags": {"autoscaler:stack": names.prefix, "autoscaler:endpoint": wanted.name},
    }
    return deployment(wanted, names, **{**given, **changes})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model_id", TYPES)
def test_every_model_on_every_engine_makes_requests_that_aws_takes(
    engine: str, model_id: str
) -> None:
    wanted = spec(
        model={"id": model_id, "trust_remote_code": True},
        instances={"types": TYPES[model_id]},
        serving={"engine": engine, "context_tokens": 4096, "concurrency_per_copy": 8},
    )

    built = build(wanted)

    for part, (service, operation) in CREATES.items():
        check(service, operation, getattr(built, part))
    assert json.loads(json.dumps(built.as_dict())) == built.as_dict()


def test_the_checker_itself_finds_what_is_wrong() -> None:
    good = build(spec()).endpoint_config
    variant = good["ProductionVariants"][0]
    for change in (
        {"InstanceType": "ml.g6e.huge"},
        {"VariantName": "a b"},
        {"Typo": 1},
        {"RoutingConfig": {"RoutingStrategy": "FASTEST"}},
        {"VariantInstanceProvisionTimeoutInSeconds": 3601},
        {"InitialInstanceCount": 0},
    ):
        with pytest.raises(AssertionError):
            check(
                "sagemaker",
                "CreateEndpointConfig",
                {**good, "ProductionVariants": [{**variant, **change}]},
            )


def test_the_model_reads_its_weights_from_a_prefix() -> None:
    built = build(spec()).model

    assert built["ModelName"] == "prod-llama"
    assert built["PrimaryContainer"]["ModelDataSource"] == {
        "S3DataSource": {
            "S3Uri": WEIGHTS, "S3DataType": "S3Prefix", "CompressionType": "None",
        }
    }  # fmt: skip
    assert built["EnableNetworkIsolation"] is False


def test_a_prefix_without_its_slash_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end in /"):
        build(spec(), weights_uri="s3://weights/model")


def test_one_type_is_an_instance_type_and_several_are_pools() -> None:
    one = build(spec()).endpoint_config["ProductionVariants"][0]
    two = build(spec(instances={"types": ["ml.g6e.xlarge", "ml.g6e.2xlarge"]}))
    several = two.endpoint_config["ProductionVariants"][0]

    assert one["InstanceType"] == "ml.g6e.xlarge"
    assert "InstancePools" not in one
    assert several["InstancePools"] == [
        {"InstanceType": "ml.g6e.xlarge", "Priority": 1},
        {"InstanceType": "ml.g6e.2xlarge", "Priority": 2},
    ]
    for variant in (one, several):  # SageMaker gives up before the controller does
        assert variant["VariantInstanceProvisionTimeoutInSeconds"] == 900 - 60
    assert "InstanceType" not in several


@pytest.mark.parametrize(
    ("capacity", "provision"), [(300, 300), (360, 300), (900, 840), (3600, 3540), (5400, 3600)]
)
def test_sagemaker_gives_up_before_the_controller_within_what_its_api_takes(
    capacity: float, provision: int
) -> None:
    variant = build(spec(), capacity_seconds=capacity).endpoint_config["ProductionVariants"][0]
    assert variant["VariantInstanceProvisionTimeoutInSeconds"] == provision


def test_the_variant_names_no_model_and_may_go_to_zero() -> None:
    config = build(spec(scaling={"max_copies": 5})).endpoint_config
    variant = config["ProductionVariants"][0]

    assert config["ExecutionRoleArn"] == ROLE
    assert "ModelName" not in variant
    assert variant["InitialInstanceCount"] == 1
    assert variant["ManagedInstanceScaling"] == {
        "Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 6,
    }  # fmt: skip
    assert variant["InferenceAmiVersion"] == "al2023-ami-sagemaker-inference-gpu-4-1"


def test_the_most_instances_hold_the_most_copies_of_any_window() -> None:
    wanted = spec(
        instances={"types": ["ml.g6e.12xlarge"]},
        schedule={"windows": [{**PEAK, "max_copies": 9}]},
    )
    built = build(wanted)

    variant = built.endpoint_config["ProductionVariants"][0]
    assert built.copies_per_instance == 4
    assert variant["ManagedInstanceScaling"]["MaxInstanceCount"] == 4  # one for an update
    assert built.scalable_target["MaxCapacity"] == 9


def test_sglang_is_on_cuda_13_and_gets_its_machine_image() -> None:
    built = build(spec(serving={"engine": "sglang"}))

    assert "/sglang:0.5.17-" in built.model["PrimaryContainer"]["Image"]
    variant = built.endpoint_config["ProductionVariants"][0]
    assert variant["InferenceAmiVersion"] == "al2023-ami-sagemaker-inference-gpu-4-1"


@pytest.mark.parametrize("routing", ["least_outstanding_requests", "random", "prefix_aware"])
def test_requests_are_routed_as_the_spec_says(routing: str) -> None:
    built = build(spec(serving={"routing": routing}))

    check("sagemaker", "CreateEndpointConfig", built.endpoint_config)
    variant = built.endpoint_config["ProductionVariants"][0]
    assert variant["RoutingConfig"] == {"RoutingStrategy": routing.upper()}


def test_a_copy_gets_what_of_the_host_the_spec_says() -> None:
    share = {"cpus_per_copy": 2.5, "memory_mib_per_copy": 8192}
    built = build(
        spec(instances={"types": ["ml.g6e.xlarge"], **share}, serving={"data_cache": False})
    )

    check("sagemaker", "CreateInferenceComponent", built.component)
    assert built.component["Specification"]["ComputeResourceRequirements"] == {
        "MinMemoryRequiredInMb": 8192,
        "NumberOfCpuCoresRequired": 2.5,
        "NumberOfAcceleratorDevicesRequired": 1,
    }
    assert built.component["Specification"]["DataCacheConfig"] == {"EnableCaching": False}


SUBNETS, GROUPS = ["subnet-0123456789abcdef0", "subnet-0a1b2c3d"], ["sg-0123456789abcdef0"]
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_a_network_is_that_of_the_model_and_of_the_config_that_components_take_it_from() -> None:
    vpc = {"subnets": SUBNETS, "security_groups": GROUPS}
    built = build(spec(network={"vpc": vpc, "isolation": True}))

    for operation, request in (
        ("CreateModel", built.model),
        ("CreateEndpointConfig", built.endpoint_config),
    ):
        check("sagemaker", operation, request)
        assert request["VpcConfig"] == {"SecurityGroupIds": GROUPS, "Subnets": SUBNETS}
        assert request["EnableNetworkIsolation"] is True
    open_ = build(spec())
    assert "VpcConfig" not in open_.model | open_.endpoint_config
    assert open_.endpoint_config["EnableNetworkIsolation"] is False


def test_a_key_is_for_the_volumes_of_the_config() -> None:
    built = build(spec(encryption={"kms_key": KEY}))

    check("sagemaker", "CreateEndpointConfig", built.endpoint_config)
    assert built.endpoint_config["KmsKeyId"] == KEY
    assert "KmsKeyId" not in build(spec()).endpoint_config


def test_a_model_of_the_hub_has_no_data_and_no_token() -> None:
    wanted = spec(model={"id": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "source": "hub"})
    built = build(wanted, weights_uri=None, commit="c" * 40)

    check("sagemaker", "CreateModel", built.model)
    container = built.model["PrimaryContainer"]
    assert container.keys() == {"Image", "Environment"}
    assert container["Environment"]["SM_VLLM_REVISION"] == "c" * 40
    assert "HF_TOKEN" not in container["Environment"]
    with pytest.raises(ValueError, match="is not pinned to a commit"):
        build(wanted, weights_uri=None)
    with pytest.raises(ValueError, match=r"model\.source is hub"):
        build(wanted)
    with pytest.raises(ValueError, match=r"model\.source is s3"):
        build(spec(), weights_uri=None, commit="c" * 40)


@pytest.mark.parametrize(
    ("measured", "seconds"), [(10.0, 60), (240.5, 722), (900.0, 2700), (1800.0, 3600), (None, 600)]
)
def test_a_start_may_take_three_times_what_the_slowest_took(
    measured: float | None, seconds: int
) -> None:
    built = build(spec(), slowest_start_seconds=measured)

    check("sagemaker", "CreateInferenceComponent", built.component)
    assert set(built.component["Specification"]["StartupParameters"].values()) == {seconds}


def test_tgi_needs_no_machine_image_of_its_own() -> None:
    built = build(spec(serving={"engine": "tgi"}))

    assert "InferenceAmiVersion" not in built.endpoint_config["ProductionVariants"][0]


def test_the_component_asks_for_accelerators_and_little_memory() -> None:
    wanted = spec(
        model={"id": "deepseek-ai/DeepSeek-R1-Distill-Llama-70B"},
        instances={"types": ["ml.g6e.12xlarge"]},
    )
    built = build(wanted)

    assert built.component["EndpointName"] == built.endpoint["EndpointName"]
    assert (
        built.component["VariantName"]
        == (built.endpoint_config["ProductionVariants"][0]["VariantName"])
    )
    assert built.component["Specification"] == {
        "ModelName": "prod-llama",
        "StartupParameters": {
            "ModelDataDownloadTimeoutInSeconds": 2690,
            "ContainerStartupHealthCheckTimeoutInSeconds": 2690,
        },
        "ComputeResourceRequirements": {
            "MinMemoryRequiredInMb": 1024,
            "NumberOfAcceleratorDevicesRequired": 4,
        },
        "DataCacheConfig": {"EnableCaching": True},
    }
    assert built.accelerators_per_copy == 4
    assert built.instance_type == "ml.g6e.12xlarge"


@pytest.mark.parametrize(
    ("model_id", "seconds"),
    [("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 600), ("deepseek-ai/DeepSeek-R1", 3600)],
)
def test_startup_timeouts_stay_within_what_is_allowed(model_id: str, seconds: int) -> None:
    wanted = spec(model={"id": model_id}, instances={"types": TYPES[model_id]})

    timeouts = build(wanted).component["Specification"]["StartupParameters"]

    assert set(timeouts.values()) == {seconds}


def test_target_tracking_aims_at_what_a_copy_takes() -> None:
    built = build(spec(serving={"concurrency_per_copy": 12}))

    assert built.scalable_target == {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "inference-component/prod-llama",
        "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
        "MinCapacity": 1,
        "MaxCapacity": 2,
    }
    tracking = built.scaling_policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 12.0
    assert built.scaling_policy["PolicyType"] == "TargetTrackingScaling"


def test_everything_is_tagged_with_the_specs_tags_stack_endpoint_and_team() -> None:
    built = build(spec(team="Search R&D".replace("&", "-"), tags={"cost-centre": "42"}))

    for request in (built.model, built.endpoint_config, built.endpoint, built.component):
        assert request["Tags"] == [
            {"Key": "cost-centre", "Value": "42"},
            {"Key": "autoscaler:stack", "Value": "prod"},
            {"Key": "autoscaler:endpoint", "Value": "llama"},
            {"Key": "team", "Value": "Search R-D"},
        ]


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        (
            R1_ON_P5E,
            "instances.types: the price of ml.p5e.48xlarge is not known",
        ),
        (
            R1_ON_P5E,
            "model.id: 689 GB must load at 182 MiB/s or more",
        ),
        (
            {"instances": {"types": ["ml.g6e.48xlarge"]}},
            "instances.types: ml.g6e.48xlarge holds 8 copies and at most 2 are ever wanted",
        ),
        ({"serving": {"engine": "tgi"}}, "serving.engine: tgi has been in maintenance"),
        (
            {"instances": {"types": ["ml.g6e.xlarge"], "memory_mib_per_copy": 20000}},
            "instances.memory_mib_per_copy: SageMaker refuses large values",
        ),
        (
            {"encryption": {"kms_key": KEY}},
            "encryption.kms_key: the local disks of ml.g6e.xlarge are encrypted by the machine's",
        ),
        (
            {"network": {"vpc": {"subnets": SUBNETS, "security_groups": GROUPS}}},
            "network.vpc: the subnets need a way to S3",
        ),
        (
            {"model": {"id": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "source": "hub"}},
            "model.source: every start of a copy loads from the Hub, unproved",
        ),
        ({"kind": "realtime"}, "kind: asleep, SageMaker has no such endpoint"),
        ({"kind": "async"}, "kind: what is sent to SageMaker directly waits there"),
        (
            {"serving": {"image": "mine:1", "parameters": {"brand_new": 1}}},
            "serving.parameters.brand_new: not among the settings that we know of vllm",
        ),
        ({"serving": {"image": "mine:1"}}, "serving.image: no machine image is asked for"),
        (
            {
                "model": {"id": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"},
                "instances": {"types": ["ml.g4dn.xlarge"]},
            },
            "instances.types: ml.g4dn.xlarge has no bfloat16",
        ),
    ],
)  # fmt: skip
def test_what_may_surprise_is_said(changes: dict[str, Any], warning: str) -> None:
    assert any(told.startswith(warning) for told in surprising(spec(**changes)))


def surprising(wanted: EndpointSpec) -> list[str]:
    facts = known_models()[wanted.model.id]
    container = image(wanted.serving.engine, "us-east-1", wanted.serving.image)
    return list(surprises(wanted, choose(facts, wanted), container, facts))


def test_a_t4_makes_the_deployment_ask_for_float16() -> None:
    wanted = spec(
        model={"id": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"},
        instances={"types": ["ml.g4dn.xlarge"]},
    )

    told = build(wanted).model["PrimaryContainer"]["Environment"]

    assert told["SM_VLLM_DTYPE"] == "float16"


def test_an_ordinary_endpoint_has_no_warnings() -> None:
    assert surprising(spec()) == []


def test_the_longest_names_still_fit_everywhere() -> None:
    name = "a" * 40
    # 10 + 1 + 40, and 12 for what an update in place and a rung put behind it, are 63.
    names = ResourceNames("s" * 10, name, rung=4, config_build=1_000_000)

    built = build(spec(name), names)

    for part, (service, operation) in CREATES.items():
        check(service, operation, getattr(built, part))
    assert len(names.dead_letter_queue) <= 80
    assert len(names.execution(10**9)) <= 80


@pytest.mark.parametrize("alarms", [[], [NAMES.capacity_alarm]])
@pytest.mark.parametrize(("copies", "at_a_time"), [(2, 1), (20, 1), (21, 2), (100, 5)])
def test_another_shape_is_asked_for_as_the_api_takes_it(alarms, copies, at_a_time) -> None:
    """The API takes no empty list of alarms: what must not be rolled back names none at all."""
    made = reshape_requests(build(spec()), NAMES, alarms, copies)
    check("sagemaker", "UpdateEndpoint", made["update_endpoint"])
    check("sagemaker", "UpdateInferenceComponent", made["update_component"])
    rolling = made["update_component"]["DeploymentConfig"]
    size = rolling["RollingUpdatePolicy"]["MaximumBatchSize"]
    assert size == {"Type": "COPY_COUNT", "Value": at_a_time}
    assert 0.05 * copies <= at_a_time <= 0.5 * copies, "as the API's reference says"
    watched = rolling.get("AutoRollbackConfiguration")
    assert watched == ({"Alarms": [{"AlarmName": alarms[0]}]} if alarms else None)


@pytest.mark.parametrize("copies", [0, 1])
def test_of_one_copy_nothing_is_rolled(copies) -> None:
    """No size is between 5 % and 50 % of it."""
    made = reshape_requests(build(spec()), NAMES, [NAMES.capacity_alarm], copies)
    check("sagemaker", "UpdateInferenceComponent", made["update_component"])
    assert "DeploymentConfig" not in made["update_component"]


def test_there_may_be_as_many_instances_more_as_an_update_begins_at_a_time() -> None:
    made = build(spec(scaling={"max_copies": 41}))
    (variant,) = made.endpoint_config["ProductionVariants"]
    assert variant["ManagedInstanceScaling"]["MaxInstanceCount"] == 44
