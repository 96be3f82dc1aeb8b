"""What can be scaled: copies of an inference component, instances of a classic variant."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.embedded.sagemaker import SageMakerService
from tools.embedded.sagemaker.things import Component
from tools.embedded.shapes import invalid

COPIES = "sagemaker:inference-component:DesiredCopyCount"
INSTANCES = "sagemaker:variant:DesiredInstanceCount"
_IDS = {
    COPIES: re.compile(r"inference-component/([a-zA-Z0-9-]+)"),
    INSTANCES: re.compile(r"endpoint/([a-zA-Z0-9-]+)/variant/([a-zA-Z0-9-]+)"),
}


@dataclass(frozen=True)
class Resource:
    """ResourceId and ScalableDimension, which belong together."""

    id: str
    dimension: str


class Capacities:
    """All methods want the world's lock to be held."""

    def __init__(self, sagemaker: SageMakerService) -> None:
        self._sagemaker = sagemaker

    def resource(self, namespace: str, resource_id: str, dimension: str) -> Resource:
        """Raises ServiceError for what is no resource of SageMaker's."""
        if namespace != "sagemaker" or dimension not in _IDS:
            raise invalid(
                f"Unsupported service namespace, resource type or scalable dimension: {namespace}, "
                f"{resource_id}, {dimension}"
            )
        if not _IDS[dimension].fullmatch(resource_id):
            raise invalid(f"Invalid resource ID {resource_id!r} for {dimension}")
        return Resource(resource_id, dimension)

    def require(self, resource: Resource) -> Component:
        """Raises ServiceError when there is no such thing."""
        found = self.component(resource)
        if found is None:
            kind = "Inference component" if resource.dimension == COPIES else "Endpoint variant"
            raise invalid(f"{kind} does not exist: {resource.id}")
        return found

    def component(self, resource: Resource) -> Component | None:
        """An inference component, or the hidden one of a variant."""
        found = _IDS[resource.dimension].fullmatch(resource.id)
        if found is None:
            return None
        if resource.dimension == COPIES:
            return self._sagemaker.find_component(found[1])
        variant = self._sagemaker.find_variant(found[1], found[2])
        return variant.model if variant else None

    def resource_of(self, component: Component) -> Resource:
        if component.hidden:
            endpoint = component.variant.endpoint.name
            return Resource(f"endpoint/{endpoint}/variant/{component.variant.name}", INSTANCES)
        return Resource(f"inference-component/{component.name}", COPIES)

    def set(self, component: Component, count: int) -> None:
        if component.hidden:
            self._sagemaker.set_instances(component.variant, count)
        else:
            self._sagemaker.set_copies(component, count)

    def least_possible(self, component: Component) -> int:
        """Zero is for inference components and for asynchronous variants."""
        asynchronous = "AsyncInferenceConfig" in component.variant.endpoint.config
        return 0 if not component.hidden or asynchronous else 1


def steady(component: Component) -> bool:
    """Whether SageMaker would take an update now."""
    if component.hidden and component.variant.endpoint.status != "InService":
        return False
    return component.status == "InService"
