"""Everything there is, one lock, one agenda; and the way out for events and metrics.

Whoever reads calls `look` first: it carries out what the clock has brought. Sinks are called by
`flush`, outside of the lock, because a sink may call back.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.embedded.sagemaker.agenda import Agenda
from tools.embedded.sagemaker.settings import SimSettings
from tools.embedded.sagemaker.things import Component, Endpoint, Instance, Members, Variant
from tools.embedded.types import Clock, Rights

_TYPES = Path(__file__).with_name("instance_types.json")
_UNKNOWN_TYPE = {"accelerators": 0, "memory_mib": 8192, "vcpus": 4}


class World:
    """The state of one account in one Region."""

    def __init__(self, clock: Clock, settings: SimSettings, region: str, account_id: str) -> None:
        self.clock, self.settings = clock, settings
        self.region, self.account_id = region, account_id
        self.acting: Rights | None = None  # None: every role may do everything
        self.lock = threading.RLock()
        self.agenda = Agenda(clock.time())
        self.models: dict[str, Members] = {}
        self.configs: dict[str, Members] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.components: dict[str, Component] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.scaled: set[str] = set()  # the ids of Application Auto Scaling's scalable targets
        self.gone_instances: list[tuple[str, Instance]] = []
        self.gone_components: dict[str, list[tuple[float, int, int]]] = {}
        self.capacity: dict[str, int] = {}
        # Why containers die, by component and instance type ("": on every type).
        self.broken: dict[tuple[str, str], str] = {}
        self.instance_types: dict[str, dict[str, int]] = json.loads(_TYPES.read_text())
        self._outbox: deque[Callable[[], None]] = deque()
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)

    @property
    def now(self) -> float:
        return self.agenda.now

    def look(self) -> float:
        """Brings everything up to the present, which is returned."""
        with self.lock:
            self.agenda.run_until(self.clock.time())
            return self.agenda.now

    def send(self, action: Callable[[], None]) -> None:
        """To be done by the next `flush`."""
        self._outbox.append(action)

    def flush(self) -> None:
        """In order, by one thread at a time; another's turn is not waited for."""
        while self._outbox and self._sending.acquire(blocking=False):
            try:
                while self._outbox:
                    self._outbox.popleft()()
            finally:
                self._sending.release()

    def arn(self, kind: str, name: str) -> str:
        """SageMaker writes names in small letters there, and nowhere else."""
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind}/{name.lower()}"

    def facts(self, instance_type: str) -> dict[str, int]:
        """Accelerators, memory and vCPUs of an instance type."""
        return self.instance_types.get(instance_type, _UNKNOWN_TYPE)

    def quota(self, instance_type: str) -> int:
        settings = self.settings
        return settings.quotas.get(instance_type, settings.default_quota)

    def in_use(self, instance_type: str) -> int:
        """Instances of a type in the whole account."""
        return sum(
            instance.type == instance_type and instance.gone is None
            for endpoint in self.endpoints.values()
            for instance in endpoint.instances
        )

    def why_broken(self, component: str, instance_type: str) -> str | None:
        """Why the component's containers die on instances of a type; None: they do not."""
        everywhere = self.broken.get((component, ""))
        return self.broken.get((component, instance_type), everywhere)

    def number(self) -> int:
        return next(self._numbers)

    def components_of(self, variant: Variant) -> list[Component]:
        """All that put copies on a variant's instances."""
        found = [one for one in self.components.values() if one.variant is variant]
        return [*found, variant.model] if variant.model else found

    def record(self, component: Component) -> None:
        """Notes desired and current copies when they changed."""
        entry = (self.now, component.desired, len(component.ready))
        if not component.timeline or component.timeline[-1][1:] != entry[1:]:
            component.timeline.append(entry)

    def all_of(self, kind: str) -> Mapping[str, object]:
        """All of a kind, as ARNs name it, by name."""
        kinds: dict[str, Mapping[str, object]] = {
            "model": self.models,
            "endpoint-config": self.configs,
            "endpoint": self.endpoints,
            "inference-component": self.components,
        }
        return kinds.get(kind, {})

    def role_of(self, specification: Members) -> str | None:
        """The role with which a specification's model is read; None: it names no model."""
        model = self.models.get(specification.get("ModelName", ""), {})
        role: str | None = model.get("ExecutionRoleArn")
        return role

    def model_of(self, specification: Members) -> Members:
        """The container of a specification: its model's, or its own."""
        model: Any = self.models.get(specification.get("ModelName", ""), {})
        found = model.get("PrimaryContainer") or (model.get("Containers") or [{}])[0]
        return {**found, **specification.get("Container", {})}
