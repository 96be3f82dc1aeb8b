"""SageMaker's accelerated instance types: memory, accelerators, price (data/instances.csv)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

MIB = 1024 * 1024
_NEURON = ("Inferentia", "Trainium")
# Compute capability below 8.0: no bfloat16 in hardware, served in float16.
_WITHOUT_BFLOAT16 = frozenset({"T4"})


class UnknownInstanceError(ValueError):
    """No such instance type in the catalogue; names close ones."""


@dataclass(frozen=True)
class InstanceType:
    """One type. `usd_per_hour` is us-east-1 on demand; None: not known.

    `price_kind` is `list` (SageMaker hosting), `list-training`, `derived` or `unknown`.
    """

    name: str
    accelerator: str
    accelerators: int
    accelerator_memory_bytes: int  # of each
    host_memory_bytes: int
    vcpus: int
    nvme_gb: int  # local disks in all; 0: none
    usd_per_hour: Decimal | None
    price_kind: str
    price_source: str

    @property
    def is_nvidia(self) -> bool:
        """False for AWS's own accelerators, which the CUDA images cannot use."""
        return not self.accelerator.startswith(_NEURON)

    @property
    def has_bfloat16(self) -> bool:
        return self.accelerator not in _WITHOUT_BFLOAT16


@cache
def instances() -> dict[str, InstanceType]:
    """All types by name."""
    text = files(__package__).joinpath("data/instances.csv").read_text(encoding="utf-8")
    return {row["instance"]: _read(row) for row in csv.DictReader(text.splitlines())}


def instance(name: str) -> InstanceType:
    """Returns a type; raises UnknownInstanceError with close matches."""
    known = instances()
    if name not in known:
        close = get_close_matches(name, known, n=3) or sorted(known)[:3]
        raise UnknownInstanceError(
            f"{name!r} is not an instance type we know; e.g. {', '.join(close)}"
        )
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
        nvme_gb=int(row["nvme_gb"] or 0),
        usd_per_hour=Decimal(price) if price else None,
        price_kind=row["price_kind"],
        price_source=row["price_source"],
    )
