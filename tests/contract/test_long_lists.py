"""What AWS gives in pages is read to its end."""

from __future__ import annotations

from datetime import UTC, datetime

import boto3
from botocore.stub import Stubber

from autoscaler.alerts.events.life import EndpointCreated
from autoscaler.alerts.message import message_of
from autoscaler.aws.readers import MappedReaders
from autoscaler.aws.topics import TopicSink

NAME = "llama"
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
UUID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


def test_a_topic_whose_first_hundred_readers_never_confirmed_is_read_by_the_next() -> None:
    sns, arn = boto3.client("sns", region_name="us-east-1"), "arn:aws:sns:us-east-1:1:alarms"
    pending = {"SubscriptionArn": "PendingConfirmation", "Protocol": "email"}
    reader = {"SubscriptionArn": f"{arn}:6c", "Protocol": "email"}
    operation = "list_subscriptions_by_topic"
    with Stubber(sns) as aws:
        aws.add_response(
            operation, {"Subscriptions": [pending] * 100, "NextToken": "more"}, {"TopicArn": arn}
        )
        aws.add_response(
            operation, {"Subscriptions": [reader]}, {"TopicArn": arn, "NextToken": "more"}
        )
        aws.add_response("publish", {"MessageId": "m-1"})
        TopicSink(arn, only_if_read=True, sns=sns).send(
            message_of(EndpointCreated(endpoint=NAME, generation=1, at=FIRST, seconds=300.0))
        )
        aws.assert_no_pending_responses()


def test_a_queues_mapping_is_found_on_whatever_page_it_is() -> None:
    functions, arns = boto3.client("lambda", region_name="us-east-1"), "arn:aws:sqs:us-east-1:1:"
    asked = {"EventSourceArn": f"{arns}autoscaler-{NAME}", "FunctionName": "dispatcher"}
    operation, change = "list_event_source_mappings", {"MaximumConcurrency": 5}
    with Stubber(functions) as aws:
        aws.add_response(operation, {"EventSourceMappings": [], "NextMarker": "more"}, asked)
        aws.add_response(
            operation, {"EventSourceMappings": [{"UUID": UUID}]}, {**asked, "Marker": "more"}
        )
        aws.add_response("update_event_source_mapping", {}, {"UUID": UUID, "ScalingConfig": change})
        assert MappedReaders("autoscaler", "dispatcher", arns, functions).set(NAME, 5)
        aws.assert_no_pending_responses()
