"""Reads container logs from CloudWatch, where SageMaker puts them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ..endpoints.container_log import LogLine
from ..endpoints.kinds import log_group
from ..endpoints.names import ResourceNames
from ..spec import Kind
from .clients import client, error_code

_MOST_LINES = 3000
_LINES_PER_CALL = 1000
# CloudWatch searches every stream that there ever was, and most of its pages may be empty.
_MOST_PAGES = 20
# No container has said anything yet: SageMaker makes the group with the first line. Or others read
# too many logs just now (10 calls a second): the next look reads again, and no start ends for it.
_LATER = {"ResourceNotFoundException", "ThrottlingException", "ServiceUnavailableException"}
# Copies that serve write a line or two for each request, and a bounded read must get past them.
_NOT_OF_A_START = '-"200 OK" -"Received request" -"Added request"'


class CloudWatchContainerLogs:
    """ContainerLogs of the endpoints whose names start with the stack's."""

    def __init__(self, prefix: str, logs: Any = None) -> None:
        self._prefix = prefix
        self._logs = logs or client("logs")

    def read(self, name: str, since: datetime, kind: Kind = Kind.COMPONENT) -> list[LogLine]:
        group = log_group(kind, ResourceNames(self._prefix, name))
        asked: dict[str, Any] = {
            "logGroupName": group,
            "startTime": int(since.timestamp() * 1000),
            "limit": _LINES_PER_CALL,
            "filterPattern": _NOT_OF_A_START,
        }
        lines: list[LogLine] = []
        try:
            for _page in range(_MOST_PAGES):
                page = self._logs.filter_log_events(**asked)
                lines += map(_line, page["events"])
                if "nextToken" not in page or len(lines) >= _MOST_LINES:
                    break
                asked["nextToken"] = page["nextToken"]
        except ClientError as error:
            if error_code(error) not in _LATER:
                raise
        return sorted(lines, key=lambda line: line.at)


def _line(event: dict[str, Any]) -> LogLine:
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, tz=UTC)
    return LogLine(moment, event.get("logStreamName", ""), event.get("message", ""))
