"""The Resource Groups Tagging API of moto, which also knows the simulated SageMaker's tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Tagged = Callable[[], "list[tuple[str, dict[str, str]]]"]


def install(sagemaker: Tagged) -> None:
    """GetResources goes on with what `sagemaker` tells: ARNs and their tags."""
    from moto.core.resource_tagging import TaggedResource, make_tag_matcher, match_resource_type
    from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend as Backend

    by_moto = getattr(Backend, "_of_moto", Backend._get_resources_generator)

    def resources(
        backend: Any,
        tag_filters: list[dict[str, Any]] | None = None,
        resource_type_filters: list[str] | None = None,
        resource_arn_list: list[str] | None = None,
    ) -> Iterator[TaggedResource]:
        yield from by_moto(backend, tag_filters, resource_type_filters, resource_arn_list)
        matches = make_tag_matcher(tag_filters)
        for arn, tags in sagemaker():
            kind = "sagemaker:" + arn.rpartition(":")[2].partition("/")[0]
            asked = not resource_arn_list or arn in resource_arn_list
            if asked and match_resource_type(kind, resource_type_filters) and matches(tags):
                yield TaggedResource(arn=arn, tags=tags, resource_type=kind)

    Backend._of_moto = by_moto
    Backend._get_resources_generator = resources
