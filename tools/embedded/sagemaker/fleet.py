"""Instances: asked for when copies need them, placed on, released when idle.

Pools are tried in order of priority; quota and capacity count per instance type. What cannot be
had is asked for again every `capacity_retry` seconds, for as long as somebody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tools.embedded.sagemaker.settings import SimSettings
from tools.embedded.sagemaker.things import (
    Component,
    Copy,
    CopyStatus,
    Endpoint,
    Instance,
    Variant,
)
from tools.embedded.sagemaker.world import World


class Fleet:
    """`on_instance` is told of an instance that came into service, `start` of a copy to start."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.start: Callable[[Copy], None] = _nothing
        self.on_instance: Callable[[Endpoint], None] = _nothing

    @property
    def _settings(self) -> SimSettings:
        return self._world.settings

    def ensure(self, variant: Variant, count: int) -> None:
        """Asks for instances until a variant has so many; the rest is tried again."""
        while len(variant.alive) < count and self._ask(variant):
            pass
        if len(variant.alive) < count:
            self._retry(variant)

    def place(self, variant: Variant) -> None:
        """Gives every waiting copy an instance, as far as there are any to be had."""
        waiting = [
            copy
            for component in self._world.components_of(variant)
            for copy in component.copies
            if copy.status is CopyStatus.WAITING
        ]
        short = False
        for copy in waiting:
            instance = self._room(copy)
            if instance is None and self._may_grow(copy):
                instance = self._ask(variant)
                short = short or instance is None
            if instance is not None:
                self._settle(copy, instance)
        if short:
            self._retry(variant)

    def fits_any(self, component: Component) -> bool:
        """Whether an empty instance of any of the variant's types can hold a copy."""
        world = self._world
        return any(
            all(need <= world.facts(one)[what] for what, need in needs(component, one).items())
            for one in component.variant.types
        )

    def leave(self, copy: Copy) -> None:
        """A copy is off its instance, which may now be idle."""
        instance, copy.instance = copy.instance, None
        if instance is not None:
            instance.copies.remove(copy)
            self._watch_idle(instance)

    def watch(self, variant: Variant) -> None:
        """To be called when a variant's least number of instances changed."""
        for instance in variant.alive:
            self._watch_idle(instance)

    def release(self, instance: Instance) -> None:
        if instance.gone is None:
            instance.gone = self._world.now

    def deadline(self, variant: Variant) -> float:
        """How long capacity is looked for, in seconds."""
        each = variant.config.get("VariantInstanceProvisionTimeoutInSeconds")
        seconds = float(each or self._settings.capacity_timeout)
        return seconds if self._settings.skip_empty_pools else seconds * len(variant.types)

    def _may_grow(self, copy: Copy) -> bool:
        component, variant = copy.component, copy.component.variant
        if component.hidden:
            return True  # as many instances as copies
        useful = [one for one in variant.alive if one.type in variant.types]
        return len(useful) < variant.most and self.fits_any(component)

    def _ask(self, variant: Variant) -> Instance | None:
        world = self._world
        for instance_type in self._types_to_try(variant):
            used = world.in_use(instance_type)
            available = min(world.capacity.get(instance_type, used + 1), world.quota(instance_type))
            if used < available:
                variant.short_since = None
                instance = Instance(
                    f"i-{world.number():017x}",
                    instance_type,
                    variant,
                    world.now,
                    world.now + self._settings.instance,
                )
                variant.instances.append(instance)
                world.agenda.at(instance.ready, partial(self._arrived, instance))
                return instance
        variant.short_since = variant.short_since or world.now
        return None

    def _types_to_try(self, variant: Variant) -> list[str]:
        if self._settings.skip_empty_pools or variant.short_since is None:
            return variant.types if self._settings.skip_empty_pools else variant.types[:1]
        patience = self.deadline(variant) / len(variant.types)
        passed = int((self._world.now - variant.short_since) // patience)
        return variant.types[: 1 + passed]

    def _retry(self, variant: Variant) -> None:
        if variant.retrying:
            return
        variant.retrying = True

        def again() -> None:
            variant.retrying = False
            if variant.endpoint.status in ("Deleting", "Failed"):
                return
            if variant.endpoint.status == "Creating" and not variant.model:
                self.ensure(variant, variant.initial)
            self.place(variant)

        self._world.agenda.after(self._settings.capacity_retry, again)

    def _arrived(self, instance: Instance) -> None:
        if instance.gone is not None:
            return
        for copy in instance.copies:
            self.start(copy)
        if not instance.copies:
            self._watch_idle(instance)
        self.on_instance(instance.variant.endpoint)

    def _room(self, copy: Copy) -> Instance | None:
        variant = copy.component.variant
        found = [
            instance
            for instance in variant.alive
            if instance.type in variant.types and self._holds(instance, copy.component)
        ]
        scheduling = copy.component.specification().get("SchedulingConfig", {})
        packed = scheduling.get("PlacementStrategy") == "BINPACK"
        found.sort(key=lambda one: -len(one.copies) if packed else len(one.copies))
        return found[0] if found else None

    def _holds(self, instance: Instance, component: Component) -> bool:
        if component.hidden:
            return not instance.copies
        facts, wanted = self._world.facts(instance.type), needs(component, instance.type)
        for what, need in wanted.items():
            used = sum(needs(copy.component, instance.type)[what] for copy in instance.copies)
            if used + need > facts[what]:
                return False
        return True

    def _settle(self, copy: Copy, instance: Instance) -> None:
        copy.instance, copy.status = instance, CopyStatus.STARTING
        instance.copies.append(copy)
        instance.idle_since, instance.has_hosted = None, True
        if instance.ready <= self._world.now:
            self.start(copy)

    def _watch_idle(self, instance: Instance) -> None:
        if instance.copies or instance.gone is not None:
            return
        world = self._world
        since = instance.idle_since = world.now
        if instance.variant.model is not None:
            patience = 0.0  # a classic variant's instance goes with its container
        elif instance.has_hosted:
            patience = self._settings.idle_instance
        else:
            patience = self._settings.unused_instance

        def look() -> None:
            variant = instance.variant
            least = len(variant.model.copies) if variant.model else variant.least
            if instance.idle_since == since and len(variant.alive) > least:
                self.release(instance)

        world.agenda.after(patience, look)


def needs(component: Component, instance_type: str) -> dict[str, float]:
    """What one copy takes of an instance of that type."""
    asked = component.specification(instance_type).get("ComputeResourceRequirements", {})
    return {
        "accelerators": asked.get("NumberOfAcceleratorDevicesRequired", 0),
        "memory_mib": asked.get("MinMemoryRequiredInMb", 128),
        "vcpus": asked.get("NumberOfCpuCoresRequired", 0),
    }


def _nothing(_thing: object) -> None:
    """Until the engine is put together."""
