"""Network, key, routing and a copy's share of the host, as the account has them after an apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.embedded.stack import deployed

NAME = "inside"
VPC = {"subnets": ["subnet-0123456789abcdef0"], "security_groups": ["sg-0123456789abcdef0"]}
ASKED = {"VpcConfig": {"Subnets": VPC["subnets"], "SecurityGroupIds": VPC["security_groups"]}}


def test_a_staged_endpoint_is_put_where_its_spec_says_and_answers(tmp_path: Path) -> None:
    with deployed(tmp_path) as stack:
        key = f"arn:aws:kms:us-east-1:{stack.account.account_id}:key/1234abcd-12ab"
        wanted: dict[str, Any] = {
            "network": {"vpc": VPC, "isolation": True},
            "encryption": {"kms_key": key},
            "serving": {"routing": "prefix_aware", "data_cache": False},
            "instances": {"types": ["ml.g6e.xlarge"], "cpus_per_copy": 2},
        }
        answer = stack.apply(NAME, **wanted)
        assert answer["ok"], answer
        stack.until(NAME, "AWAKE")
        stack.ask(NAME, {"id": "one", "prompt": "x", "max_tokens": 3})
        assert stack.result(NAME, "one")["answer"]["usage"]["completion_tokens"] == 3

        sagemaker, base = stack.account.boto("sagemaker"), f"autoscaler-{NAME}"
        model = sagemaker.describe_model(ModelName=base)
        config = sagemaker.describe_endpoint_config(EndpointConfigName=base)
        for made in (model, config):
            assert {key: made[key] for key in ASKED} == ASKED
            assert made["EnableNetworkIsolation"] is True
        assert config["KmsKeyId"] == key
        (variant,) = config["ProductionVariants"]
        assert variant["RoutingConfig"] == {"RoutingStrategy": "PREFIX_AWARE"}
        component = sagemaker.describe_inference_component(InferenceComponentName=base)
        given = component["Specification"]
        assert given["ComputeResourceRequirements"]["NumberOfCpuCoresRequired"] == 2
        assert given["DataCacheConfig"]["EnableCaching"] is False
        assert given["StartupParameters"]["ModelDataDownloadTimeoutInSeconds"] == 600
