"""The starts that a schedule orders by itself: they cost on top of the hours that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from autoscaler.catalog.loading import expected_start
from autoscaler.catalog.models import known_model
from autoscaler.policy import DEFAULT_LEAD_TIME
from autoscaler.spec import EndpointSpec
from tools.cli.schedule_year import Laid


@dataclass(frozen=True)
class Starts:
    """So many instances are started, and each is paid for so long before it serves."""

    instances: int
    each: timedelta
    usd: Decimal | None  # None: the price is not known


def starts_of(laid: Laid) -> Starts:
    """Of all days that are shown: an instance for every one more that a stretch asks for than the
    one before. How long a start takes is what the controller expects until it has measured one."""
    kept = [laid.rate.instances(one.bounds.min_copies) for one in laid.stretches]
    started = sum(max(0, after - before) for before, after in pairwise(kept))
    each, price = _expected(laid.spec), laid.rate.usd_per_hour
    hours = Decimal(str(round(started * each / timedelta(hours=1), 6)))
    return Starts(started, each, None if price is None else price * hours)


def described(starts: Starts) -> dict[str, Any]:
    """For scripts, as `schedule show --json` has the rest."""
    return {
        "instances": starts.instances,
        "seconds_each": round(starts.each.total_seconds()),
        "usd": None if starts.usd is None else f"{starts.usd:.2f}",
    }


def _expected(spec: EndpointSpec) -> timedelta:
    facts = known_model(spec.model.id)
    return max(DEFAULT_LEAD_TIME, expected_start(facts)) if facts else DEFAULT_LEAD_TIME
