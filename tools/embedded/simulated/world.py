"""Endpoints, instances, inference components and copies, brought up to the present at each look.

Delays are in simulated seconds; their sum from a request to a copy that serves is 245 s. What
SageMaker does not document is chosen here and said: an instance that lost its last copy leaves
after 60 s; one that never had a copy after 15 min; a copy that finds no capacity within 10 min
fails a creation, and ends an update with fewer copies than desired.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.embedded.types import Clock

NO_CAPACITY = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."
)


@dataclass(frozen=True)
class SimSettings:
    """How long things take, in simulated seconds."""

    instance: float = 105
    container: float = 60
    weights: float = 80
    copy_leaves: float = 20
    idle_instance: float = 60
    unused_instance: float = 900
    endpoint: float = 120
    delete: float = 30
    provision_timeout: float = 600


@dataclass
class Instance:
    """Billed from `asked` to `gone`."""

    id: str
    type: str
    asked: float
    ready: float
    gone: float | None = None
    idle_since: float | None = None
    has_served: bool = False


@dataclass
class Copy:
    """One copy of a component; on no instance while there is no capacity."""

    asked: float
    instance: Instance | None = None
    ready: float | None = None
    leaving: float | None = None
    in_flight: int = 0

    def serves(self, now: float) -> bool:
        return self.ready is not None and self.ready <= now and self.leaving is None


@dataclass
class Component:
    """An inference component."""

    name: str
    endpoint: str
    arguments: dict[str, Any]
    desired: int
    created: float
    accelerators: int
    changed: float
    status: str = "Creating"
    failure: str | None = None
    deleting: float | None = None
    copies: list[Copy] = field(default_factory=list)

    def current(self, now: float) -> int:
        return sum(copy.serves(now) for copy in self.copies)


@dataclass
class Endpoint:
    """An endpoint and every instance that it ever had."""

    name: str
    config: dict[str, Any]
    created: float
    status: str = "Creating"
    failure: str | None = None
    deleting: float | None = None
    instances: list[Instance] = field(default_factory=list)

    @property
    def variant(self) -> dict[str, Any]:
        return self.config["ProductionVariants"][0]

    @property
    def types(self) -> list[str]:
        """Instance types in the order in which they are tried."""
        pools = sorted(self.variant.get("InstancePools", ()), key=lambda p: p.get("Priority", 1))
        return [pool["InstanceType"] for pool in pools] or [self.variant["InstanceType"]]

    @property
    def limits(self) -> tuple[int, int]:
        """Fewest and most instances."""
        managed = self.variant.get("ManagedInstanceScaling", {})
        if managed.get("Status") != "ENABLED":
            count = self.variant.get("InitialInstanceCount", 1)
            return count, count
        return managed.get("MinInstanceCount", 1), managed.get("MaxInstanceCount", 1)

    def alive(self) -> list[Instance]:
        return [instance for instance in self.instances if instance.gone is None]


class World:
    """Everything that exists; `lock` guards it. `capacity` limits instances by type."""

    def __init__(
        self,
        clock: Clock,
        settings: SimSettings,
        accelerators: Mapping[str, int],
        on_status: Callable[[Endpoint], None],
    ) -> None:
        self.clock, self.settings = clock, settings
        self.lock = threading.RLock()
        self.endpoints: dict[str, Endpoint] = {}
        self.components: dict[str, Component] = {}
        self.removed: list[Endpoint] = []
        self.capacity: dict[str, int] = {}
        self._accelerators = accelerators
        self._on_status = on_status
        self._numbers = itertools.count(1)

    def settle(self) -> float:
        """Brings everything up to now, which is returned."""
        with self.lock:
            now = self.clock.time()
            for endpoint in list(self.endpoints.values()):
                self._settle_endpoint(endpoint, now)
            for component in list(self.components.values()):
                self._settle_component(component, now)
            for endpoint in self.endpoints.values():
                self._release_idle(endpoint, now)
            return now

    def ask_for_instance(self, endpoint: Endpoint, now: float) -> Instance | None:
        """A new instance of the first type that has capacity, or None."""
        if len(endpoint.alive()) >= endpoint.limits[1]:
            return None
        for kind in endpoint.types:
            in_use = sum(i.type == kind for e in self.endpoints.values() for i in e.alive())
            if in_use < self.capacity.get(kind, in_use + 1):
                ready = now + self.settings.instance
                instance = Instance(f"i-{next(self._numbers):08x}", kind, now, ready)
                endpoint.instances.append(instance)
                return instance
        return None

    def _settle_endpoint(self, endpoint: Endpoint, now: float) -> None:
        if endpoint.status == "Creating" and now >= endpoint.created + self.settings.endpoint:
            if not endpoint.instances:
                endpoint.status, endpoint.failure = "Failed", NO_CAPACITY
                self._on_status(endpoint)
            elif all(instance.ready <= now for instance in endpoint.alive()):
                endpoint.status = "InService"
                self._on_status(endpoint)
        gone = (endpoint.deleting or now) + self.settings.delete
        if endpoint.deleting is not None and now >= gone:
            for instance in endpoint.alive():
                instance.gone = gone
            self.removed.append(self.endpoints.pop(endpoint.name))

    def _settle_component(self, component: Component, now: float) -> None:
        leave = self.settings.copy_leaves
        component.copies = [
            copy for copy in component.copies if copy.leaving is None or now < copy.leaving + leave
        ]
        if component.deleting is not None:
            if now >= component.deleting + self.settings.delete and not component.copies:
                del self.components[component.name]
            return
        staying = [copy for copy in component.copies if copy.leaving is None]
        for copy in staying[component.desired :]:
            copy.leaving = now
        missing = max(0, component.desired - len(staying))
        component.copies += [Copy(now) for _ in range(missing)]
        endpoint = self.endpoints.get(component.endpoint)
        if endpoint is not None and endpoint.status == "InService":
            self._place(endpoint, component, now)
        self._judge(component, now)

    def _place(self, endpoint: Endpoint, component: Component, now: float) -> None:
        for copy in component.copies:
            if copy.instance is None and copy.leaving is None:
                copy.instance = self._room(endpoint, component, now)
                if copy.instance is not None:
                    start = max(copy.instance.ready, now)
                    copy.ready = start + self.settings.container + self.settings.weights

    def _room(self, endpoint: Endpoint, component: Component, now: float) -> Instance | None:
        for instance in endpoint.alive():
            used = sum(
                other.accelerators
                for other in self.components.values()
                for copy in other.copies
                if copy.instance is instance
            )
            if used + component.accelerators <= self._accelerators.get(instance.type, 1):
                return instance
        return self.ask_for_instance(endpoint, now)

    def _judge(self, component: Component, now: float) -> None:
        if component.status not in ("Creating", "Updating"):
            return
        leaving = any(copy.leaving is not None for copy in component.copies)
        homeless = any(c.instance is None and c.leaving is None for c in component.copies)
        if component.current(now) == component.desired and not leaving:
            component.status, component.failure = "InService", None
        elif homeless and now > component.changed + self.settings.provision_timeout:
            component.status = "Failed" if component.status == "Creating" else "InService"
            component.failure = NO_CAPACITY

    def _release_idle(self, endpoint: Endpoint, now: float) -> None:
        used = {id(copy.instance) for one in self.components.values() for copy in one.copies}
        for instance in endpoint.alive():
            if id(instance) in used:
                instance.idle_since, instance.has_served = None, True
                continue
            if instance.idle_since is None:
                instance.idle_since = now
            patience = (
                self.settings.idle_instance
                if instance.has_served
                else self.settings.unused_instance
            )
            if now - instance.idle_since >= patience and len(endpoint.alive()) > endpoint.limits[0]:
                instance.gone = now
