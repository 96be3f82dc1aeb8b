"""Which copy answers a request, by the three routing strategies; and that there is none."""

from __future__ import annotations

import random

from tools.embedded.sagemaker.counts import Counts
from tools.embedded.sagemaker.things import Component, Copy, Endpoint, Variant
from tools.embedded.sagemaker.world import World
from tools.embedded.shapes import ServiceError

_SERVING = ("InService", "Updating", "RollingBack")
_NO_CAPACITY = (
    "Inference Component {} has no capacity to process this request. ApplicationAutoScaling may "
    "be in-progress (if configured) or try to increase the capacity by invoking "
    "UpdateInferenceComponentRuntimeConfig API."
)
_NO_COMPONENT = (
    "Inference Component Name header is required for endpoints to which you plan to deploy "
    "inference components. Please include Inference Component Name header or consider using "
    "SageMaker models."
)
_PREFIX_LENGTH = 1024
_PREFIX_CONCURRENCY = 16


class Router:
    """All methods want the world's lock to be held."""

    def __init__(self, world: World, counts: Counts) -> None:
        self._world, self._counts = world, counts
        self._random = random.Random(0)

    def endpoint(self, name: str) -> Endpoint:
        endpoint = self._world.endpoints.get(name)
        if endpoint is None or endpoint.status not in _SERVING:
            message = f"Endpoint {name} of account {self._world.account_id} not found."
            raise ServiceError("ValidationError", message)
        return endpoint

    def component(self, endpoint: Endpoint, name: str | None, variant: str | None) -> Component:
        """The component asked for, or the model of a variant."""
        if all(one.model is None for one in endpoint.variants):
            if name is None:
                raise ServiceError("ValidationError", _NO_COMPONENT)
            found = self._world.components.get(name)
            if found is None or found.variant.endpoint is not endpoint:
                message = f"Inference Component {name} of endpoint {endpoint.name} not found."
                raise ServiceError("ValidationError", message)
            return found
        if name is not None:
            message = f"Endpoint {endpoint.name} does not host inference components."
            raise ServiceError("ValidationError", message)
        chosen = self._variant(endpoint, variant)
        assert chosen.model is not None
        return chosen.model

    def copy(self, component: Component, body: bytes) -> Copy:
        """Raises ServiceError, and counts it, when none is in service."""
        owner = component
        if component.base is not None:
            owner = self._world.components.get(component.base, component)
        if not owner.ready:
            self._counts.of(component.name).no_capacity += 1
            raise ServiceError("ValidationError", _NO_CAPACITY.format(component.name))
        routing = owner.variant.config.get("RoutingConfig", {})
        strategy = routing.get("RoutingStrategy", "RANDOM")
        now = self._world.now
        if strategy == "RANDOM":
            return self._random.choice(owner.ready)
        if strategy == "PREFIX_AWARE":
            settings = routing.get("PrefixAwareRoutingConfig", {})
            prefix = body[: settings.get("PrefixLength", _PREFIX_LENGTH)]
            copy = random.Random(prefix).choice(owner.ready)
            if copy.load.outstanding(now) < settings.get(
                "ConcurrencyThreshold", _PREFIX_CONCURRENCY
            ):
                return copy
        return min(owner.ready, key=lambda one: one.load.outstanding(now))

    def _variant(self, endpoint: Endpoint, name: str | None) -> Variant:
        if name is None:
            weights = [variant.weight for variant in endpoint.variants]
            if not any(weights):
                return endpoint.variants[0]
            return self._random.choices(endpoint.variants, weights)[0]
        found = next((one for one in endpoint.variants if one.name == name), None)
        if found is None:
            message = f"Variant {name} of endpoint {endpoint.name} not found."
            raise ServiceError("ValidationError", message)
        return found
