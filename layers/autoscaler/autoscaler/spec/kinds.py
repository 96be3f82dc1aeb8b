"""What an endpoint is in SageMaker, and what of a spec does not go with it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from .endpoint import EndpointSpec


class Kind(StrEnum):
    """Each has its own way to zero."""

    COMPONENT = "component"  # an inference component: no copies
    REALTIME = "realtime"  # a variant that names its model: no endpoint, its config is kept
    ASYNC = "async"  # the same with a queue of SageMaker's: no instances

    @property
    def is_whole_instance(self) -> bool:
        """Whether a copy is an instance, with all its accelerators."""
        return self is not Kind.COMPONENT

    @property
    def sleeps_deleted(self) -> bool:
        """Whether SageMaker has no such endpoint while it is asleep."""
        return self is Kind.REALTIME


def misplaced(spec: EndpointSpec) -> Iterator[str]:
    """Yields a sentence for each key that the spec's kind has no use for.

    By value, not by what was written: a stored spec has every key.
    """
    if not spec.kind.is_whole_instance:
        return
    for key in ("cpus_per_copy", "memory_mib_per_copy"):
        if _differs(spec.instances, key):
            yield (
                f"instances.{key}: a copy of kind {spec.kind} is a whole instance, and nothing of "
                "it is set aside; leave the key out"
            )
    if spec.kind is Kind.ASYNC and _differs(spec.serving, "routing"):
        yield (
            "serving.routing: an async endpoint takes its requests from SageMaker's own queue; "
            "leave the key out"
        )
    if spec.kind is Kind.ASYNC and spec.answers.keep is not None:
        yield (
            "answers.keep: an async endpoint's answer may be older than the model that the file "
            "names when it comes; leave the key out"
        )


def unshareable(spec: EndpointSpec) -> Iterator[str]:
    """Yields a sentence for each key that does not go with machines shared with other endpoints,
    or with machines of its own."""
    machines = spec.instances
    if machines.shared is None:
        if machines.max_instances is not None:
            yield (
                "instances.max_instances: only of machines that are shared (instances.shared); "
                "scaling.max_copies limits what an endpoint of its own may have"
            )
        return
    if spec.kind.is_whole_instance:
        yield (
            f"instances.shared: a copy of kind {spec.kind} is a whole instance and shares nothing; "
            "leave the key out, or leave kind out"
        )
    if machines.max_instances is None:
        yield (
            f"instances.max_instances: say how many instances {machines.shared!r} may have in all, "
            "the same in the file of each endpoint that shares them"
        )
    if machines.alternatives:
        yield (
            "instances.alternatives: shared machines are the same for all that share them; list "
            "more types in instances.types instead"
        )


def _differs(part: BaseModel, key: str) -> bool:
    return bool(getattr(part, key) != type(part).model_fields[key].default)
