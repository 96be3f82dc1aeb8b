"""What the arithmetic needs to know of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class UnknownArchitectureError(ValueError):
    """A config.json that does not say what the memory arithmetic needs."""


class Attention(StrEnum):
    """How keys and values are kept."""

    MHA = "multi-head"  # every head keeps its own
    GQA = "grouped-query"
    MQA = "multi-query"  # one for all heads
    MLA = "latent"  # one compressed latent, kept whole by every accelerator


@dataclass(frozen=True)
class Window:
    """Layers that keep no more than the last tokens of a request."""

    tokens: int
    bytes_per_token: int  # of those layers together, a part of ModelFacts.kv_bytes_per_token


@dataclass(frozen=True)
class Experts:
    """Routed experts: each token passes through some of them, all of them lie in memory."""

    total: int  # of each layer that has any
    per_token: int
    params: int  # of all of them together


@dataclass(frozen=True)
class ModelFacts:
    """Bytes and shapes of one model."""

    id: str
    weight_bytes: int
    kv_bytes_per_token: int  # one copy of the cache
    attention_heads: int
    kv_heads: int  # 1 for latent attention
    max_context_tokens: int
    params: int | None = None  # None: weights are quantized, so bytes do not tell
    licence: str = "unknown"
    gated: bool = False
    attention: Attention | None = None
    window: Window | None = None
    experts: Experts | None = None
    weight_bits: int | None = None  # of most weights; None: not known
    bytes_by_dtype: Mapping[str, int] = field(default_factory=dict)  # safetensors' names

    @property
    def active_params(self) -> int | None:
        """Parameters that one token is multiplied with: all, or with experts those it meets."""
        if self.params is None or self.experts is None:
            return self.params
        idle = self.experts.params * (self.experts.total - self.experts.per_token)
        return self.params - idle // self.experts.total

    def cache_bytes(self, tokens: int, requests: int, *, windows: bool = True) -> int:
        """Bytes of one copy of the cache for `tokens` in all, of so many requests.

        Without `windows` the engine keeps every token in every layer.
        """
        full = tokens * self.kv_bytes_per_token
        if self.window is None or not windows:
            return full
        kept = min(tokens, requests * self.window.tokens)
        return full - (tokens - kept) * self.window.bytes_per_token
