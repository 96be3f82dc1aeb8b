"""The memory that a copy takes, as the parts of a sum."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec import Engine, Serving
from .facts import ModelFacts

GIB = 1024**3
# Activations, CUDA graphs and fragmentation, as a share of weights and cache.
OVERHEAD = 0.10
RUNTIME_BYTES = 2 * GIB  # CUDA context and communication buffers, of each accelerator
# Requests seldom fill their context: the cache is sized for a quarter of it each, and for at
# least one request that fills it. When they do fill it, the engine makes some of them wait.
USED_CONTEXT = 0.25
# The others free what a layer with a window does not need any more; TGI keeps it.
_KEEPS_ALL = frozenset({Engine.TGI})


@dataclass(frozen=True)
class Memory:
    """Bytes over all accelerators of a copy."""

    weights: int
    cache: int
    overhead: int
    runtime: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.overhead + self.runtime


def memory_of(facts: ModelFacts, serving: Serving, accelerators: int) -> Memory:
    """Weights, KV cache, overhead and runtime of one copy on so many accelerators."""
    context = min(serving.context_tokens, facts.max_context_tokens)
    windows = frees_windows(serving)
    one = facts.cache_bytes(context, 1, windows=windows)
    used = int(serving.concurrency_per_copy * context * USED_CONTEXT)
    all_of_them = facts.cache_bytes(used, serving.concurrency_per_copy, windows=windows)
    cache = max(one, all_of_them) * keepers(facts, accelerators)
    overhead = int((facts.weight_bytes + cache) * (1 + OVERHEAD)) - facts.weight_bytes - cache
    return Memory(facts.weight_bytes, cache, overhead, accelerators * RUNTIME_BYTES)


def frees_windows(serving: Serving) -> bool:
    """Whether the engine frees what a layer with a window does not need any more."""
    return serving.engine not in _KEEPS_ALL


def keepers(facts: ModelFacts, accelerators: int) -> int:
    """How many times a cached token is kept.

    Tensor parallelism splits the cache by heads; with more accelerators than KV heads (one, for
    latent attention) each head is kept more than once.
    """
    return max(1, -(-accelerators // facts.kv_heads))
