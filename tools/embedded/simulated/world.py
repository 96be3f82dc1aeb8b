"""Endpoints, instances, inference components and copies, moved on to the present on every look."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SimSettings:
    """Delays in simulated seconds; together 245 s from a request to serving (FACTS: 5 min measured)."""

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
    id: str
    type: str
    asked: float
    ready: float
    gone: float | None = None
    idle_since: float | None = None


@dataclass
class Copy:
    asked: float
    instance: Instance | None = None
    ready: float | None = None
    leaving: float | None = None
    in_flight: int = 0
    placed: float | None = None


@dataclass
class Component:
    name: str
    endpoint: str
    args: dict
    desired: int
    created: float
    accelerators: int
    copies: list[Copy] = field(default_factory=list)
    status: str = "Creating"
    failure: str | None = None
    changed: float = 0
    timeline: list[tuple[float, int, int]] = field(default_factory=list)
    deleting: float | None = None

    def current(self, now):
        return sum(
            1 for c in self.copies if c.ready is not None and c.ready <= now and c.leaving is None
        )


@dataclass
class Endpoint:
    name: str
    config: dict
    created: float
    instances: list[Instance] = field(default_factory=list)
    status: str = "Creating"
    deleting: float | None = None
    failure: str | None = None

    def alive(self):
        return [i for i in self.instances if i.gone is None]


class World:
    def __init__(self, clock, settings: SimSettings, gpus: dict[str, int], on_event):
        self.clock, self.settings, self.gpus, self.on_event = clock, settings, gpus, on_event
        self.endpoints: dict[str, Endpoint] = {}
        self.components: dict[str, Component] = {}
        self.gone: list[Endpoint] = []
        self.capacity: dict[str, int] = {}
        self.lock = threading.RLock()
        self.ids = itertools.count(1)

    def types(self, e):
        v = e.config["ProductionVariants"][0]
        return [
            p["InstanceType"]
            for p in sorted(v.get("InstancePools", []), key=lambda p: p.get("Priority", 1))
        ] or [v["InstanceType"]]

    def bounds(self, e):
        v = e.config["ProductionVariants"][0]
        m = v.get("ManagedInstanceScaling", {})
        if m.get("Status") != "ENABLED":
            n = v.get("InitialInstanceCount", 1)
            return n, n
        return m.get("MinInstanceCount", 1), m.get("MaxInstanceCount", 1)

    def new_instance(self, e, now):
        if len(e.alive()) >= self.bounds(e)[1]:
            return None
        for t in self.types(e):
            used = sum(1 for x in self.endpoints.values() for i in x.alive() if i.type == t)
            if t in self.capacity and used >= self.capacity[t]:
                continue
            i = Instance(f"i-{next(self.ids):08x}", t, now, now + self.settings.instance)
            e.instances.append(i)
            return i
        return None

    def settle(self):
        with self.lock:
            now = self.clock.time()
            for e in list(self.endpoints.values()):
                self._endpoint(e, now)
            for c in list(self.components.values()):
                self._component(c, now)
            for e in list(self.endpoints.values()):
                self._instances(e, now)
            return now

    def _endpoint(self, e, now):
        if (
            e.status == "Creating"
            and now >= e.created + self.settings.endpoint
            and (not e.alive() or all(i.ready <= now for i in e.alive()))
        ):
            if not e.instances:
                e.status, e.failure = (
                    "Failed",
                    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error.",
                )
            else:
                e.status = "InService"
            self.on_event(e)
        if e.deleting is not None and now >= e.deleting + self.settings.delete:
            for i in e.alive():
                i.gone = e.deleting + self.settings.delete
            del self.endpoints[e.name]
            self.gone.append(e)

    def _component(self, c, now):
        s, e = self.settings, self.endpoints.get(c.endpoint)
        before = c.current(now)
        for k in list(c.copies):
            if k.leaving is not None and now >= k.leaving + s.copy_leaves:
                c.copies.remove(k)
        if c.deleting is not None:
            if now >= c.deleting + s.delete and not c.copies:
                del self.components[c.name]
            return
        stay = [k for k in c.copies if k.leaving is None]
        for k in stay[c.desired :]:
            k.leaving = now
        for _ in range(c.desired - len(stay)):
            c.copies.append(Copy(now))
        if e is not None and e.status == "InService":
            for k in [k for k in c.copies if k.leaving is None and k.instance is None]:
                k.instance = self._place(e, c, now)
                if k.instance:
                    k.placed = now
                    k.ready = max(k.instance.ready, now) + s.container + s.weights
        current = c.current(now)
        waiting = any(k.leaving is not None for k in c.copies)
        if current == c.desired and not waiting:
            if c.status in ("Creating", "Updating"):
                c.status, c.failure = "InService", None
        elif (
            c.status in ("Creating", "Updating")
            and now > c.changed + s.provision_timeout
            and any(k.instance is None and k.leaving is None for k in c.copies)
        ):
            c.failure = "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."
            c.status = "Failed" if c.status == "Creating" else "InService"
        point = (c.desired, current)
        if not c.timeline or c.timeline[-1][1:] != point:
            c.timeline.append((now, *point))

    def _place(self, e, c, now):
        for i in e.alive():
            used = sum(
                x.accelerators
                for x in self.components.values()
                for k in x.copies
                if k.instance is i
            )
            if used + c.accelerators <= self.gpus.get(i.type, 1):
                return i
        return self.new_instance(e, now)

    def _instances(self, e, now):
        low, _ = self.bounds(e)
        used = {id(k.instance) for c in self.components.values() for k in c.copies if k.instance}
        held = {id(k.instance) for c in self.components.values() for k in c.copies}
        for i in e.alive():
            if id(i) in used:
                i.idle_since = None
                i.served = True
                continue
            i.idle_since = i.idle_since if i.idle_since is not None else now
            limit = (
                self.settings.idle_instance
                if getattr(i, "served", False)
                else self.settings.unused_instance
            )
            if now - i.idle_since >= limit and len(e.alive()) > low:
                i.gone = now
