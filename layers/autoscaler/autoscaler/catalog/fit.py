"""Does a model fit an instance type, on how many accelerators, and what would fit instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..spec import EndpointSpec, Serving
from .instances import InstanceType, UnknownInstanceError, instance, instances
from .models import ModelFacts

GIB = 1024**3
# Activations, CUDA graphs and fragmentation, as a share of weights and cache.
OVERHEAD = 0.10
RUNTIME_BYTES = 2 * GIB  # CUDA context and communication buffers, of each accelerator
# Requests seldom fill their context: the cache is sized for a quarter of it each, and for at
# least one request that fills it.
USED_CONTEXT = 0.25
_SUGGESTIONS = 3


class DoesNotFitError(ValueError):
    """No listed instance type holds the model; says what each lacks and what would do."""


@dataclass(frozen=True)
class Fit:
    """One model on one instance type."""

    fits: bool
    accelerators_per_copy: int
    copies_per_instance: int
    bytes_needed: int
    bytes_available: int
    explanation: str


@dataclass(frozen=True)
class Placement:
    """How copies lie on the instances of a spec, the same for all its types."""

    accelerators_per_copy: int
    copies_per_instance: int
    explanation: str


def memory_needed(facts: ModelFacts, serving: Serving, accelerators: int) -> int:
    """Bytes over all accelerators of a copy: weights, KV cache, overhead, runtime."""
    context = min(serving.context_tokens, facts.max_context_tokens)
    tokens = max(context, int(serving.concurrency_per_copy * context * USED_CONTEXT))
    model = facts.weight_bytes + tokens * facts.kv_bytes_per_token
    return int(model * (1 + OVERHEAD)) + accelerators * RUNTIME_BYTES


def fit(
    facts: ModelFacts, kind: InstanceType, serving: Serving, accelerators: int | None = None
) -> Fit:
    """The smallest tensor-parallel degree that holds the model, or the one that is asked for."""
    degrees = [accelerators] if accelerators else _degrees(kind, facts)
    tried = [_at(facts, kind, serving, degree) for degree in degrees]
    return next((one for one in tried if one.fits), tried[-1])


def choose(facts: ModelFacts, spec: EndpointSpec) -> Placement:
    """How the spec's copies are placed; raises DoesNotFitError naming `instances.types`."""
    tried = {name: _fit_of(facts, name, spec) for name in spec.instances.types}
    bad = [f"{name}: {one.explanation}" for name, one in tried.items() if not one.fits]
    if bad:
        raise DoesNotFitError(
            f"instances.types: {facts.id} does not fit {'; '.join(bad)}. "
            f"{_instead(facts, spec.serving)}"
        )
    degrees = {one.accelerators_per_copy for one in tried.values()}
    if len(degrees) > 1:
        told = ", ".join(f"{name} {one.accelerators_per_copy}" for name, one in tried.items())
        raise DoesNotFitError(
            f"instances.types: a copy would take different numbers of accelerators ({told}); "
            "set instances.accelerators_per_copy, or list types of one size"
        )
    first = tried[spec.instances.types[0]]
    fewest = min(one.copies_per_instance for one in tried.values())
    return Placement(first.accelerators_per_copy, fewest, first.explanation)


def _fit_of(facts: ModelFacts, name: str, spec: EndpointSpec) -> Fit:
    try:
        kind = instance(name)
    except UnknownInstanceError as unknown:
        raise DoesNotFitError(f"instances.types: {unknown}") from unknown
    return fit(facts, kind, spec.serving, spec.instances.accelerators_per_copy)


def _degrees(kind: InstanceType, facts: ModelFacts) -> list[int]:
    """Powers of two that divide the attention heads, up to the instance's accelerators."""
    powers = [2**n for n in range(kind.accelerators.bit_length()) if 2**n <= kind.accelerators]
    return [degree for degree in powers if facts.attention_heads % degree == 0] or [1]


def _at(facts: ModelFacts, kind: InstanceType, serving: Serving, degree: int) -> Fit:
    needed = memory_needed(facts, serving, degree)
    available = degree * kind.accelerator_memory_bytes
    fits = needed <= available and degree <= kind.accelerators
    text = (
        f"needs {needed / GIB:.1f} GiB on {degree} accelerator(s), "
        f"which have {available / GIB:.1f} GiB"
    )
    if degree > kind.accelerators:
        text = f"has {kind.accelerators} accelerator(s), a copy takes {degree}"
    return Fit(fits, degree, max(1, kind.accelerators // degree), needed, available, text)


def _instead(facts: ModelFacts, serving: Serving) -> str:
    fitting = [kind for kind in instances().values() if fit(facts, kind, serving).fits]
    priced = sorted(_priced(fitting), key=lambda pair: pair[1])[:_SUGGESTIONS]
    if not priced:
        return "No type in the catalogue holds it at this context and concurrency"
    told = ", ".join(f"{kind.name} (${price:.2f}/h)" for kind, price in priced)
    return f"The cheapest that do: {told}"


def _priced(kinds: Iterable[InstanceType]) -> list[tuple[InstanceType, float]]:
    return [(kind, float(kind.usd_per_hour)) for kind in kinds if kind.usd_per_hour is not None]
