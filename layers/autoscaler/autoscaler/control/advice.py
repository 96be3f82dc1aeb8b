"""What a new endpoint could take instead of what its file lists, where that is clearly cheaper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from ..catalog.models import ModelFacts
from ..catalog.options import Option, cheapest_per_hour, cheapest_per_token, options_for
from ..catalog.prices import PriceBook
from ..spec import EndpointSpec

# Less than this is within what the estimate of tokens is off, or not worth a person's time.
CLEARLY = Decimal("0.8")


def advice(spec: EndpointSpec, facts: ModelFacts, prices: PriceBook) -> Iterator[str]:
    """Sentences: which listed type is taken, and a type that holds the model for less."""
    found = options_for(
        facts,
        spec.serving,
        prices.usd_per_hour,
        accelerators=spec.instances.accelerators_per_copy,
    )
    options = {option.name: option for option in found}
    listed = [options[name] for name in spec.instances.types if name in options]
    if not listed:
        return
    yield from _taken(listed)
    yield from _cheaper(listed[0], found, spec.instances.types)


def _taken(listed: Sequence[Option]) -> Iterator[str]:
    first, *others = listed
    tokens = first.usd_per_million_tokens
    rate = "" if tokens is None else f", about ${tokens:,.2f} a million output tokens (estimate)"
    names = ", ".join(option.name for option in others)
    then = f"; {names} when there is no capacity of it" if others else ""
    yield f"takes {first.name}{rate}{then}"


def _cheaper(first: Option, options: Sequence[Option], listed: Sequence[str]) -> Iterator[str]:
    hour, token = cheapest_per_hour(options), cheapest_per_token(options)
    told: set[str] = set(listed)
    if hour and hour.name not in told and _less(hour.usd_per_hour, first.usd_per_hour):
        told.add(hour.name)
        yield (
            f"cheaper an hour: {hour.name} holds it too, for ${hour.usd_per_hour:,.2f} "
            f"instead of ${first.usd_per_hour:,.2f}"
        )
    if (
        token
        and token.name not in told
        and _less(token.usd_per_million_tokens, first.usd_per_million_tokens)
    ):
        yield (
            f"cheaper a token when busy: {token.name}, about "
            f"${token.usd_per_million_tokens:,.2f} a million output tokens (estimate) at "
            f"${token.usd_per_hour:,.2f} an hour"
        )


def _less(one: Decimal | None, other: Decimal | None) -> bool:
    return one is not None and other is not None and one <= other * CLEARLY
