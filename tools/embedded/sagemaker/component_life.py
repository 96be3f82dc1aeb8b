"""The states of an inference component, and how many copies it gets.

Chosen where SageMaker does not say:
* A creation that finds no capacity (or whose container fails) ends `Failed`, without copies.
* A change of the copy count that finds none goes back to `InService` after the variant's timeout,
  with a FailureReason and CurrentCopyCount below DesiredCopyCount; it is tried on until it comes.
* An update of the specification starts new copies first, in batches, and lets old ones go as new
  ones come up; when that fails the old specification is put back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tools.embedded.sagemaker import words
from tools.embedded.sagemaker.copies import Copies
from tools.embedded.sagemaker.fleet import Fleet
from tools.embedded.sagemaker.things import (
    Component,
    CopyStatus,
    Endpoint,
    Instance,
    Members,
    Rolling,
)
from tools.embedded.sagemaker.world import World

_CHANGING = ("Creating", "Updating")


class ComponentLife:
    """`on_change` is told of an endpoint one of whose components changed."""

    def __init__(self, world: World, fleet: Fleet, copies: Copies) -> None:
        self._world, self._fleet, self._copies = world, fleet, copies
        self.on_change: Callable[[Endpoint], None] = lambda _endpoint: None
        copies.changed = self.adjust
        copies.failed = self._copy_failed

    def begin(self, component: Component) -> None:
        """After a creation."""
        self._world.record(component)
        self._expect(component)
        self.adjust(component)

    def set_copies(self, component: Component, count: int) -> None:
        """Moves the copy count, as the API and Application Auto Scaling do."""
        if count == component.desired:
            return
        component.desired = count
        self._changed(component)

    def replace(self, component: Component, specifications: list[Members], batch: int) -> None:
        """Rolls out another specification."""
        component.rolling = Rolling(batch, component.specifications, component.version)
        component.specifications = specifications
        component.versions += 1
        component.version = component.versions
        self._changed(component)

    def move(self, component: Component) -> None:
        """The variant's instance types changed: copies on others are replaced."""
        if any(copy.stale for copy in component.copies):
            batch = max(1, component.desired)
            before = component.specifications
            component.rolling = Rolling(batch, before, component.version)
            self._changed(component)

    def delete(self, component: Component) -> None:
        component.status, component.modified = "Deleting", self._world.now
        component.change += 1
        for copy in list(component.copies):
            self._copies.retire(copy)
        self._world.agenda.after(self._world.settings.delete, partial(self.adjust, component))

    def adjust(self, component: Component) -> None:
        """Brings copies towards what is desired, and the status towards what is."""
        if component.status == "Deleting":
            self._finish_delete(component)
            return
        if component.status != "Failed":
            self._roll(component) if component.rolling else self._size(component)
            self._fleet.place(component.variant)
            self._judge(component)
        self._world.record(component)
        self.on_change(component.variant.endpoint)

    def lost(self, instance: Instance) -> None:
        """An instance died under its copies: each component gets others."""
        hit = {copy.component for copy in instance.copies}
        for copy in list(instance.copies):
            copy.status = CopyStatus.LEAVING
            self._copies.remove(copy)
        for component in hit:
            self.adjust(component)

    def give_up(self, component: Component, why: str) -> None:
        """A creation fails; an update goes back, or is left with what there is."""
        component.failure, component.modified = why, self._world.now
        if component.status == "Creating":
            component.status = "Failed"
            for copy in list(component.copies):
                self._copies.retire(copy)
        elif component.rolling is not None:
            self._roll_back(component)
        elif component.status == "Updating":
            component.status, component.short = "InService", True
        self._world.record(component)

    def _changed(self, component: Component) -> None:
        component.status, component.failure = "Updating", None
        component.modified = self._world.now
        self._expect(component)
        self._world.record(component)
        self.adjust(component)

    def _expect(self, component: Component) -> None:
        """Gives up on what has found no instance by the deadline."""
        component.change += 1
        change = component.change

        def look() -> None:
            waits = any(copy.status is CopyStatus.WAITING for copy in component.copies)
            if component.change == change and component.status in _CHANGING and waits:
                short = component.variant.short_since is not None
                self.give_up(component, words.NO_CAPACITY if short else words.NO_ROOM)
                self.adjust(component)

        self._world.agenda.after(self._fleet.deadline(component.variant), look)

    def _size(self, component: Component) -> None:
        staying = [copy for copy in component.copies if copy.stays]
        for _ in range(component.desired - len(staying)):
            self._copies.add(component)
        surplus = len(staying) - component.desired
        if surplus > 0:
            order = (CopyStatus.WAITING, CopyStatus.STARTING, CopyStatus.READY)
            now = self._world.now
            staying.sort(key=lambda copy: (order.index(copy.status), copy.load.outstanding(now)))
            for copy in staying[:surplus]:
                self._copies.retire(copy)

    def _roll(self, component: Component) -> None:
        rolling = component.rolling
        assert rolling is not None
        old = [copy for copy in component.copies if copy.stays and copy.stale]
        new = [copy for copy in component.copies if copy.stays and not copy.stale]
        up = sum(copy.status is CopyStatus.READY for copy in new)
        for copy in old[: max(0, len(old) + up - component.desired)]:
            self._copies.retire(copy)
        for _ in range(min(component.desired, up + rolling.batch) - len(new)):
            self._copies.add(component)
        if not any(copy.stale for copy in component.copies if copy.stays):
            component.rolling = None
            self._size(component)

    def _roll_back(self, component: Component) -> None:
        rolling = component.rolling
        assert rolling is not None
        component.rolling, component.status = None, "InService"
        component.specifications = rolling.before
        component.version = rolling.before_version
        for copy in list(component.copies):
            if copy.version != component.version or copy.status is CopyStatus.WAITING:
                self._copies.retire(copy)

    def _judge(self, component: Component) -> None:
        settled = all(copy.status is CopyStatus.READY for copy in component.copies)
        right = len(component.copies) == component.desired and component.rolling is None
        if settled and right and component.status in _CHANGING:
            component.status, component.failure = "InService", None
            component.modified = self._world.now
            component.short = False
        elif settled and right and component.short:
            component.short, component.failure = False, None

    def _copy_failed(self, component: Component, why: str) -> None:
        self.give_up(component, why)

    def _finish_delete(self, component: Component) -> None:
        world = self._world
        if component.copies or world.now < component.modified + world.settings.delete:
            return
        if world.components.get(component.name) is component:
            component.desired = 0
            world.record(component)
            world.gone_components.setdefault(component.name, []).extend(component.timeline)
            del world.components[component.name]
            world.tags.pop(world.arn("inference-component", component.name), None)
