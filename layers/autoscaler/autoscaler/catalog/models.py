"""What a model needs: weights, KV cache. Data of the DeepSeek-R1 family in data/models.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

# Of a cached element. vLLM, TGI and LMI keep the cache in 16 bits unless told otherwise, also
# for float32 and quantized weights.
_CACHE_BYTES = 2
_DTYPE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_LATENT_HEADS = 1  # MLA: one latent that every accelerator of a copy keeps whole


class UnknownArchitectureError(ValueError):
    """A config.json that does not say what the memory arithmetic needs."""


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


@cache
def known_models() -> dict[str, ModelFacts]:
    """The catalogue's models by repository id."""
    text = files(__package__).joinpath("data/models.json").read_text(encoding="utf-8")
    names = {field.name for field in fields(ModelFacts)}
    rows = [{key: row[key] for key in names & row.keys()} for row in json.loads(text)]
    return {row["id"]: ModelFacts(**row) for row in rows}


def known_model(model_id: str) -> ModelFacts | None:
    """The catalogue's facts, or None."""
    return known_models().get(model_id)


def facts_from_config(
    config: Mapping[str, Any], weight_bytes: int, model_id: str = "model"
) -> ModelFacts:
    """Facts of any Llama-, Qwen- or DeepSeek-like model from its config.json.

    KV cache in 16 bits: layers × 2 × kv_heads × head_dim × 2 bytes (MHA and GQA), or layers ×
    (kv_lora_rank + qk_rope_head_dim) × 2 bytes for latent attention (MLA, DeepSeek-V2 paper,
    arXiv 2405.04434). Raises UnknownArchitectureError naming the key that is missing or wrong.
    """
    read = _Reader(config, model_id)
    layers, heads = read.number("num_hidden_layers"), read.number("num_attention_heads")
    if config.get("kv_lora_rank") is not None:
        kv_heads = _LATENT_HEADS
        per_layer = read.number("kv_lora_rank") + read.number("qk_rope_head_dim")
    else:
        kv_heads = read.optional("num_key_value_heads") or heads
        head_dim = read.optional("head_dim") or read.number("hidden_size") // heads
        per_layer = 2 * kv_heads * head_dim
    return ModelFacts(
        id=model_id,
        weight_bytes=weight_bytes,
        kv_bytes_per_token=layers * per_layer * _CACHE_BYTES,
        attention_heads=heads,
        kv_heads=kv_heads,
        max_context_tokens=read.number("max_position_embeddings"),
        params=_params(config, weight_bytes),
    )


@dataclass(frozen=True)
class _Reader:
    config: Mapping[str, Any]
    model_id: str

    def number(self, key: str) -> int:
        """A positive whole number; UnknownArchitectureError for anything else."""
        value = self.config.get(key)
        if value is None:
            raise self._error(f"has no {key}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self._error(f"says {key}: {value!r:.40}")
        return value

    def optional(self, key: str) -> int | None:
        return None if self.config.get(key) is None else self.number(key)

    def _error(self, problem: str) -> UnknownArchitectureError:
        return UnknownArchitectureError(
            f"{self.model_id}'s config.json {problem}: its memory cannot be computed"
        )


def _params(config: Mapping[str, Any], weight_bytes: int) -> int | None:
    dtype = config.get("dtype") or config.get("torch_dtype")  # the newer and the older key
    size = _DTYPE_BYTES.get(str(dtype).removeprefix("torch."))
    return None if size is None or config.get("quantization_config") else weight_bytes // size
