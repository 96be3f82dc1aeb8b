"""What SageMaker uses of the rest of the account: objects in S3, topics of SNS, logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

Boto = Callable[[str], Any]


class Objects:
    """Objects by their s3:// address."""

    def __init__(self, boto: Boto) -> None:
        self._boto = boto

    def get(self, uri: str) -> bytes:
        bucket, key = _parts(uri)
        body: bytes = self._boto("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def put(self, uri: str, body: bytes) -> None:
        bucket, key = _parts(uri)
        self._boto("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def any_under(self, uri: str) -> bool:
        """Whether a prefix holds anything."""
        bucket, prefix = _parts(uri)
        try:
            listed = self._boto("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        except ClientError:
            return False  # no such bucket, or none that may be read
        return bool(listed.get("KeyCount"))


def publisher(boto: Boto) -> Callable[[str, dict[str, Any]], None]:
    """What publishes a message to a topic, as JSON."""

    def publish(topic: str, message: dict[str, Any]) -> None:
        boto("sns").publish(TopicArn=topic, Message=json.dumps(message))

    return publish


def log_writer(region: str, account_id: str) -> Callable[[str, str, float, str], None]:
    """What writes a line into a log stream; group and stream are made when they are missing."""

    def write(group: str, stream: str, seconds: float, line: str) -> None:
        from moto.logs.models import logs_backends

        backend = logs_backends[account_id][region]
        if group not in backend.groups:
            backend.create_log_group(group, {})
        if stream not in backend.groups[group].streams:
            backend.create_log_stream(group, stream)
        event = {"timestamp": int(seconds * 1000), "message": line}
        backend.groups[group].put_log_events(stream, [event])

    return write


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
