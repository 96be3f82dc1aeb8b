"""SNS: e-mail, and whatever else a topic has for readers."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ..alerts.message import Message
from ..alerts.plain import subject, text
from ..alerts.sinks import RetryLater, SinkRejectedError
from .clients import client, error_code

_RETRY_SECONDS = 30.0
_GONE = "there is no such topic: name another one in the secret"
_DENIED = "notify may not publish there: add its ARN to AlertTopicArns and deploy"
_MEND = {
    "NotFound": _GONE,
    "NotFoundException": _GONE,
    "AuthorizationError": _DENIED,
    "AuthorizationErrorException": _DENIED,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "KMSAccessDenied": "notify may not use the topic's key",
    "InvalidParameter": "the topic's ARN is of another Region or malformed",
}


class TopicSink:
    """Publishes to one topic. `only_if_read`: refuses while nobody has confirmed a subscription,
    because SNS takes such a message and throws it away."""

    def __init__(self, arn: str, *, only_if_read: bool = False, sns: Any = None) -> None:
        self._arn, self._only_if_read = arn, only_if_read
        self._sns = sns or client("sns")

    def send(self, message: Message) -> None:
        """Raises SinkRejectedError, or RetryLater when SNS is busy."""
        try:
            if self._only_if_read and not self._is_read():
                raise SinkRejectedError("nobody has confirmed a subscription of the alarm topic")
            self._sns.publish(
                TopicArn=self._arn,
                Subject=subject(message),
                Message=text(message),
                MessageAttributes={
                    "severity": {"DataType": "String", "StringValue": message.severity.value}
                },
            )
        except ClientError as error:
            code = error_code(error)
            if code not in _MEND:
                raise RetryLater(_RETRY_SECONDS) from error
            raise SinkRejectedError(
                f"SNS did not take it for topic {self._arn.rpartition(':')[2]!r} ({code}): "
                f"{_MEND[code]}"
            ) from None

    def _is_read(self) -> bool:
        """Whether somebody has confirmed; a page has a hundred subscriptions."""
        pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=self._arn)
        found = (one for page in pages for one in page["Subscriptions"])
        return any(one["SubscriptionArn"].startswith("arn:") for one in found)


class NoTopic:
    """The last resort of a stack without one."""

    def send(self, message: Message) -> None:
        raise SinkRejectedError("the stack has no alarm topic")
