"""SNS subscriptions: functions, queues, web hooks; e-mails are kept in an outbox."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from moto.sns import models

from tools.embedded.pump.delivery import Deliveries, Delivery, DeliveryError
from tools.embedded.pump.patches import Patches
from tools.embedded.pump.targets import Targets
from tools.embedded.pump.view import AccountView

WEB_HOOK_TIMEOUT = 15
# Signing with a fresh RSA key, as moto does, costs up to 0.3 s a subscription.
SIGNATURE = "EXAMPLE=="


@dataclass(frozen=True)
class Email:
    """A message that a real account would have mailed."""

    address: str
    topic_arn: str
    subject: str
    message: str
    time: float


class Topics:
    """Replaces the delivery of moto's subscriptions while installed."""

    def __init__(self, account: AccountView, targets: Targets, deliveries: Deliveries) -> None:
        self._account = account
        self._targets = targets
        self._deliveries = deliveries
        self._patches = Patches()
        self.outbox: list[Email] = []

    def install(self) -> None:
        original = self._patches.set(models.Subscription, "publish", None)
        models.Subscription.publish = _publish_with(self, original)  # type: ignore[method-assign]

    def uninstall(self) -> None:
        self._patches.restore()

    def deliver(self, subscription: Any, notification: dict[str, Any]) -> bool:
        """Hands a notification to a subscriber; False for a protocol that is not ours."""
        protocol = subscription.protocol
        if protocol in ("email", "email-json"):
            self._mail(subscription.endpoint, notification)
        elif protocol == "lambda":
            self._put(subscription, json.dumps({"Records": [_record(subscription, notification)]}))
        elif protocol in ("http", "https"):
            self._put(subscription, json.dumps(_envelope(subscription, notification)))
        else:
            return False
        return True

    def to_queue(
        self, subscription: Any, notification: dict[str, Any], fifo: Mapping[str, Any]
    ) -> None:
        """Sends to the queue at once, so that a topic keeps the order of what it is told."""
        from moto.sqs.models import sqs_backends

        _, _, _, region, owner, name = subscription.endpoint.split(":", 5)
        backend = sqs_backends[owner][region]
        if name not in backend.queues:
            return self._put(subscription, notification["Message"])
        raw = str(subscription.attributes.get("RawMessageDelivery", "")).lower() == "true"
        attributes = notification.get("MessageAttributes") or {}
        backend.send_message(
            name,
            notification["Message"] if raw else json.dumps(_envelope(subscription, notification)),
            message_attributes=_queue_attributes(attributes) if raw else None,
            validate_group_id=False,
            **fifo,
        )
        return None

    def notification(self, topic_arn: str, message: str, message_id: str, **more: Any) -> Any:
        """The fields that every kind of subscriber is sent."""
        moment = datetime.fromtimestamp(self._account.clock.time(), UTC)
        given = {
            "Subject": more.get("subject"),
            "MessageAttributes": {
                name: {"Type": value["Type"], "Value": value["Value"]}
                for name, value in (more.get("message_attributes") or {}).items()
            },
        }
        return {
            "Type": "Notification",
            "MessageId": message_id or str(uuid.uuid4()),
            "TopicArn": topic_arn,
            "Message": message,
            "Timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **{name: value for name, value in given.items() if value},
        }

    def _mail(self, address: str, notification: Mapping[str, Any]) -> None:
        self.outbox.append(
            Email(
                address,
                notification["TopicArn"],
                notification.get("Subject", ""),
                notification["Message"],
                self._account.clock.time(),
            )
        )

    def _put(self, subscription: Any, body: str) -> None:
        redrive = subscription.attributes.get("RedrivePolicy")
        policy = json.loads(redrive) if isinstance(redrive, str) else redrive or {}
        self._deliveries.put(
            Delivery(
                send=lambda attempt: self._send(subscription, body),
                body=body,
                origin_arn=subscription.arn,
                target_arn=subscription.endpoint,
                dead_letter_arn=policy.get("deadLetterTargetArn"),
                max_retries=3,
            )
        )

    def _send(self, subscription: Any, body: str) -> None:
        if not subscription.protocol.startswith("http"):
            self._targets.send(subscription.endpoint, body, {})
            return
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "x-amz-sns-message-type": "Notification",
            "x-amz-sns-topic-arn": subscription.topic.arn,
            "x-amz-sns-subscription-arn": subscription.arn,
        }
        answer = requests.post(
            subscription.endpoint, data=body.encode(), headers=headers, timeout=WEB_HOOK_TIMEOUT
        )
        if answer.status_code >= 400:
            raise DeliveryError("HTTP_ERROR", f"HTTP {answer.status_code}", retryable=True)


def _publish_with(topics: Topics, original: Any) -> Any:
    def publish(
        subscription: Any,
        message: str,
        message_id: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        message_structure: str | None = None,
    ) -> None:
        matcher = subscription._filter_policy_matcher
        if matcher is not None and not matcher.matches(message_attributes, message):
            return
        text = message
        if message_structure == "json":
            text = subscription._parse_message_structure(message, subscription.protocol)
        notification = topics.notification(
            subscription.topic.arn,
            text,
            message_id,
            subject=subject,
            message_attributes=message_attributes,
        )
        if subscription.protocol == "sqs":
            fifo = {"group_id": group_id, "deduplication_id": deduplication_id}
            topics.to_queue(subscription, notification, fifo)
        elif not topics.deliver(subscription, notification):
            original(
                subscription,
                message,
                message_id,
                subject,
                message_attributes,
                group_id,
                deduplication_id,
                message_structure,
            )

    return publish


def _envelope(subscription: Any, notification: Mapping[str, Any]) -> dict[str, Any]:
    """What queues and web hooks are sent."""
    region = subscription.topic.arn.split(":")[3]
    host = f"https://sns.{region}.amazonaws.com"
    return {
        **notification,
        "SignatureVersion": "1",
        "Signature": SIGNATURE,
        "SigningCertURL": f"{host}/SimpleNotificationService-0000.pem",
        "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription.arn}",
    }


def _record(subscription: Any, notification: Mapping[str, Any]) -> dict[str, Any]:
    """What a function is sent: two names are spelled in another way, and none is left out."""
    envelope = {"Subject": None, "MessageAttributes": {}, **_envelope(subscription, notification)}
    envelope["SigningCertUrl"] = envelope.pop("SigningCertURL")
    envelope["UnsubscribeUrl"] = envelope.pop("UnsubscribeURL")
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": envelope,
    }


def _queue_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "DataType": value["Type"],
            "BinaryValue" if value["Type"].startswith("Binary") else "StringValue": value["Value"]
            if value["Type"].startswith("Binary")
            else str(value["Value"]),
        }
        for name, value in attributes.items()
    }
