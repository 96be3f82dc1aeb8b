"""Whether the account may have the instances that a spec asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..catalog.fit import Placement
from ..catalog.models import ModelFacts
from ..catalog.options import options_for
from ..catalog.prices import PriceBook
from ..ports import QuotaError, Quotas
from ..spec import EndpointSpec, SpecError
from .metering import most_instances

_SUGGESTIONS = 3


def console(region: str, service: str = "sagemaker") -> str:
    """Where a person asks for more."""
    return f"https://{region}.console.aws.amazon.com/servicequotas/home/services/{service}/quotas"


def check_quotas(
    quotas: Quotas,
    spec: EndpointSpec,
    region: str,
    placement: Placement | None,
    facts: ModelFacts | None,
    prices: PriceBook,
) -> tuple[str, ...]:
    """Warnings; raises SpecError when a listed type has quota zero.

    SageMaker checks the quota of every type in a list of pools, so one without any is enough for
    it to refuse them all. What cannot be read is a warning: SageMaker itself decides then.
    """
    try:
        known = quotas.for_endpoints()
    except QuotaError as wrong:
        return (f"instances.types: the account's quotas were not read ({wrong}); a type with quota "
                "0 would fail when the endpoint is created",)  # fmt: skip
    barred = [name for name in spec.instances.types if known.get(name) == 0]
    if barred:
        raise SpecError([_refusal(spec, region, barred, known, facts, prices)])
    return tuple(_too_few(spec, known, placement))


def _refusal(
    spec: EndpointSpec,
    region: str,
    barred: list[str],
    known: Mapping[str, float],
    facts: ModelFacts | None,
    prices: PriceBook,
) -> str:
    names = ", ".join(barred)
    each = "each of them" if len(barred) > 1 else "it"
    rest = [name for name in spec.instances.types if name not in barred]
    told = (
        f"instances.types: the account's quota of {names} for endpoints in {region} is 0, and "
        f"SageMaker would refuse the endpoint; ask for more of {each} at {console(region)} "
        f'(the quota is called "{barred[0]} for endpoint usage")'
    )
    if rest:
        told += f", or list only {', '.join(rest)}"
    others = _others(spec, known, facts, prices)
    return f"{told}. These fit and have quota: {', '.join(others)}" if others else told


def _others(
    spec: EndpointSpec, known: Mapping[str, float], facts: ModelFacts | None, prices: PriceBook
) -> list[str]:
    if facts is None:
        return []
    asked = spec.instances.accelerators_per_copy
    fitting = options_for(facts, spec.serving, prices.usd_per_hour, accelerators=asked)
    allowed = [o for o in fitting if o.fit.fits and known.get(o.name, 0) > 0]
    allowed.sort(key=lambda o: (o.usd_per_hour is None, o.usd_per_hour or 0))
    return [f"{o.name} ({known[o.name]:g})" for o in allowed[:_SUGGESTIONS]]


def _too_few(
    spec: EndpointSpec, known: Mapping[str, float], placement: Placement | None
) -> Iterator[str]:
    for name in spec.instances.types:
        if name not in known:
            yield f"instances.types: the account's quota of {name} is not known"
            continue
        per_instance = placement.copies_by_type.get(name, 1) if placement else 1
        most = most_instances(spec, per_instance)
        if known[name] < most:
            yield (
                f"instances.types: the account may have {known[name]:g} of {name} for all its "
                f"endpoints, and this one wants up to {most}"
            )
