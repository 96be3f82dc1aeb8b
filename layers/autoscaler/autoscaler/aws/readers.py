"""How many dispatchers at a time a queue may call: MaximumConcurrency of its mapping."""

from __future__ import annotations

from typing import Any

from ..endpoints.names import ResourceNames
from .clients import client


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
        found = self._lambda.list_event_source_mappings(
            EventSourceArn=self._arns + ResourceNames(self._prefix, name).queue,
            FunctionName=self._dispatcher,
        )["EventSourceMappings"]
        for mapping in found:
            if mapping.get("ScalingConfig", {}).get("MaximumConcurrency") != most:
                self._lambda.update_event_source_mapping(
                    UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": most}
                )
        return bool(found)
