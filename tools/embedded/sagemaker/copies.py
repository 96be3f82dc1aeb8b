"""The way of a copy: container, weights, in service, leaving, gone; and what goes wrong on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tools.embedded.sagemaker import container_log, words
from tools.embedded.sagemaker.container_log import ContainerLog
from tools.embedded.sagemaker.fleet import Fleet
from tools.embedded.sagemaker.load import Load
from tools.embedded.sagemaker.things import Component, Copy, CopyStatus, Members
from tools.embedded.sagemaker.world import World

# What the common servers call the number of requests that they work on at once.
_CONCURRENCY = (
    "SM_VLLM_MAX_NUM_SEQS",
    "SM_SGLANG_MAX_RUNNING_REQUESTS",
    "OPTION_MAX_ROLLING_BATCH_SIZE",
    "MAX_CONCURRENT_REQUESTS",
)


class Copies:
    """`changed` is told of a component one of whose copies came, went or failed."""

    def __init__(
        self,
        world: World,
        fleet: Fleet,
        weights: Callable[[str], bool] | None = None,
        log: ContainerLog | None = None,
    ) -> None:
        self._world, self._fleet, self._weights = world, fleet, weights
        self._log = log or ContainerLog(world, None)
        self.changed: Callable[[Component], None] = lambda _component: None
        self.failed: Callable[[Component, str], None] = lambda _component, _why: None
        fleet.start = self._start_container

    def add(self, component: Component) -> Copy:
        """A copy that waits for an instance."""
        container = self._world.model_of(component.specification())
        environment = container.get("Environment", {})
        asked = next((environment[key] for key in _CONCURRENCY if key in environment), "")
        settings = self._world.settings
        slots = int(asked) if asked.isdigit() and int(asked) else settings.concurrency
        copy = Copy(component, component.version, Load(slots, settings.longest_queue))
        component.copies.append(copy)
        return copy

    def retire(self, copy: Copy) -> None:
        """Takes no more requests; stays until `release` is over and it has answered."""
        if not copy.stays:
            return
        copy.status = CopyStatus.LEAVING
        if copy.instance is None:
            self.remove(copy)
            return
        now, settings = self._world.now, self._world.settings
        drained = min(copy.load.last_finish(now), now + settings.drain_limit)
        self._world.agenda.at(max(now + settings.release, drained), partial(self.remove, copy))

    def remove(self, copy: Copy) -> None:
        """At once; whatever it was answering breaks off."""
        if copy.status is CopyStatus.GONE:
            return
        copy.status = CopyStatus.GONE
        copy.load.cut(self._world.now)
        if copy in copy.component.copies:
            copy.component.copies.remove(copy)
        self._fleet.leave(copy)
        self.changed(copy.component)

    def _start_container(self, copy: Copy) -> None:
        component, settings = copy.component, self._world.settings
        startup = self._specification(copy).get("StartupParameters", {})
        seconds = settings.cached_container if self._cached(copy) else settings.container
        broken = self._world.why_broken(component.name, copy.instance.type if copy.instance else "")
        if broken is not None:
            limit = startup.get(
                "ContainerStartupHealthCheckTimeoutInSeconds", settings.health_check_timeout
            )
            why = words.unhealthy(component.name, broken)
            self._world.agenda.after(limit, partial(self._fail, copy, why))
            self._world.agenda.after(seconds, partial(self._log.crash_loop, copy, broken))
            return
        self._world.agenda.after(seconds, partial(self._load_weights, copy))

    def _load_weights(self, copy: Copy) -> None:
        if copy.status is not CopyStatus.STARTING:
            return
        self._log.write(copy, container_log.STARTED)
        missing = self._missing_weights(copy)
        if missing is not None:
            self._fail(copy, words.no_weights(missing))
            return
        settings = self._world.settings
        startup = self._specification(copy).get("StartupParameters", {})
        limit = startup.get("ModelDataDownloadTimeoutInSeconds", settings.download_timeout)
        seconds = settings.cached_weights if self._cached(copy) else settings.weights
        if seconds > limit:
            why = words.too_slow(copy.component.name, limit)
            self._world.agenda.after(limit, partial(self._fail, copy, why))
        else:
            self._world.agenda.after(seconds, partial(self._up, copy))

    def _up(self, copy: Copy) -> None:
        if copy.status is CopyStatus.STARTING:
            copy.status = CopyStatus.READY
            self._log.write(copy, container_log.SERVING)
            copy.component.was_up = True
            self.changed(copy.component)

    def _fail(self, copy: Copy, why: str) -> None:
        if copy.status is CopyStatus.STARTING:
            self.failed(copy.component, why)
            self.remove(copy)

    def _specification(self, copy: Copy) -> Members:
        return copy.component.specification(copy.instance.type if copy.instance else None)

    def _cached(self, copy: Copy) -> bool:
        caching = self._specification(copy).get("DataCacheConfig", {}).get("EnableCaching", False)
        return bool(caching and copy.component.was_up)

    def _missing_weights(self, copy: Copy) -> str | None:
        container = self._world.model_of(self._specification(copy))
        source = container.get("ModelDataSource", {}).get("S3DataSource", {})
        uri = source.get("S3Uri") or container.get("ModelDataUrl") or container.get("ArtifactUrl")
        if uri is None or self._weights is None:
            return None
        role = self._world.role_of(self._specification(copy))
        acting = self._world.acting
        readable = acting is None or acting.read(role, uri) is None
        return None if readable and self._weights(uri) else str(uri)
