"""What a sweep's look at the account costs in calls, and what its last look at a thing stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from autoscaler.aws.inventory import AwsAccount
from autoscaler.control.sweep import Kind, Resource
from autoscaler.control.sweeping import NotOursError
from autoscaler.endpoints.tags import DELETABLE, STACK, labels
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


URL = "https://sqs.us-east-1.amazonaws.com/123456789012/s-lost"
QUEUE = Resource(Kind.QUEUE, "s-lost", arn=URL, created_at=NOON)
OURS = labels("s", "lost")
COUNTS = {
    "ApproximateNumberOfMessages": 0,
    "ApproximateNumberOfMessagesNotVisible": 0,
    "ApproximateNumberOfMessagesDelayed": 0,
}


@contextmanager
def queue(
    created_at: Any = NOON, tags: dict[str, str] = OURS, **counts: int
) -> Iterator[tuple[AwsAccount, Stubber]]:
    """An account in which SQS is asked for the queue once, and for nothing else."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    session = botocore.session.get_session()
    sqs = session.create_client("sqs", region_name="us-east-1", **keys)
    attributes = {name: str(counts.get(name, none)) for name, none in COUNTS.items()}
    attributes["CreatedTimestamp"] = str(int(created_at.timestamp()))
    asked = {"QueueUrl": URL, "AttributeNames": ["CreatedTimestamp", *COUNTS]}
    with Stubber(sqs) as stub:
        stub.add_response("get_queue_attributes", {"Attributes": attributes}, asked)
        stub.add_response("list_queue_tags", {"Tags": tags}, {"QueueUrl": URL})
        yield AwsAccount("s", "dispatcher", lambda _: sqs), stub
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("where", COUNTS)
def test_a_request_that_waits_anywhere_in_a_queue_is_one_that_it_holds(where: str) -> None:
    """One that is being worked on, or is to be worked on later, is lost with its queue as well."""
    with queue(**{where: 2}) as (account, _):
        look = account.describe([QUEUE])
    assert [one.messages for one in look.resources] == [2]


def test_what_is_as_it_was_goes() -> None:
    with queue() as (account, stub):
        stub.add_response("delete_queue", {}, {"QueueUrl": URL})
        account.remove(QUEUE)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ({"tags": {}}, "not any more what"),
        ({"tags": {**OURS, STACK: "other"}}, "not any more what"),
        ({"tags": {**OURS, DELETABLE: "false"}}, "not any more what"),
        ({"created_at": NOON + timedelta(hours=1)}, "not any more what"),
        *(({where: 1}, "requests have come into it") for where in COUNTS),
    ],
)
def test_what_changed_since_its_removal_was_decided_stays(now: dict[str, Any], why: str) -> None:
    """Somebody took its tags, or made another of its name, or sent a request. Nothing is deleted:
    the stub knows no such call."""
    with queue(**now) as (account, _), pytest.raises(NotOursError, match=why):
        account.remove(QUEUE)
