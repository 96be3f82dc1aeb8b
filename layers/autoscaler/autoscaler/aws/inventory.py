"""Lists what of the account could be the stack's: by its names' prefix, or by its tag.

By names: one call a hundred resources and kind. By tag: `GetResources`, one call a hundred
resources, for SageMaker resources that somebody named otherwise. The tags of all that is listed
would cost a call each; they are asked for only of what belongs to no endpoint (`details`), and
from the service itself, because the tagging API is eventually consistent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..control.sweep import Kind, Resource
from ..control.sweeping import Look, NotOursError
from ..endpoints.names import ALARM_SUFFIXES
from ..endpoints.tags import STACK, may_be_deleted
from .clients import client
from .details import GoneError, detailed
from .removal import remove

_QUEUES_A_PAGE = 1000  # without it SQS gives no second page
_NAMES_A_PAGE = 100  # SageMaker gives ten unless asked
_SAGEMAKER = {
    Kind.ENDPOINT: ("list_endpoints", "Endpoints", "Endpoint"),
    Kind.COMPONENT: ("list_inference_components", "InferenceComponents", "InferenceComponent"),
    Kind.CONFIG: ("list_endpoint_configs", "EndpointConfigs", "EndpointConfig"),
    Kind.MODEL: ("list_models", "Models", "Model"),
}
_TAGGED = {
    "endpoint": Kind.ENDPOINT,
    "inference-component": Kind.COMPONENT,
    "endpoint-config": Kind.CONFIG,
    "model": Kind.MODEL,
}


class AwsAccount:
    """The sweep's Account with boto3. `dispatcher` is the function that reads all queues."""

    def __init__(
        self, prefix: str, dispatcher: str, clients: Callable[[str], Any] = client
    ) -> None:
        self._prefix, self._dispatcher, self._clients = prefix, dispatcher, clients

    def look(self) -> Look:
        found: dict[tuple[Kind, str], Resource] = {}
        problems: list[str] = []
        listings: dict[str, Callable[[], Iterator[Resource]]] = {
            **{f"{kind}s": partial(self._sagemaker, kind) for kind in _SAGEMAKER},
            "scalable targets": self._targets,
            "queues": self._queues,
            "event source mappings": self._mappings,
            "alarms": self._alarms,
            "tagged resources": self._tagged,
        }
        for what, listing in listings.items():
            try:
                for one in listing():
                    found.setdefault((one.kind, one.name), one)
            except (ClientError, BotoCoreError) as error:
                problems.append(f"{what} could not be listed: {error}")
        return Look(tuple(found.values()), tuple(problems))

    def describe(self, resources: Sequence[Resource]) -> Look:
        known: list[Resource] = []
        problems: list[str] = []
        for resource in resources:
            try:
                known.append(detailed(self._clients, resource))
            except GoneError:
                continue
            except (ClientError, BotoCoreError) as error:
                problems.append(f"{resource.kind} {resource.name} could not be read: {error}")
                known.append(resource)
        return Look(tuple(known), tuple(problems))

    def remove(self, resource: Resource) -> None:
        try:
            now = detailed(self._clients, resource)
        except GoneError:
            return
        if now.key != resource.key or not may_be_deleted(now.tags or {}, self._prefix):
            raise NotOursError("it is not any more what was to be removed")
        if now.messages:
            raise NotOursError("requests have come into it")
        remove(self._clients, now)

    def _pages(self, service: str, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        yield from self._clients(service).get_paginator(operation).paginate(**arguments)

    def _sagemaker(self, kind: Kind) -> Iterator[Resource]:
        operation, members, word = _SAGEMAKER[kind]
        pages = self._pages(
            "sagemaker",
            operation,
            NameContains=f"{self._prefix}-",
            PaginationConfig={"PageSize": _NAMES_A_PAGE},
        )
        for page in pages:
            for one in page[members]:
                if one[f"{word}Name"].startswith(f"{self._prefix}-"):
                    yield Resource(
                        kind,
                        one[f"{word}Name"],
                        arn=one[f"{word}Arn"],
                        parent=one["EndpointName"] if kind is Kind.COMPONENT else "",
                        created_at=one["CreationTime"],
                        status=one.get(f"{word}Status", ""),
                    )

    def _tagged(self) -> Iterator[Resource]:
        pages = self._pages(
            "resourcegroupstaggingapi",
            "get_resources",
            TagFilters=[{"Key": STACK, "Values": [self._prefix]}],
            ResourceTypeFilters=[f"sagemaker:{kind}" for kind in _TAGGED],
        )
        for page in pages:
            for one in page["ResourceTagMappingList"]:
                arn = one["ResourceARN"]
                word, _, name = arn.rpartition(":")[2].partition("/")
                if word in _TAGGED:
                    yield Resource(_TAGGED[word], name, arn=arn)

    def _targets(self) -> Iterator[Resource]:
        pages = self._pages(
            "application-autoscaling", "describe_scalable_targets", ServiceNamespace="sagemaker"
        )
        for page in pages:
            for one in page["ScalableTargets"]:
                parent = one["ResourceId"].split("/")[1]
                if parent.startswith(f"{self._prefix}-"):
                    yield Resource(
                        Kind.TARGET,
                        one["ResourceId"],
                        parent=parent,
                        created_at=one["CreationTime"],
                    )

    def _queues(self) -> Iterator[Resource]:
        pages = self._pages(
            "sqs",
            "list_queues",
            QueueNamePrefix=f"{self._prefix}-",
            PaginationConfig={"PageSize": _QUEUES_A_PAGE},
        )
        for page in pages:
            for url in page.get("QueueUrls", ()):
                yield Resource(Kind.QUEUE, url.rpartition("/")[2], arn=url)

    def _mappings(self) -> Iterator[Resource]:
        pages = self._pages("lambda", "list_event_source_mappings", FunctionName=self._dispatcher)
        for page in pages:
            for one in page["EventSourceMappings"]:
                yield Resource(
                    Kind.MAPPING,
                    one["UUID"],
                    arn=one.get("EventSourceMappingArn", ""),
                    parent=one["EventSourceArn"].rpartition(":")[2],
                    created_at=one["LastModified"],
                    status=one.get("State", ""),
                )

    def _alarms(self) -> Iterator[Resource]:
        pages = self._pages("cloudwatch", "describe_alarms", AlarmNamePrefix=f"{self._prefix}-")
        for page in pages:
            for one in page["MetricAlarms"]:
                if one["AlarmName"].endswith(ALARM_SUFFIXES):  # the controller has others
                    yield Resource(
                        Kind.ALARM,
                        one["AlarmName"],
                        arn=one["AlarmArn"],
                        created_at=one["AlarmConfigurationUpdatedTimestamp"],
                    )
