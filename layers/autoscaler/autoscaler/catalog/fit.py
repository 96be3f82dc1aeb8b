"""Does a model fit an instance type, on how many accelerators, and what would fit instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ..spec import EndpointSpec, Serving
from .instances import InstanceType, UnknownInstanceError, instance, instances
from .memory import GIB, OVERHEAD, RUNTIME_BYTES, USED_CONTEXT, keepers, memory_of
from .models import ModelFacts
from .prices import PriceBook, bundled

_SUGGESTIONS = 3
_CONTEXT_STEP = 256


class DoesNotFitError(ValueError):
    """No listed instance type holds the model; says what each lacks and what would do."""


@dataclass(frozen=True)
class Fit:
    """One model on one instance type."""

    fits: bool
    accelerators_per_copy: int  # the tensor-parallel degree
    copies_per_instance: int  # 0 when it does not fit
    bytes_needed: int  # over all accelerators of a copy
    bytes_available: int
    explanation: str


@dataclass(frozen=True)
class Placement:
    """How copies lie on the instances of a spec: one degree, copies by type."""

    accelerators_per_copy: int
    copies_by_type: Mapping[str, int]
    explanation: str

    @property
    def copies_per_instance(self) -> int:
        """Of the listed type that holds the fewest."""
        return min(self.copies_by_type.values())


def memory_needed(facts: ModelFacts, serving: Serving, accelerators: int) -> int:
    """Bytes over all accelerators of a copy: weights, KV cache, overhead, runtime."""
    return memory_of(facts, serving, accelerators).total


def fit(
    facts: ModelFacts, kind: InstanceType, serving: Serving, accelerators: int | None = None
) -> Fit:
    """The smallest tensor-parallel degree that holds the model, or the one that is asked for."""
    if not kind.is_nvidia and serving.image is None:
        text = f"has {kind.accelerator}, the {serving.engine} image needs an NVIDIA GPU"
        return Fit(False, 1, 0, memory_needed(facts, serving, 1), 0, text)
    degrees = [accelerators] if accelerators else _degrees(kind, facts)
    tried = [_at(facts, kind, serving, degree) for degree in degrees]
    return next((one for one in tried if one.fits), tried[-1])


def choose(facts: ModelFacts, spec: EndpointSpec, prices: PriceBook | None = None) -> Placement:
    """How the spec's copies are placed; raises DoesNotFitError naming the field, and the cheapest
    types that would do by these prices (the bundled ones).

    An inference component takes the same number of accelerators on every type: the smallest
    that holds the model on each of them.
    """
    kinds = _kinds(spec)
    whole = whole_instance(spec, kinds)
    asked = whole or spec.instances.accelerators_per_copy
    _check_shape(facts, spec.serving, asked)
    alone = {kind.name: fit(facts, kind, spec.serving, asked) for kind in kinds}
    _refuse_misfits(facts, spec, kinds, alone, prices or bundled())
    degree = max(one.accelerators_per_copy for one in alone.values())
    common = {kind.name: fit(facts, kind, spec.serving, degree) for kind in kinds}
    if not all(one.fits for one in common.values()):
        told = ", ".join(f"{name} {one.accelerators_per_copy}" for name, one in alone.items())
        raise DoesNotFitError(
            f"instances.types: a copy would take different numbers of accelerators ({told}); "
            "list types on which one number does"
        )
    copies = {name: one.copies_per_instance for name, one in common.items()}
    return Placement(degree, copies, common[kinds[0].name].explanation)


def whole_instance(spec: EndpointSpec, kinds: Sequence[InstanceType]) -> int | None:
    """The accelerators of a copy that is an instance; None where several share one.

    Raises DoesNotFitError when the spec asks for another number, or the types differ in theirs:
    the degree stands in the environment of the one model that all of them run.
    """
    if not spec.kind.is_whole_instance:
        return None
    have = {kind.name: kind.accelerators for kind in kinds}
    told = ", ".join(f"{name} {count}" for name, count in have.items())
    if len(set(have.values())) > 1:
        raise DoesNotFitError(
            f"instances.types: a copy of kind {spec.kind} is a whole instance, and these have "
            f"different numbers of accelerators ({told}); list types with the same number"
        )
    degree, asked = kinds[0].accelerators, spec.instances.accelerators_per_copy
    if asked not in (None, degree):
        raise DoesNotFitError(
            f"instances.accelerators_per_copy: {asked} does not fill the instance ({told}), and a "
            f"copy of kind {spec.kind} is a whole one; leave it out, or take a type with {asked}"
        )
    return degree


def _kinds(spec: EndpointSpec) -> list[InstanceType]:
    try:
        return [instance(name) for name in spec.instances.types]
    except UnknownInstanceError as unknown:
        raise DoesNotFitError(f"instances.types: {unknown}") from unknown


def _check_shape(facts: ModelFacts, serving: Serving, asked: int | None) -> None:
    if serving.context_tokens > facts.max_context_tokens:
        raise DoesNotFitError(
            f"serving.context_tokens: {serving.context_tokens} is more than the "
            f"{facts.max_context_tokens} tokens that {facts.id} takes"
        )
    if asked and facts.attention_heads % asked:
        raise DoesNotFitError(
            f"instances.accelerators_per_copy: {asked} does not divide the "
            f"{facts.attention_heads} attention heads of {facts.id}"
        )


def _refuse_misfits(
    facts: ModelFacts,
    spec: EndpointSpec,
    kinds: Sequence[InstanceType],
    tried: Mapping[str, Fit],
    prices: PriceBook,
) -> None:
    bad = [f"{name}: {one.explanation}" for name, one in tried.items() if not one.fits]
    if bad:
        misfits = [(kind, tried[kind.name]) for kind in kinds if not tried[kind.name].fits]
        advice = [_cheapest(facts, spec, prices), *_smaller(facts, spec.serving, misfits)]
        raise DoesNotFitError(
            f"instances.types: {facts.id} does not fit {'; '.join(bad)}. {'. '.join(advice)}"
        )


def _cache_bytes(facts: ModelFacts, accelerators: int) -> int:
    """Bytes a cached token takes over all accelerators, windows left out of account."""
    return facts.kv_bytes_per_token * keepers(facts, accelerators)


def _degrees(kind: InstanceType, facts: ModelFacts) -> list[int]:
    """Powers of two that divide the attention heads, up to the instance's accelerators."""
    powers = [2**n for n in range(kind.accelerators.bit_length())]
    return [degree for degree in powers if facts.attention_heads % degree == 0]


def _at(facts: ModelFacts, kind: InstanceType, serving: Serving, degree: int) -> Fit:
    needed = memory_needed(facts, serving, degree)
    available = min(degree, kind.accelerators) * kind.accelerator_memory_bytes
    if degree > kind.accelerators:
        text = f"a copy takes {degree} accelerators, it has {kind.accelerators}"
        return Fit(False, degree, 0, needed, available, text)
    fits = needed <= available
    text = f"needs {needed / GIB:.1f} GiB, {_have(degree)} {available / GIB:.1f} GiB"
    copies = kind.accelerators // degree if fits else 0
    return Fit(fits, degree, copies, needed, available, text)


def _have(accelerators: int) -> str:
    return "1 accelerator has" if accelerators == 1 else f"{accelerators} accelerators have"


def _cheapest(facts: ModelFacts, spec: EndpointSpec, prices: PriceBook) -> str:
    asked = spec.instances.accelerators_per_copy
    fitting = [kind for kind in instances().values() if fit(facts, kind, spec.serving, asked).fits]
    if not fitting:
        return "No type in the catalogue holds it at this context and concurrency"
    cheap = sorted(_priced(fitting, prices), key=lambda pair: pair[1])[:_SUGGESTIONS]
    told = [f"{kind.name} (${price:.2f}/h)" for kind, price in cheap] or [
        f"{kind.name} (price not known)" for kind in fitting[:_SUGGESTIONS]
    ]
    return f"The cheapest that do: {', '.join(told)}"


def _priced(kinds: Iterable[InstanceType], prices: PriceBook) -> list[tuple[InstanceType, Decimal]]:
    rated = [(kind, prices.usd_per_hour(kind.name)) for kind in kinds]
    return [(kind, usd) for kind, usd in rated if usd is not None]


def _smaller(
    facts: ModelFacts, serving: Serving, misfits: Sequence[tuple[InstanceType, Fit]]
) -> list[str]:
    """What of context and concurrency a listed type could hold, for the first that holds any."""
    for kind, tried in misfits:
        degree = tried.accelerators_per_copy
        if degree > kind.accelerators:
            continue
        room = (tried.bytes_available - degree * RUNTIME_BYTES) / (1 + OVERHEAD)
        tokens = int((room - facts.weight_bytes) / _cache_bytes(facts, degree))
        context = min(serving.context_tokens, tokens // _CONTEXT_STEP * _CONTEXT_STEP)
        if context >= _CONTEXT_STEP:
            together = min(serving.concurrency_per_copy, int(tokens / (context * USED_CONTEXT)))
            return [
                f"Or keep {kind.name} with serving.context_tokens {context} and "
                f"serving.concurrency_per_copy {together}"
            ]
    return []
