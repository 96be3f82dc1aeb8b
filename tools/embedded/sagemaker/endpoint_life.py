"""The states of an endpoint, and its variants' instances at creation, update and deletion.

A classic variant (one that names a model) is run as a hidden component with one copy an instance.
An update puts new copies beside the old ones and takes those away when the new ones are up; when
that fails, the old config is put back and the endpoint is InService with a FailureReason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tools.embedded.sagemaker import words
from tools.embedded.sagemaker.component_life import ComponentLife
from tools.embedded.sagemaker.fleet import Fleet
from tools.embedded.sagemaker.things import Component, Endpoint, Instance, Members, Variant
from tools.embedded.sagemaker.world import World

KEPT = ("VariantInstanceCount", "VariantWeight")  # what an update may retain of a variant


class EndpointLife:
    """`announce` is told of every change of status."""

    def __init__(self, world: World, fleet: Fleet, components: ComponentLife) -> None:
        self._world, self._fleet, self._components = world, fleet, components
        self.announce: Callable[[Endpoint], None] = lambda _endpoint: None
        fleet.on_instance = self.judge
        components.on_change = self.judge

    def begin(self, endpoint: Endpoint) -> None:
        """After a creation."""
        world = self._world
        world.endpoints[endpoint.name] = endpoint
        self.announce(endpoint)
        for config in endpoint.config["ProductionVariants"]:
            self._add_variant(endpoint, config)
        world.agenda.after(world.settings.endpoint, lambda: self.judge(endpoint))
        self._expect(endpoint)

    def update(self, endpoint: Endpoint, config: Members, keep: Collection[str]) -> None:
        """`keep` names what the variants retain, of KEPT."""
        kept = [(variant.config, variant.initial) for variant in endpoint.variants]
        endpoint.before = (endpoint.config, kept)
        endpoint.config = config
        self._set_status(endpoint, "Updating")
        endpoint.failure = None
        named = {one["VariantName"]: one for one in config["ProductionVariants"]}
        for variant in list(endpoint.variants):
            if variant.name in named:
                self._change_variant(variant, named.pop(variant.name), keep)
            else:
                self._drop_variant(variant)
        for one in named.values():
            self._add_variant(endpoint, one)
        self._world.agenda.after(self._world.settings.delete, lambda: self.judge(endpoint))

    def set_instances(self, variant: Variant, count: int) -> None:
        """Moves a classic variant's instances, as the API and Application Auto Scaling do."""
        assert variant.model is not None
        variant.initial = count
        if count != variant.model.desired:
            self._set_status(variant.endpoint, "Updating")
            self._components.set_copies(variant.model, count)

    def touch(self, endpoint: Endpoint) -> None:
        """An update that changes nothing that takes time."""
        self._set_status(endpoint, "Updating")
        self._world.agenda.after(1, lambda: self.judge(endpoint))

    def delete(self, endpoint: Endpoint) -> None:
        self._set_status(endpoint, "Deleting")
        self._world.agenda.after(self._world.settings.delete, lambda: self._remove(endpoint))

    def lost(self, instance: Instance) -> None:
        """An instance died. A creation waits for another one, as long as for the first."""
        variant = instance.variant
        if variant.endpoint.status == "Creating" and variant.model is None:
            self._fleet.ensure(variant, variant.initial)
            self._expect(variant.endpoint)

    def judge(self, endpoint: Endpoint) -> None:
        """Whether what was begun is done."""
        if endpoint.status == "Creating":
            soonest = endpoint.created + self._world.settings.endpoint
            models = [variant.model for variant in endpoint.variants if variant.model]
            failed = next((one for one in models if one.status == "Failed"), None)
            if failed is not None:
                self._fail(endpoint, failed.failure or words.NO_CAPACITY)
            elif self._world.now >= soonest and all(map(self._created, endpoint.variants)):
                self._set_status(endpoint, "InService")
        elif endpoint.status == "Updating" and all(map(self._updated, endpoint.variants)):
            self._finish_update(endpoint)

    def _created(self, variant: Variant) -> bool:
        if variant.model is not None:
            return variant.model.status == "InService"
        ready = sum(one.ready <= self._world.now for one in variant.alive)
        return ready >= variant.initial

    def _updated(self, variant: Variant) -> bool:
        return all(
            component.status == "InService" and component.rolling is None
            for component in self._world.components_of(variant)
            if component.hidden or component.rolling is not None
        )

    def _finish_update(self, endpoint: Endpoint) -> None:
        models = [variant.model for variant in endpoint.variants if variant.model]
        why = next((model.failure for model in models if model.failure), None)
        if why is not None and endpoint.before is not None:
            config, kept = endpoint.before
            endpoint.config, endpoint.failure = config, why
            for variant, (old, initial) in zip(endpoint.variants, kept, strict=False):
                variant.config, variant.initial = old, initial
                if variant.model is not None:
                    variant.model.desired = initial
        endpoint.before = None
        self._set_status(endpoint, "InService")

    def _set_status(self, endpoint: Endpoint, status: str) -> None:
        endpoint.modified = self._world.now
        if endpoint.status != status:
            endpoint.status = status
            self.announce(endpoint)

    def _expect(self, endpoint: Endpoint) -> None:
        longest = max(self._fleet.deadline(variant) for variant in endpoint.variants)
        endpoint.change += 1
        change = endpoint.change
        self._world.agenda.after(longest, lambda: self._give_up(endpoint, change))

    def _give_up(self, endpoint: Endpoint, change: int) -> None:
        short = any(v.short_since is not None for v in endpoint.variants if v.model is None)
        if endpoint.status == "Creating" and short and endpoint.change == change:
            self._fail(endpoint, words.NO_CAPACITY)

    def _fail(self, endpoint: Endpoint, why: str) -> None:
        endpoint.failure = why
        self._set_status(endpoint, "Failed")
        for instance in endpoint.instances:
            self._fleet.release(instance)

    def _remove(self, endpoint: Endpoint) -> None:
        world = self._world
        for model in (variant.model for variant in endpoint.variants if variant.model):
            for copy in model.copies:
                copy.load.cut(world.now)
            world.gone_components.setdefault(model.name, []).extend(model.timeline)
        for instance in endpoint.instances:
            self._fleet.release(instance)
            world.gone_instances.append((endpoint.name, instance))
        del world.endpoints[endpoint.name]
        world.tags.pop(world.arn("endpoint", endpoint.name), None)

    def _add_variant(self, endpoint: Endpoint, config: Mapping[str, Any]) -> None:
        initial = config.get("InitialInstanceCount", 1)
        weight = config.get("InitialVariantWeight", 1.0)
        variant = Variant(endpoint, config, weight, initial)
        endpoint.variants.append(variant)
        if "ModelName" in config:
            variant.model = self._hidden(variant)
            self._components.begin(variant.model)
        else:
            self._fleet.ensure(variant, initial)

    def _hidden(self, variant: Variant) -> Component:
        now = self._world.now
        name = f"{variant.endpoint.name}/{variant.name}"
        specifications = _specifications(variant.config)
        return Component(name, variant, specifications, variant.initial, now, now, hidden=True)

    def _change_variant(
        self, variant: Variant, config: Mapping[str, Any], keep: Collection[str]
    ) -> None:
        before, variant.config = variant.config, config
        if "VariantWeight" not in keep:
            variant.weight = config.get("InitialVariantWeight", 1.0)
        if "VariantInstanceCount" not in keep:
            variant.initial = config.get("InitialInstanceCount", 1)
        model = variant.model
        if model is not None:
            if _specifications(before) != _specifications(config):
                model.desired = variant.initial
                self._components.replace(model, _specifications(config), max(1, model.desired))
            else:
                self._components.move(model)
                self._components.set_copies(model, variant.initial)
            return
        for component in self._world.components_of(variant):
            self._components.move(component)
        self._fleet.watch(variant)

    def _drop_variant(self, variant: Variant) -> None:
        variant.endpoint.variants.remove(variant)
        for instance in variant.instances:
            for copy in instance.copies:
                copy.load.cut(self._world.now)
            self._fleet.release(instance)
            self._world.gone_instances.append((variant.endpoint.name, instance))


def _specifications(config: Mapping[str, Any]) -> list[Members]:
    """Of a classic variant, as a component has them; a pool may name a model of its own."""
    startup = {
        key: config[key]
        for key in (
            "ModelDataDownloadTimeoutInSeconds",
            "ContainerStartupHealthCheckTimeoutInSeconds",
        )
        if key in config
    }
    shared: Members = {"ModelName": config["ModelName"], "StartupParameters": startup}
    pools = config.get("InstancePools", ())
    return [
        shared,
        *(
            {
                **shared,
                "InstanceType": pool["InstanceType"],
                "ModelName": pool.get("ModelNameOverride", config["ModelName"]),
            }
            for pool in pools
        ),
    ]
