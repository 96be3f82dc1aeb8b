"""Control plane through real clients: refusals, quotas, lists, tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.sagemaker_lab import STILL, Served, Sink, Stage
from tools.embedded.kernel.clock import AccountClock
from tools.embedded.sagemaker import SageMakerService, SimSettings
from tools.embedded.types import Fault


class Lab(Stage):
    def __init__(self, folder: Path, **options: Any) -> None:
        self.clock = AccountClock(folder / "clock", datetime(2026, 3, 2, tzinfo=UTC), STILL)
        self.sink = Sink()
        self.service = SageMakerService(self.clock, self.sink, self.sink, **options)
        self.served = Served(self.service)
        super().__init__(self.served)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.served.close()


CONFIG_REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"InstanceType": "ml.g5.xlarge", "InstancePools": []}, "length greater than or equal to 1"),
    ({"ModelName": "nobody"}, "Could not find model"),
    (
        {
            "InstancePools": [
                {"InstanceType": "ml.g5.xlarge", "Priority": 1},
                {"InstanceType": "ml.g5.xlarge", "Priority": 2},
            ]
        },
        "InstanceType must be unique",
    ),
    (
        {
            "ManagedInstanceScaling": {
                "Status": "ENABLED",
                "MinInstanceCount": 4,
                "MaxInstanceCount": 3,
            }
        },
        "MinInstanceCount 4 is above 3",
    ),
    ({"InitialInstanceCount": 9}, "InitialInstanceCount 9 is above 3"),
]


@pytest.mark.parametrize(("variant", "says"), CONFIG_REFUSALS)
def test_endpoint_configs_that_are_refused(lab: Lab, variant: dict[str, Any], says: str) -> None:
    with pytest.raises(ClientError, match=says):
        lab.config(**variant)
    assert lab.sagemaker.list_endpoint_configs()["EndpointConfigs"] == []


def test_a_variant_without_model_needs_a_role(lab: Lab) -> None:
    variant = {"VariantName": "v", "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}
    with pytest.raises(ClientError, match="ExecutionRoleArn is required"):
        lab.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])


def test_some_regions_refuse_zero_instances(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings=SimSettings(zero_instances_allowed=False))
    with pytest.raises(ClientError, match="minInstanceCount"):
        lab.config()
    lab.served.close()


@pytest.mark.parametrize(
    ("container", "says"),
    [
        ({"Image": None}, "needs an Image"),
        (
            {
                "ModelDataSource": {
                    "S3DataSource": {
                        "S3Uri": "s3://b/weights",
                        "S3DataType": "S3Prefix",
                        "CompressionType": "None",
                    }
                }
            },
            "must end with a forward slash",
        ),
        ({"Environment": {f"K{n}": "v" * 1000 for n in range(40)}}, "above the limit of 32768"),
    ],
)
def test_models_that_are_refused(lab: Lab, container: dict[str, Any], says: str) -> None:
    with pytest.raises(ClientError, match=says):
        lab.model(**container)


def test_names_are_taken_once(lab: Lab) -> None:
    calls: list[Callable[[], None]] = [lab.model, lab.config, lab.endpoint, lab.component]
    for call in calls:
        call()
        lab.clock.jump(121)
        with pytest.raises(ClientError, match=r'Cannot create already existing [a-z ]+ "arn:aws'):
            call()


def test_what_is_named_must_be_there(lab: Lab) -> None:
    with pytest.raises(ClientError, match="Could not find endpoint conf"):
        lab.endpoint()
    with pytest.raises(ClientError, match="Could not find endpoint"):
        lab.component()
    lab.config()
    lab.endpoint()
    lab.clock.jump(121)
    with pytest.raises(ClientError, match="Could not find model"):
        lab.component()


def test_an_operation_that_only_we_lack_says_so(lab: Lab) -> None:
    with pytest.raises(ClientError, match="does not simulate ListTrainingJobs"):
        lab.sagemaker.list_training_jobs()


def test_quotas_hold_for_every_type_of_the_pools(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings=SimSettings(quotas={"ml.p5.48xlarge": 0}))
    pools = [
        {"InstanceType": "ml.g5.xlarge", "Priority": 1},
        {"InstanceType": "ml.p5.48xlarge", "Priority": 2},
    ]
    lab.config(InstancePools=pools)
    with pytest.raises(ClientError) as caught:
        lab.endpoint()
    error = caught.value.response["Error"]
    assert error["Code"] == "ResourceLimitExceeded"
    assert "'ml.p5.48xlarge for endpoint usage' is 0 Instances" in error["Message"]
    assert lab.sagemaker.list_endpoints()["Endpoints"] == []
    lab.served.close()


def test_lists_are_filtered_ordered_and_paged(lab: Lab) -> None:
    for number in range(7):
        lab.model(f"model-{number}")
    lab.model("other")
    paginator = lab.sagemaker.get_paginator("list_models")
    asked = {"NameContains": "MODEL", "SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 3}
    pages = [[m["ModelName"] for m in p["Models"]] for p in paginator.paginate(**asked)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [name for page in pages for name in page] == [f"model-{number}" for number in range(7)]
    assert lab.sagemaker.list_models()["Models"][0]["ModelName"] == "other", "newest first"
    with pytest.raises(ClientError, match="Invalid NextToken"):
        lab.sagemaker.list_models(NextToken="x")


def test_components_are_listed_by_endpoint_and_status(lab: Lab) -> None:
    lab.model()
    lab.config()
    lab.endpoint()
    lab.clock.jump(121)
    lab.component("one")
    lab.component("two")
    lab.clock.jump(300)
    lab.component("three")
    found = lab.sagemaker.list_inference_components(
        EndpointNameEquals="e", StatusEquals="InService", SortBy="Name", SortOrder="Ascending"
    )["InferenceComponents"]
    assert [one["InferenceComponentName"] for one in found] == ["one", "two"]


def test_tags_live_and_die_with_their_resource(lab: Lab) -> None:
    lab.model()
    arn = lab.sagemaker.describe_model(ModelName="m")["ModelArn"]
    lab.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "x"}])
    lab.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "cost", "Value": "y"}])
    lab.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert lab.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "cost", "Value": "y"}]
    lab.sagemaker.delete_model(ModelName="m")
    with pytest.raises(ClientError, match="Could not find resource"):
        lab.sagemaker.list_tags(ResourceArn=arn)


def test_an_arn_has_its_name_in_small_letters_and_tags_are_found_by_it(lab: Lab) -> None:
    lab.model("LLM-Autoscaler-m")
    found = lab.sagemaker.describe_model(ModelName="LLM-Autoscaler-m")
    assert found["ModelName"] == "LLM-Autoscaler-m"
    assert found["ModelArn"].endswith(":model/llm-autoscaler-m")
    lab.sagemaker.add_tags(ResourceArn=found["ModelArn"], Tags=[{"Key": "team", "Value": "x"}])
    assert lab.sagemaker.list_tags(ResourceArn=found["ModelArn"])["Tags"]


def test_a_fault_is_answered_in_place_of_an_operation(lab: Lab) -> None:
    fault = Fault(
        "sagemaker:CreateModel", "ThrottlingException", "slow", 429, matching={"ModelName": "m"}
    )
    lab.service.inject(fault)
    lab.model("other")
    with pytest.raises(ClientError, match="slow"):
        lab.model()
    lab.model()
