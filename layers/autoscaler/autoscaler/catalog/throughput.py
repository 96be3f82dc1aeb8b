"""An estimate of the tokens a second that a copy writes: a roofline of the decode step.

Each step writes one token for every request of the batch. It cannot be shorter than the time to
read the weights that it needs and the batch's cache from the accelerators' memory, nor than the
time to multiply. Not counted: reading prompts, attention's own arithmetic, speculative decoding.
How far it is off, docs/costs.md says.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files

from ..spec import Serving
from .facts import ModelFacts
from .instances import MIB, InstanceType
from .memory import USED_CONTEXT, frees_windows, keepers

# Of the memory bandwidth. Measured at one request, Llama-3.1-8B in 16 bits under vLLM: 77 % on an
# A100 (vLLM 0.23, 75 tokens/s) and 74 % on an H100 (vLLM 0.21, 6.48 ms a token).
ALONE = 0.75
# With tensor parallelism every layer waits for the others: 55 % on two H100 (Llama-3.3-70B in
# 8 bits under NVIDIA NIM 1.8.0, 18.9 ms a token).
TOGETHER = 0.55
# Of the dense peak, for batches that are large enough to be bound by it. An assumption.
OF_PEAK = 0.5
_EIGHT_BITS = 8
_SECONDS = 3600
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Accelerator:
    """What bounds the decode step. `tflops_8`: None, it multiplies 8-bit weights in 16 bits."""

    name: str
    memory_bytes: int
    bytes_per_second: float
    tflops_16: float
    tflops_8: float | None
    source: str


@dataclass(frozen=True)
class Throughput:
    """Estimated, with every copy at its concurrency."""

    tokens_per_second: float  # that one copy writes
    copies: int  # of the instance
    bound_by: str  # "memory" or "compute"

    def usd_per_million_tokens(self, usd_per_hour: Decimal, copies: int = 1) -> Decimal:
        """Dollars of a million output tokens of an instance on which so many copies are busy."""
        written = Decimal(self.tokens_per_second) * copies * _SECONDS
        return usd_per_hour * _MILLION / written


@cache
def accelerators() -> tuple[Accelerator, ...]:
    """All whose figures are known (data/accelerators.csv)."""
    text = files(__package__).joinpath("data/accelerators.csv").read_text(encoding="utf-8")
    return tuple(
        Accelerator(
            name=row["accelerator"],
            memory_bytes=int(row["memory_mib"]) * MIB,
            bytes_per_second=float(row["memory_gb_per_s"]) * 1e9,
            tflops_16=float(row["dense_tflops_16bit"]),
            tflops_8=float(row["dense_tflops_8bit"]) if row["dense_tflops_8bit"] else None,
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def accelerator_of(
    kind: InstanceType, known: Iterable[Accelerator] | None = None
) -> Accelerator | None:
    """The accelerator of an instance type; None: its figures are not known."""
    wanted = (kind.accelerator, kind.accelerator_memory_bytes)
    found = accelerators() if known is None else known
    return next((one for one in found if (one.name, one.memory_bytes) == wanted), None)


def throughput(
    facts: ModelFacts,
    accelerator: Accelerator,
    serving: Serving,
    per_copy: int,
    copies: int = 1,
) -> Throughput:
    """Of an instance with so many copies, each on `per_copy` accelerators."""
    batch = serving.concurrency_per_copy
    share = ALONE if per_copy == 1 else TOGETHER
    reading = _bytes_read(facts, serving, per_copy) / (
        per_copy * accelerator.bytes_per_second * share
    )
    multiplying = _flops(facts, batch) / (per_copy * _peak(facts, accelerator) * OF_PEAK)
    step = max(reading, multiplying)
    bound = "memory" if reading >= multiplying else "compute"
    return Throughput(batch / step, copies, bound)


def _bytes_read(facts: ModelFacts, serving: Serving, per_copy: int) -> float:
    """Of one step: the weights that the batch meets, and every request's cache."""
    batch = serving.concurrency_per_copy
    context = min(serving.context_tokens, facts.max_context_tokens)
    held = max(1, int(context * USED_CONTEXT)) * batch
    cached = facts.cache_bytes(held, batch, windows=frees_windows(serving))
    return facts.weight_bytes * _share_read(facts, batch) + cached * keepers(facts, per_copy)


def _share_read(facts: ModelFacts, batch: int) -> float:
    """Of the weights: all, or with experts those that at least one of the batch is sent to.

    Each request chooses its experts as if by lot, so a share (1 - k/n)^batch is met by none.
    """
    experts, params = facts.experts, facts.params or _params_by_bits(facts)
    if experts is None or not params:
        return 1.0
    unmet: float = (1 - experts.per_token / experts.total) ** batch
    return 1 - unmet * min(1.0, experts.params / params)


def _params_by_bits(facts: ModelFacts) -> int:
    return facts.weight_bytes * _EIGHT_BITS // (facts.weight_bits or 16)


def _flops(facts: ModelFacts, batch: int) -> float:
    """A multiplication and an addition for each parameter that a token meets."""
    active = facts.active_params or _params_by_bits(facts)
    return 2.0 * active * batch


def _peak(facts: ModelFacts, accelerator: Accelerator) -> float:
    """Operations a second. Four-bit weights are unpacked to 16 bits by the engines here."""
    if facts.weight_bits == _EIGHT_BITS and accelerator.tflops_8:
        return accelerator.tflops_8 * 1e12
    return accelerator.tflops_16 * 1e12
