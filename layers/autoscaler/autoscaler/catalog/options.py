"""Every instance type for a model, with what it would cost: which is cheapest, and for what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ..spec import Serving
from .facts import ModelFacts
from .fit import Fit, fit
from .instances import InstanceType, instances
from .memory import Memory, memory_of
from .throughput import Throughput, accelerator_of, throughput

Prices = Callable[[str], Decimal | None]
"""Dollars per hour of an instance type; None: unknown."""


@dataclass(frozen=True)
class Option:
    """One instance type. Throughput and dollars a token are estimates; None: not known."""

    kind: InstanceType
    fit: Fit
    memory: Memory
    usd_per_hour: Decimal | None
    throughput: Throughput | None = None

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def usd_per_million_tokens(self) -> Decimal | None:
        """Of output, at the asked concurrency: one copy is busy, the whole instance is paid."""
        if self.throughput is None or self.usd_per_hour is None:
            return None
        return self.throughput.usd_per_million_tokens(self.usd_per_hour)

    @property
    def usd_per_million_tokens_when_full(self) -> Decimal | None:
        """Of output, when as many requests come as keep every copy of the instance busy."""
        if self.throughput is None or self.usd_per_hour is None:
            return None
        return self.throughput.usd_per_million_tokens(self.usd_per_hour, self.throughput.copies)


def options_for(
    facts: ModelFacts,
    serving: Serving,
    prices: Prices,
    kinds: Iterable[InstanceType] | None = None,
    accelerators: int | None = None,
) -> list[Option]:
    """What fits first, the cheapest a token at the front; then what does not, by name."""
    listed = instances().values() if kinds is None else kinds
    found = [_option(facts, serving, prices, kind, accelerators) for kind in listed]
    return sorted(found, key=_order)


def cheapest_per_token(options: Sequence[Option]) -> Option | None:
    """Of those that fit and whose price and throughput are known."""
    known = [(o.usd_per_million_tokens, o) for o in options if o.fit.fits]
    rated = [(usd, o) for usd, o in known if usd is not None]
    return min(rated, key=lambda pair: pair[0])[1] if rated else None


def cheapest_per_hour(options: Sequence[Option]) -> Option | None:
    """Of those that fit and whose price is known."""
    rated = [(o.usd_per_hour, o) for o in options if o.fit.fits and o.usd_per_hour is not None]
    return min(rated, key=lambda pair: pair[0])[1] if rated else None


def _option(
    facts: ModelFacts,
    serving: Serving,
    prices: Prices,
    kind: InstanceType,
    accelerators: int | None,
) -> Option:
    found = fit(facts, kind, serving, accelerators)
    memory = memory_of(facts, serving, found.accelerators_per_copy)
    rate, figures = None, accelerator_of(kind)
    if found.fits and figures is not None:
        rate = throughput(
            facts, figures, serving, found.accelerators_per_copy, found.copies_per_instance
        )
    return Option(kind, found, memory, prices(kind.name), rate)


def _order(option: Option) -> tuple[bool, bool, Decimal, bool, Decimal, str]:
    token, hour = option.usd_per_million_tokens, option.usd_per_hour
    zero = Decimal(0)
    return (not option.fit.fits, token is None, token or zero, hour is None, hour or zero,
            option.name)  # fmt: skip
