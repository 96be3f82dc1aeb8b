"""Inference components: create, describe, list, update, copy count, delete."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tools.embedded.sagemaker import words
from tools.embedded.sagemaker.component_life import ComponentLife
from tools.embedded.sagemaker.fleet import Fleet
from tools.embedded.sagemaker.listing import listed
from tools.embedded.sagemaker.tag_api import keep_tags
from tools.embedded.sagemaker.things import Component, Endpoint, Members, Variant
from tools.embedded.sagemaker.world import World
from tools.embedded.shapes import invalid

_KIND = "inference component"


class ComponentApi:
    """An adapter (BaseInferenceComponentName) has no copies of its own: its base's serve it."""

    def __init__(self, world: World, fleet: Fleet, life: ComponentLife) -> None:
        self._world, self._fleet, self._life = world, fleet, life

    def create_inference_component(self, given: Members) -> Members:
        world, name = self._world, given["InferenceComponentName"]
        arn = world.arn("inference-component", name)
        words.refuse_existing(world.components, name, _KIND, arn)
        endpoint = world.endpoints.get(given["EndpointName"])
        if endpoint is None:
            raise words.not_found("endpoint", world.arn("endpoint", given["EndpointName"]))
        variant = _variant(endpoint, given.get("VariantName"))
        specifications = _specifications(given)
        copies = self._first_copies(given, specifications)
        component = Component(name, variant, specifications, copies, world.now, world.now)
        component.many = "Specifications" in given
        self._check(component)
        world.components[name] = component
        keep_tags(world, arn, given)
        self._life.begin(component)
        return {"InferenceComponentArn": arn}

    def describe_inference_component(self, given: Members) -> Members:
        component = self.find(given["InferenceComponentName"])
        shown: Members = {**self._summary(component), "FailureReason": component.failure}
        summaries = [self._specification(one, component) for one in component.specifications]
        if component.many:
            shown["Specifications"] = summaries
        else:
            shown["Specification"] = summaries[0]
        if component.base is None:
            placed = Counter(copy.instance.type for copy in component.ready if copy.instance)
            shown["RuntimeConfig"] = {
                "DesiredCopyCount": component.desired,
                "CurrentCopyCount": len(component.ready),
                "PlacementStatus": [
                    {"InstanceType": one, "CurrentCopyCount": count}
                    for one, count in placed.items()
                ]
                or None,
            }
        return shown

    def list_inference_components(self, given: Members) -> Members:
        rows = [self._summary(component) for component in self._world.components.values()]
        page, token = listed(rows, given, "InferenceComponentName")
        return {"InferenceComponents": page, "NextToken": token}

    def update_inference_component(self, given: Members) -> Members:
        component, arn = self._find_idle(given["InferenceComponentName"], "update")
        count = given.get("RuntimeConfig", {}).get("CopyCount", component.desired)
        _refuse_batch(given, count)
        if "Specification" in given or "Specifications" in given:
            specifications = _specifications(given)
            trial = Component(
                component.name, component.variant, specifications, count, 0, 0,
                many="Specifications" in given,
            )  # fmt: skip
            self._check(trial)
            component.desired, component.many = count, trial.many
            self._life.replace(component, specifications, _batch(given, count))
        else:
            self._life.set_copies(component, count)
        return {"InferenceComponentArn": arn}

    def update_inference_component_runtime_config(self, given: Members) -> Members:
        component, arn = self._find_idle(given["InferenceComponentName"], "update")
        if component.base is not None:
            raise invalid(f'Adapter {_KIND} "{arn}" has no copies of its own.')
        self._life.set_copies(component, given["DesiredRuntimeConfig"]["CopyCount"])
        return {"InferenceComponentArn": arn}

    def delete_inference_component(self, given: Members) -> None:
        component = self.find(given["InferenceComponentName"])
        arn = self._world.arn("inference-component", component.name)
        words.refuse_busy(component.status, "delete", _KIND, arn)
        adapters = [
            one.name for one in self._world.components.values() if one.base == component.name
        ]
        if adapters:
            raise invalid(f'Cannot delete {_KIND} "{arn}" while adapters use it: {adapters}.')
        self._life.delete(component)

    def find(self, name: str) -> Component:
        if name not in self._world.components:
            raise words.not_found(_KIND, self._world.arn("inference-component", name))
        return self._world.components[name]

    def _find_idle(self, name: str, verb: str) -> tuple[Component, str]:
        component = self.find(name)
        arn = self._world.arn("inference-component", name)
        accepts = not self._world.settings.refuse_update_while_updating
        if not (accepts and component.status == "Updating"):
            words.refuse_busy(component.status, verb, _KIND, arn)
        if component.status == "Failed":
            raise invalid(f'Cannot {verb} {_KIND} "{arn}" while it is in status Failed.')
        return component, arn

    def _first_copies(self, given: Members, specifications: list[Members]) -> int:
        if "BaseInferenceComponentName" in specifications[0]:
            if "RuntimeConfig" in given:
                raise invalid("An adapter inference component takes no RuntimeConfig.")
            return 0
        if "RuntimeConfig" not in given:
            raise invalid("RuntimeConfig is required.")
        return int(given["RuntimeConfig"]["CopyCount"])

    def _check(self, component: Component) -> None:
        for one in component.specifications:
            if "BaseInferenceComponentName" in one:
                self.find(one["BaseInferenceComponentName"])
                continue
            if ("ModelName" in one) == ("Image" in one.get("Container", {})):
                raise invalid("Give exactly one of ModelName and Container.Image.")
            if "ModelName" in one and one["ModelName"] not in self._world.models:
                raise words.not_found("model", self._world.arn("model", one["ModelName"]))
            if "ComputeResourceRequirements" not in one:
                raise invalid("ComputeResourceRequirements is required.")
        if component.base is None and not self._fleet.fits_any(component):
            raise invalid(
                "There are not enough hardware resources on the instances of variant "
                f"{component.variant.name} ({', '.join(component.variant.types)}) for a copy."
            )

    def _summary(self, component: Component) -> Members:
        world, endpoint = self._world, component.variant.endpoint
        return {
            "InferenceComponentName": component.name,
            "InferenceComponentArn": world.arn("inference-component", component.name),
            "EndpointName": endpoint.name,
            "EndpointArn": world.arn("endpoint", endpoint.name),
            "VariantName": component.variant.name,
            "InferenceComponentStatus": component.status,
            "CreationTime": component.created,
            "LastModifiedTime": component.modified,
        }

    def _specification(self, given: Members, component: Component) -> Members:
        """As it is described: the image that was resolved instead of the one asked for."""
        shown: dict[str, Any] = {k: v for k, v in given.items() if k != "Container"}
        container = dict(given.get("Container", {}))
        image = container.pop("Image", None)
        if image is not None:
            container["DeployedImage"] = {
                "SpecifiedImage": image,
                "ResolvedImage": image,
                "ResolutionTime": component.created,
            }
        if container:
            shown["Container"] = container
        return shown


def _variant(endpoint: Endpoint, name: str | None) -> Variant:
    if endpoint.status not in ("InService", "Updating"):
        raise invalid(f'Endpoint "{endpoint.name}" is in status {endpoint.status}, not InService.')
    if name is None and len(endpoint.variants) > 1:
        raise invalid("VariantName is required for an endpoint with several variants.")
    found = [one for one in endpoint.variants if name in (None, one.name)]
    if not found:
        raise invalid(f'Variant "{name}" does not exist on endpoint "{endpoint.name}".')
    if found[0].model is not None:
        raise invalid(f"Variant {found[0].name} names a model: it hosts no inference components.")
    return found[0]


def _specifications(given: Members) -> list[Members]:
    if ("Specification" in given) == ("Specifications" in given):
        raise invalid("Give exactly one of Specification and Specifications.")
    found: list[Members] = given.get("Specifications") or [given["Specification"]]
    types = [one.get("InstanceType") for one in found]
    if len(found) > 1 and (None in types or len(set(types)) < len(types)):
        raise invalid("Each of several Specifications needs an InstanceType of its own.")
    return found


def _refuse_batch(given: Members, count: int) -> None:
    """ "The value must be between 5% to 50% of the copy count" (API reference, MaximumBatchSize):
    one copy, or none, cannot be rolled."""
    size = given.get("DeploymentConfig", {}).get("RollingUpdatePolicy", {}).get("MaximumBatchSize")
    if size is None:
        return
    whole = count if size["Type"] == "COPY_COUNT" else 100
    if not 0.05 * whole <= int(size["Value"]) <= 0.5 * whole:
        raise invalid(
            f"MaximumBatchSize must be between 5% and 50% of the copy count {count} of the "
            "inference component."
        )


def _batch(given: Members, count: int) -> int:
    policy = given.get("DeploymentConfig", {}).get("RollingUpdatePolicy", {})
    size = policy.get("MaximumBatchSize")
    if size is None:
        return max(1, count)
    if size["Type"] == "COPY_COUNT":
        return int(size["Value"])
    return max(1, count * int(size["Value"]) // 100)
