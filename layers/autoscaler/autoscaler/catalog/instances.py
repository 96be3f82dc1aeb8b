"""SageMaker's accelerated instance types: memory, accelerators, price (data/instances.csv)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

MIB = 1024 * 1024


class UnknownInstanceError(ValueError):
    """No such instance type in the catalogue; names close ones."""


@dataclass(frozen=True)
class InstanceType:
    """One type. `usd_per_hour` is us-east-1 on demand; None: not known."""

    name: str
    accelerator: str
    accelerators: int
    accelerator_memory_bytes: int  # of each
    host_memory_bytes: int
    vcpus: int
    usd_per_hour: Decimal | None
    price_source: str


@cache
def instances() -> dict[str, InstanceType]:
    """All types by name."""
    text = files(__package__).joinpath("data/instances.csv").read_text()
    return {row["instance"]: _read(row) for row in csv.DictReader(text.splitlines())}


def instance(name: str) -> InstanceType:
    """Returns a type; raises UnknownInstanceError with close matches."""
    known = instances()
    if name not in known:
        close = get_close_matches(name, known, n=3) or sorted(known)[:3]
        raise UnknownInstanceError(f"{name!r} is not an instance type we know; e.g. {close}")
    return known[name]


def _read(row: dict[str, str]) -> InstanceType:
    price = row["usd_per_hour_us_east_1"]
    return InstanceType(
        name=row["instance"],
        accelerator=row["accel"],
        accelerators=int(row["accel_count"]),
        accelerator_memory_bytes=int(row["accel_mem_mib_each"]) * MIB,
        host_memory_bytes=int(row["host_mem_mib"]) * MIB,
        vcpus=int(row["vcpu"]),
        usd_per_hour=Decimal(price) if price else None,
        price_source=row["price_source"],
    )
