"""What calls of SQS, SNS, EventBridge, Lambda and Step Functions need."""

from __future__ import annotations

from tools.embedded.iam.needed import Maker, Need, name_of, requested
from tools.embedded.iam.needs_capacity import listing
from tools.embedded.iam.needs_state import Members, Rule


def _queue(make: Maker, given: Members) -> str:
    """By its URL, in which its account is, or by its name."""
    if url := given.get("QueueUrl"):
        owner, name = url.rstrip("/").split("/")[-2:]
        owner = owner if owner.isdigit() else make.around.account_id
    else:
        name = given.get("QueueName", "")
        owner = given.get("QueueOwnerAWSAccountId", make.around.account_id)
    return f"arn:aws:sqs:{make.around.region}:{owner}:{name}"


def _on_queue(action: str) -> Rule:
    return lambda make, given: [make.need(f"sqs:{action}", _queue(make, given))]


def _create_queue(make: Maker, given: Members) -> list[Need]:
    arn = _queue(make, given)
    tags = requested(given.get("tags") or given.get("Tags"))
    return [make.need("sqs:CreateQueue", arn, tags), *make.tagging("sqs:TagQueue", arn, tags)]


def _on_topic(action: str) -> Rule:
    def rule(make: Maker, given: Members) -> list[Need]:
        return [make.need(f"sns:{action}", given.get("TopicArn") or given.get("TargetArn") or "*")]

    return rule


def _put_events(make: Maker, given: Members) -> list[Need]:
    found = []
    for entry in given.get("Entries", ()):
        bus = make.arn("events", f"event-bus/{name_of(entry.get('EventBusName', 'default'))}")
        context = {
            "events__source": entry.get("Source", ""),
            "events__detail_type": entry.get("DetailType", ""),
        }
        found.append(make.need("events:PutEvents", bus, **context))
    return found


def _function(make: Maker, name: str) -> str:
    plain = name.rpartition(":function:")[2].partition(":")[0]
    return make.arn("lambda", f"function:{plain}")


def _invoke(make: Maker, given: Members) -> list[Need]:
    return [make.need("lambda:InvokeFunction", _function(make, given["FunctionName"]))]


def _on_mapping(action: str) -> Rule:
    """Limited by the function that the mapping feeds; of one that is gone there is none."""

    def rule(make: Maker, given: Members) -> list[Need]:
        arn = make.arn("lambda", f"event-source-mapping:{given['UUID']}")
        function = make.around.mapping_function(given["UUID"])
        context = {"lambda__functionarn": function} if function else {}
        return [make.need(f"lambda:{action}", arn, **context)]

    return rule


def _create_mapping(make: Maker, given: Members) -> list[Need]:
    """Lambda knows the mapping's id only once it is made."""
    function = _function(make, given["FunctionName"])
    tags = requested(given.get("Tags"))
    return [
        make.need("lambda:CreateEventSourceMapping", "*", tags, lambda__functionarn=function),
        *make.tagging("lambda:TagResource", make.arn("lambda", "event-source-mapping:new"), tags),
    ]


def _function_tags(make: Maker, given: Members) -> list[Need]:
    return [make.need("lambda:ListTags", given["Resource"])]


def _start(make: Maker, given: Members) -> list[Need]:
    return [make.need("states:StartExecution", given.get("stateMachineArn", ""))]


def _on_execution(action: str) -> Rule:
    return lambda make, given: [make.need(f"states:{action}", given.get("executionArn", ""))]


RULES: dict[str, Rule] = {
    **{
        f"sqs:{name}": _on_queue(name)
        for name in (
            "SendMessage",
            "ReceiveMessage",
            "DeleteMessage",
            "ChangeMessageVisibility",
            "GetQueueAttributes",
            "GetQueueUrl",
            "SetQueueAttributes",
            "DeleteQueue",
            "ListQueueTags",
            "TagQueue",
        )
    },
    "sqs:SendMessageBatch": _on_queue("SendMessage"),
    "sqs:DeleteMessageBatch": _on_queue("DeleteMessage"),
    "sqs:ChangeMessageVisibilityBatch": _on_queue("ChangeMessageVisibility"),
    "sqs:CreateQueue": _create_queue,
    "sqs:ListQueues": listing("sqs:ListQueues"),
    "sns:Publish": _on_topic("Publish"),
    "sns:ListSubscriptionsByTopic": _on_topic("ListSubscriptionsByTopic"),
    "events:PutEvents": _put_events,
    "lambda:Invoke": _invoke,
    "lambda:CreateEventSourceMapping": _create_mapping,
    "lambda:UpdateEventSourceMapping": _on_mapping("UpdateEventSourceMapping"),
    "lambda:DeleteEventSourceMapping": _on_mapping("DeleteEventSourceMapping"),
    "lambda:GetEventSourceMapping": _on_mapping("GetEventSourceMapping"),
    "lambda:ListEventSourceMappings": listing("lambda:ListEventSourceMappings"),
    "lambda:ListTags": _function_tags,
    "states:StartExecution": _start,
    "states:DescribeExecution": _on_execution("DescribeExecution"),
    "states:StopExecution": _on_execution("StopExecution"),
}
