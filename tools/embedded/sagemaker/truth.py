"""What was really there and what it is billed for: to check a product's own books against."""

from __future__ import annotations

from tools.embedded.sagemaker.things import Instance
from tools.embedded.sagemaker.world import World

BilledInstance = tuple[str, str, str, float, float | None]


class Truth:
    """Reads the world; every answer is of the present."""

    def __init__(self, world: World) -> None:
        self._world = world

    def billed(self, endpoint_name: str | None = None) -> list[BilledInstance]:
        """Endpoint, type, id, start, end (None: still there) of every instance that ever was."""
        self._world.look()
        with self._world.lock:
            here = [
                (endpoint.name, instance)
                for endpoint in self._world.endpoints.values()
                for instance in endpoint.instances
            ]
            return [
                (name, one.type, one.id, self.start(one), one.gone)
                for name, one in [*self._world.gone_instances, *here]
                if endpoint_name in (None, name) and self._ever_billed(one)
            ]

    def seconds(self, endpoint_name: str | None = None) -> float:
        """Billed instance-seconds until now."""
        now = self._world.look()
        return sum((end or now) - start for *_, start, end in self.billed(endpoint_name))

    def instances_now(self) -> dict[str, int]:
        """Billed instances of each endpoint that has any."""
        now = self._world.look()
        counts: dict[str, int] = {}
        for name, _, _, start, end in self.billed():
            if end is None and start <= now:
                counts[name] = counts.get(name, 0) + 1
        return counts

    def timeline(self, component: str) -> list[tuple[float, int, int]]:
        """Time, desired and current copies, at each change; a namesake's before it first. Of a
        classic variant, `<endpoint>/<variant>`, its instances."""
        self._world.look()
        with self._world.lock:
            before = self._world.gone_components.get(component, [])
            variants = (v for one in self._world.endpoints.values() for v in one.variants)
            models = {v.model.name: v.model for v in variants if v.model}
            here = self._world.components.get(component) or models.get(component)
            return [*before, *(here.timeline if here else [])]

    def start(self, instance: Instance) -> float:
        settings = self._world.settings
        return instance.asked if settings.billed_from_request else instance.ready

    def _ever_billed(self, instance: Instance) -> bool:
        """Not what never came into service, when only service is billed."""
        end = self._world.now if instance.gone is None else instance.gone
        return self.start(instance) <= end
