"""What a simulated SageMaker consists of: endpoints, variants, instances, components, copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tools.embedded.sagemaker.load import Load

Members = dict[str, Any]


def types_of(config: Mapping[str, Any]) -> list[str]:
    """Of a production variant, in the order in which they are tried."""
    if "InstancePools" in config:
        pools = sorted(config["InstancePools"], key=lambda pool: pool["Priority"])
        return [pool["InstanceType"] for pool in pools]
    return [config["InstanceType"]]


class CopyStatus(StrEnum):
    WAITING = "waiting"  # for an instance
    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"
    GONE = "gone"


@dataclass(eq=False)
class Instance:
    """There from `asked` to `gone`; useful from `ready`."""

    id: str
    type: str
    variant: Variant
    asked: float
    ready: float
    gone: float | None = None
    idle_since: float | None = None
    has_hosted: bool = False
    copies: list[Copy] = field(default_factory=list)


@dataclass(eq=False)
class Copy:
    """One copy of a component's container; `version` is that of the specification it runs."""

    component: Component
    version: int
    load: Load
    status: CopyStatus = CopyStatus.WAITING
    instance: Instance | None = None

    @property
    def stays(self) -> bool:
        return self.status in (CopyStatus.WAITING, CopyStatus.STARTING, CopyStatus.READY)

    @property
    def stale(self) -> bool:
        """Of an older specification, or on an instance type that the variant no longer has."""
        wrong_type = (
            self.instance is not None and self.instance.type not in self.component.variant.types
        )
        return self.version != self.component.version or wrong_type


@dataclass(eq=False)
class Component:
    """An inference component; or, `hidden`, the model that a classic variant names."""

    name: str
    variant: Variant
    specifications: list[Members]
    desired: int
    created: float
    modified: float
    hidden: bool = False
    many: bool = False  # created with Specifications, one for each instance type
    status: str = "Creating"
    failure: str | None = None
    version: int = 1
    versions: int = 1
    rolling: Rolling | None = None
    change: int = 0  # counts changes, so that a deadline knows whether it is still meant
    was_up: bool = False
    short: bool = False  # in service with fewer copies than desired, which still are looked for
    copies: list[Copy] = field(default_factory=list)
    timeline: list[tuple[float, int, int]] = field(default_factory=list)

    @property
    def ready(self) -> list[Copy]:
        return [copy for copy in self.copies if copy.status is CopyStatus.READY]

    def specification(self, instance_type: str | None = None) -> Members:
        """That for an instance type, or the first."""
        for one in self.specifications:
            if one.get("InstanceType") == instance_type and instance_type is not None:
                return one
        return self.specifications[0]

    @property
    def base(self) -> str | None:
        """An adapter's base component."""
        return self.specifications[0].get("BaseInferenceComponentName")


@dataclass
class Rolling:
    """An update under way, with what it returns to when it fails."""

    batch: int
    before: list[Members]
    before_version: int


@dataclass(eq=False)
class Variant:
    """A production variant of a live endpoint; `config` is as the endpoint config has it."""

    endpoint: Endpoint
    config: Mapping[str, Any]
    weight: float
    initial: int
    instances: list[Instance] = field(default_factory=list)
    model: Component | None = None  # of a classic variant
    short_since: float | None = None  # since when capacity is missing
    retrying: bool = False

    @property
    def name(self) -> str:
        return str(self.config["VariantName"])

    @property
    def types(self) -> list[str]:
        """In the order in which they are tried."""
        return types_of(self.config)

    @property
    def managed(self) -> bool:
        return bool(self.scaling.get("Status") == "ENABLED")

    @property
    def scaling(self) -> Members:
        return dict(self.config.get("ManagedInstanceScaling") or {})

    @property
    def least(self) -> int:
        return int(self.scaling.get("MinInstanceCount", 1)) if self.managed else self.initial

    @property
    def most(self) -> int:
        if self.managed:
            return int(self.scaling.get("MaxInstanceCount", max(1, self.initial)))
        return self.initial

    @property
    def alive(self) -> list[Instance]:
        return [instance for instance in self.instances if instance.gone is None]


@dataclass(eq=False)
class Endpoint:
    """A live endpoint; `config` is a copy, since the config itself may be deleted."""

    name: str
    config: Members
    created: float
    modified: float
    status: str = "Creating"
    failure: str | None = None
    change: int = 0  # counts waits for instances, as a component counts changes
    deployment: Members | None = None
    before: tuple[Members, list[tuple[Mapping[str, Any], int]]] | None = None
    variants: list[Variant] = field(default_factory=list)

    @property
    def instances(self) -> list[Instance]:
        return [instance for variant in self.variants for instance in variant.instances]
