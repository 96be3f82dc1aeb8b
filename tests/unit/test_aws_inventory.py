"""What the sweep's look at the account costs in calls."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.stub import Stubber

from autoscaler.aws.inventory import AwsAccount
from autoscaler.control.sweep import Kind
from tests.memory import NOON

# As the API's reference says of MaxResults: 10 unless asked, 100 at most.
LISTS = {
    "list_endpoints": "Endpoints",
    "list_inference_components": "InferenceComponents",
    "list_endpoint_configs": "EndpointConfigs",
    "list_models": "Models",
}


def test_a_hundred_of_sagemakers_resources_take_one_call_each_kind() -> None:
    session = botocore.session.get_session()
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
            made[service] = session.create_client(service, region_name="us-east-1", **keys)
        return made[service]

    arn = "arn:aws:sagemaker:us-east-1:123456789012:model"
    models = [
        {"ModelName": f"s-{n}", "ModelArn": f"{arn}/s-{n}", "CreationTime": NOON}
        for n in range(100)
    ]
    with Stubber(client("sagemaker")) as sagemaker:
        for operation, members in LISTS.items():
            rows = models if members == "Models" else []
            asked = {"NameContains": "s-", "MaxResults": 100}
            sagemaker.add_response(operation, {members: rows}, asked)
        for service in ("sqs", "lambda", "cloudwatch", "application-autoscaling"):
            Stubber(client(service)).activate()
        Stubber(client("resourcegroupstaggingapi")).activate()
        look = AwsAccount("s", "dispatcher", client).look()
        sagemaker.assert_no_pending_responses()
    found = [one.name for one in look.resources if one.kind is Kind.MODEL]
    assert found == [f"s-{n}" for n in range(100)]
    sagemakers = [str(kind) for kind in (Kind.MODEL, Kind.CONFIG, Kind.ENDPOINT, Kind.COMPONENT)]
    assert not [one for one in look.problems if one.startswith(tuple(sagemakers))]
