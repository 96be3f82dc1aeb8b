"""What people are told: events through their queue, by `notify`, to the stack's own topic.

A topic is the one way to people that goes over the wire; Slack and plain posts have sockets of
their own, and what they answer is driven in tests/unit and tests/embedded.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from autoscaler.alerts.events.base import Event
from autoscaler.alerts.events.life import EndpointAwoke, EndpointFailed, EndpointSlept
from tests.alerts_events import ONE_OF_EACH
from tests.histories.drive import Case
from tests.histories.faults import Fault
from tests.histories.scenarios import Scenario, agreed, awake
from tests.histories.template import STACK, function_arn, resolved, resources
from tests.histories.world import NAME, World

_QUEUE, _DEAD, _READERS = (f"{STACK}-{one}" for one in ("notify-queue", "notify-dead", "readers"))
_TOPIC = f"{STACK}-alarm-topic"
# A failure is told at once; the two news are held for a minute, and told by the minute's look.
_KINDS: tuple[type[Event], ...] = (EndpointFailed, EndpointAwoke, EndpointSlept)
_HELD_SECONDS = 900.0  # of a message out of sight twice, and of the claim of a flush that died


def _with_people(world: World) -> None:
    awake(world)
    _queues(world)
    secret = resolved(resources("AWS::SecretsManager::Secret")["SlackSecret"]["Name"])
    world.client("secretsmanager").create_secret(
        Name=secret, SecretString=json.dumps({"sns": "alarms"})
    )
    world.each_minute.append(lambda: world.invoke("notify"))


def _queues(world: World) -> None:
    sqs, sns = world.client("sqs"), world.client("sns")
    dead = _made(sqs, _DEAD)
    mapping = resources("AWS::Lambda::EventSourceMapping")["NotifyFunctionAlerts"]
    queue = resources("AWS::SQS::Queue")["NotifyQueue"]
    most = queue["RedrivePolicy"]["maxReceiveCount"]
    arn = _made(
        sqs,
        _QUEUE,
        VisibilityTimeout=str(queue["VisibilityTimeout"]),
        RedrivePolicy=json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": most}),
    )
    world.make_function("notify")
    world.client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function_arn("notify"), BatchSize=mapping["BatchSize"],
        FunctionResponseTypes=mapping["FunctionResponseTypes"],
    )  # fmt: skip
    topic = sns.create_topic(Name=_TOPIC)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=_made(sqs, _READERS))


def _made(sqs: Any, name: str, **attributes: str) -> str:
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def _happened(world: World) -> None:
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=_QUEUE)["QueueUrl"]
    for event in _events():
        envelope = {"detail-type": event.detail_type, "detail": event.model_dump(mode="json")}
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(envelope))
    world.run(240)


def _events() -> list[Event]:
    found = {type(event): event for event in ONE_OF_EACH}
    return [found[kind].model_copy(update={"endpoint": NAME, "team": ""}) for kind in _KINDS]


def _time_passes(world: World) -> None:
    world.run(_HELD_SECONDS)


def _told(world: World) -> list[str]:
    """Each at least once; twice where a function died between the telling and its note of it."""
    read, wrong = _read(world), []
    for event in _events():
        times = read[event.detail_type]
        if not 1 <= times <= 2:
            wrong.append(f"{event.detail_type} was told {times} times")
    queued = _count(world, _QUEUE) + _count(world, _DEAD)
    left = [f"{queued} alerts are in the queue still"] if queued else []
    return wrong + left + agreed(world)


def _read(world: World) -> Counter[str]:
    """How often people could read of an event, by its kind, which stands below each message."""
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=_READERS)["QueueUrl"]
    texts = []
    while found := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1
    ).get("Messages"):
        texts += [json.loads(one["Body"])["Message"] for one in found]
    kinds = [event.detail_type for event in _events()]
    return Counter({kind: sum(kind in text for text in texts) for kind in kinds})


def _count(world: World, name: str) -> int:
    sqs = world.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def _says_what_is_so(case: Case) -> bool:
    """That somebody else has taken an alert is believed: no fault of AWS's says it falsely."""
    return not (case.actor == "notify" and case.fault is Fault.EXISTS)


# A denial that outlasts an alert's twelve tries, 72 minutes, leaves it in the dead-letter queue.
ALERTS = Scenario(
    "alerts", _with_people, _happened, _time_passes, _told, _says_what_is_so, True, 1800.0
)
