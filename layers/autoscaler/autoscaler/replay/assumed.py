"""The world of one endpoint: what its spec, its prices and its past say of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from ..catalog.fit import choose
from ..catalog.loading import expected_start
from ..catalog.models import known_model
from ..catalog.prices import PriceBook, bundled
from ..spec import EndpointSpec
from .trace import Service
from .world import ORIGIN, World


class NoPriceError(ValueError):
    """The price of the endpoint's instances is not known; the message says how to give it."""


@dataclass(frozen=True)
class Assumed:
    """What a trace and a spec do not say. None: as the catalogue and the comparison have it."""

    lead_seconds: float | None = None
    startup_billed: float | None = None
    usd_per_copy_hour: float | None = None
    start: datetime = ORIGIN
    service: Service = field(default_factory=Service)
    prices: PriceBook = field(default_factory=bundled)

    @property
    def priced(self) -> str:
        """Where the price of a copy comes from."""
        if self.usd_per_copy_hour is not None:
            return "The price is the one that was given."
        return self.prices.sentence()


def assumed_world(spec: EndpointSpec, assumed: Assumed) -> World:
    """The spec's world, with what the user says of it."""
    world = world_of(spec, assumed.usd_per_copy_hour, assumed.prices)
    lead = assumed.lead_seconds
    if lead is None and (facts := known_model(spec.model.id)):
        # By its weights, and no less than an 8B was measured to take.
        lead = max(world.lead_seconds, expected_start(facts).total_seconds())
    if lead is not None:
        world = replace(world, cold_start=world.with_lead(lead))
    if assumed.startup_billed is not None:
        world = replace(world, startup_billed=assumed.startup_billed)
    return world


def world_of(
    spec: EndpointSpec,
    usd_per_copy_hour: float | None = None,
    prices: PriceBook | None = None,
) -> World:
    """The world in which this endpoint would live: its price, its slots, its price of waiting.

    A copy's price is its share of its instance, by these prices (the bundled ones), and what is
    billed are whole instances, but for shared ones, whose other part is others'. A model that
    the catalogue does not know is taken to fill an instance. Raises NoPriceError, and
    DoesNotFitError.
    """
    name, fits = spec.instances.types[0], 1
    if usd_per_copy_hour is None:
        price = (prices or bundled()).usd_per_hour(name)
        if price is None:
            raise NoPriceError(
                f"instances.types: the price of {name} is not known: give it with --price"
            )
        facts = known_model(spec.model.id)
        fits = choose(facts, spec, prices).copies_per_instance if facts else 1
        usd_per_copy_hour = float(price) / fits
    return World(
        usd_per_copy_hour=usd_per_copy_hour,
        copies_per_instance=fits if spec.instances.shared is None else 1,
        concurrency_per_copy=spec.serving.concurrency_per_copy,
        waiting_usd_per_request_minute=float(spec.scaling.waiting_usd_per_request_minute),
        max_copies=spec.highest_max_copies,
    )
