"""The endpoint spec: what the user wants, as written in `endpoints/<name>.yaml`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from .answers import Answers
from .budget import Budget
from .durations import Duration, KeepAlive, PatientDuration
from .kinds import Kind, misplaced, unshareable
from .numbers import Real, Whole
from .requests import OTHERS, Requests, Tenant, Tenants
from .schedule import Schedule
from .surroundings import Encryption, Network, Tags

InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
NAME_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
LONGEST_NAME = 40
Copies = Annotated[Whole, Field(ge=0, le=100)]
_NO_NUMBERS = frozenset({"nan", "inf", "+inf", "-inf", ".nan", ".inf", "+.inf", "-.inf"})


def _one_value(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise ValueError(f"{value!r} is not a text, a number, true or false")
    endless = isinstance(value, float) and not isfinite(value)
    # Containers are given texts, and read `nan` as YAML does not.
    if endless or (isinstance(value, str) and value.lower() in _NO_NUMBERS):
        raise ValueError(f"{value} is not a finite number")
    return value


Scalar = Annotated[str | int | float | bool, BeforeValidator(_one_value)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")


class Engine(StrEnum):
    """The serving containers we can configure."""

    VLLM = "vllm"
    TGI = "tgi"
    LMI = "lmi"
    SGLANG = "sglang"


class Source(StrEnum):
    """Where a copy loads its weights from."""

    S3 = "s3"  # staged, with a passport
    HUB = "hub"  # by the container itself, at each start


class Routing(StrEnum):
    """How SageMaker spreads requests over copies."""

    LEAST_OUTSTANDING_REQUESTS = "least_outstanding_requests"
    RANDOM = "random"
    PREFIX_AWARE = "prefix_aware"


class Model(_Part):
    """Which weights: a Hugging Face repository, at a branch, tag or commit."""

    id: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")
    ]
    revision: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")] = "main"
    trust_remote_code: bool = False
    source: Source = Source.S3

    @field_validator("id", "revision")
    @classmethod
    def _no_traversal(cls, value: str) -> str:
        if ".." in value:
            raise ValueError("'..' is not allowed")
        return value


class Serving(_Part):
    """How a copy serves: the container and its limits."""

    engine: Engine = Engine.VLLM
    image: str | None = None
    context_tokens: Annotated[Whole, Field(ge=256, le=1_048_576)] = 8192
    concurrency_per_copy: Annotated[Whole, Field(ge=1, le=1024)] = 16
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    routing: Routing = Routing.LEAST_OUTSTANDING_REQUESTS
    data_cache: bool = True  # image and weights stay on an instance between two copies


class Rung(_Part):
    """One way to place copies: machines in order of preference, accelerators of a copy."""

    types: Annotated[tuple[InstanceType, ...], Field(min_length=1, max_length=5)]
    accelerators_per_copy: Annotated[Whole, Field(ge=1, le=16)] | None = None
    cpus_per_copy: Annotated[Real, Field(ge=0.25, le=192)] | None = None  # None: not reserved
    # Of the host: weights live in accelerator memory, and large values are refused by SageMaker
    # as "not enough hardware resources".
    memory_mib_per_copy: Annotated[Whole, Field(ge=128, le=4_194_304)] = 1024

    @field_validator("types")
    @classmethod
    def _each_once(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(types)) != len(types):
            raise ValueError("an instance type is listed twice")
        return types


class Instances(Rung):
    """Which machines, and the alternatives when there is no capacity for them, in order."""

    alternatives: Annotated[tuple[Rung, ...], Field(max_length=4)] = ()
    # Endpoints that name the same shared machines are inference components of one SageMaker
    # endpoint, which has at most so many instances.
    shared: Annotated[str, Field(pattern=NAME_PATTERN, max_length=30)] | None = None
    max_instances: Annotated[Whole, Field(ge=1, le=100)] | None = None


class Scaling(_Part):
    """Bounds outside every window, and how demand and idleness are judged."""

    min_copies: Copies = 0
    max_copies: Annotated[Whole, Field(ge=1, le=100)] = 1
    target_concurrency: Annotated[Real, Field(gt=0, le=1024)] | None = None
    drain_target: PatientDuration = timedelta(minutes=2)
    keep_alive: KeepAlive = None
    stabilization_window: Duration = timedelta(minutes=5)
    waiting_usd_per_request_minute: Annotated[Decimal, Field(ge=0, le=100, decimal_places=6)] = (
        Decimal("0.01")
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_copies > self.max_copies:
            raise ValueError(
                f"min_copies {self.min_copies} is above max_copies {self.max_copies}; "
                "lower the one or raise the other"
            )
        return self


class EndpointSpec(_Part):
    """One endpoint. Frozen; unknown keys are refused.

    The name also names the SageMaker endpoint, its queue and its state machine executions
    (80 characters at most, of which a generation takes its share).
    """

    name: Annotated[str, Field(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]
    model: Model
    kind: Kind = Kind.COMPONENT
    instances: Instances
    serving: Serving = Serving()
    scaling: Scaling = Scaling()
    schedule: Schedule = Schedule()
    budget: Budget = Budget()
    fallback: Annotated[str, Field(pattern=NAME_PATTERN, max_length=LONGEST_NAME)] | None = None
    answers: Answers = Answers()
    requests: Requests = Requests()
    tenants: Tenants = Field(default_factory=dict)
    network: Network = Network()
    encryption: Encryption = Encryption()
    tags: Tags = Field(default_factory=dict)
    team: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$")] = "unassigned"

    @model_validator(mode="after")
    def _windows_fit_the_bounds(self) -> Self:
        for window in self.schedule.windows:
            own = window.max_copies
            max_copies = self.scaling.max_copies if own is None else own
            if window.min_copies > max_copies:
                raise ValueError(
                    f"window {window.name!r}: min_copies {window.min_copies} is above "
                    f"max_copies {max_copies}; lower the one or raise the other"
                )
        return self

    @model_validator(mode="after")
    def _target_is_reachable(self) -> Self:
        target = self.scaling.target_concurrency
        if target is not None and target > self.serving.concurrency_per_copy:
            raise ValueError(
                f"scaling.target_concurrency {target:g} is above serving.concurrency_per_copy "
                f"{self.serving.concurrency_per_copy}: a copy never gets there, so nothing would "
                "scale out"
            )
        return self

    @model_validator(mode="after")
    def _isolated_copies_load_from_s3(self) -> Self:
        if self.network.isolation and self.model.source is Source.HUB:
            raise ValueError(
                "network.isolation: an isolated container reaches no network, so it cannot load "
                "its weights, nor code that is trusted, from the Hub; leave model.source out, and "
                "they are staged"
            )
        return self

    @model_validator(mode="after")
    def _falls_back_to_another(self) -> Self:
        if self.fallback == self.name:
            raise ValueError(f"fallback: {self.name!r} cannot answer for itself; name another")
        return self

    @model_validator(mode="after")
    def _shared_machines_are_the_same_for_all(self) -> Self:
        if wrong := list(unshareable(self)):
            raise ValueError("; ".join(wrong))
        return self

    @model_validator(mode="after")
    def _keys_go_with_the_kind(self) -> Self:
        if wrong := list(misplaced(self)):
            raise ValueError("; ".join(wrong))
        return self

    def tenant(self, name: str | None) -> tuple[str, Tenant]:
        """Whose part a request has: its tenant's own, or that of all others together."""
        key = name if name in self.tenants else OTHERS
        return str(key), self.tenants.get(str(key), Tenant())

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The ladder: the instances themselves, then their alternatives."""
        return (self.instances, *self.instances.alternatives)

    def on_rung(self, rung: int) -> EndpointSpec:
        """The spec with the instances of one rung and no alternatives to them; of a rung that
        it does not have, the first's."""
        rung = rung if rung < len(self.rungs) else 0
        taken = self.rungs[rung]
        changes = {name: getattr(taken, name) for name in Rung.model_fields}
        changes["alternatives"] = ()
        return self.model_copy(update={"instances": self.instances.model_copy(update=changes)})

    @property
    def target_concurrency(self) -> float:
        """Requests per copy that scaling aims at; what a copy takes, unless said: beyond that
        they wait, and what waiting costs decides about another copy (docs/decisions/0005)."""
        return self.scaling.target_concurrency or float(self.serving.concurrency_per_copy)

    @property
    def highest_max_copies(self) -> int:
        """The most copies that any window allows."""
        return max(
            self.scaling.max_copies,
            *(window.max_copies or 0 for window in self.schedule.windows),
            0,
        )
