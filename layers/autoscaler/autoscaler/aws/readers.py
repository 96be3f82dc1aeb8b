"""How a queue is read: MaximumConcurrency of its mapping, and whether that is enabled."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ..endpoints.names import ResourceNames
from .clients import client, error_code

# While Lambda still enables or disables it.
_BUSY = "ResourceInUseException"


class MappedReaders:
    """QueueReaders over Lambda's event source mappings. `account_arn_prefix` is like
    `arn:aws:sqs:us-east-1:123456789012:`."""

    def __init__(
        self, prefix: str, dispatcher: str, account_arn_prefix: str, functions: Any = None
    ) -> None:
        self._prefix, self._dispatcher = prefix, dispatcher
        self._arns = account_arn_prefix
        self._lambda = functions or client("lambda")

    def set(self, name: str, most: int) -> bool:
        found = self._mappings(ResourceNames(self._prefix, name).queue)
        others = [
            one for one in found if one.get("ScalingConfig", {}).get("MaximumConcurrency") != most
        ]
        return bool(found) and self._changed(others, ScalingConfig={"MaximumConcurrency": most})

    def read_later(self, name: str, wanted: bool) -> bool:
        """An endpoint without such a queue has nothing to change."""
        found = self._mappings(ResourceNames(self._prefix, name).later_queue)
        return self._changed(found, Enabled=wanted)

    def _changed(self, mappings: list[Any], **change: Any) -> bool:
        try:
            for mapping in mappings:
                self._lambda.update_event_source_mapping(UUID=mapping["UUID"], **change)
        except ClientError as error:
            if error_code(error) == _BUSY:
                return False
            raise
        return True

    def _mappings(self, queue: str) -> list[Any]:
        pages = self._lambda.get_paginator("list_event_source_mappings").paginate(
            EventSourceArn=self._arns + queue, FunctionName=self._dispatcher
        )
        return [one for page in pages for one in page["EventSourceMappings"]]
