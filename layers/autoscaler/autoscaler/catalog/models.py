"""What a model needs: weights, KV cache. Data of the DeepSeek-R1 family in data/models.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_BF16_BYTES = 2


class UnknownArchitectureError(ValueError):
    """A config.json that does not say what the memory arithmetic needs."""


@dataclass(frozen=True)
class ModelFacts:
    """Bytes and shapes of one model."""

    id: str
    weight_bytes: int
    kv_bytes_per_token: int
    attention_heads: int
    max_context_tokens: int
    licence: str = "unknown"
    gated: bool = False


@cache
def known_models() -> dict[str, ModelFacts]:
    """The catalogue's models by repository id."""
    rows = json.loads(files(__package__).joinpath("data/models.json").read_text())
    return {
        row["id"]: ModelFacts(**{key: row[key] for key in row if key != "source"}) for row in rows
    }


def known_model(model_id: str) -> ModelFacts | None:
    """The catalogue's facts, or None."""
    return known_models().get(model_id)


def facts_from_config(
    config: Mapping[str, Any], weight_bytes: int, model_id: str = "model"
) -> ModelFacts:
    """Facts of any Llama-, Qwen- or DeepSeek-like model from its config.json.

    KV cache in bf16: layers × 2 × kv_heads × head_dim × 2 bytes (MHA and GQA), or layers ×
    (kv_lora_rank + qk_rope_head_dim) × 2 bytes for latent attention (MLA, DeepSeek-V2 paper,
    arXiv 2405.04434). Raises UnknownArchitectureError naming the key that is missing.
    """
    try:
        layers, heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        if "kv_lora_rank" in config:
            per_layer = int(config["kv_lora_rank"]) + int(config["qk_rope_head_dim"])
        else:
            head_dim = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
            per_layer = 2 * int(config.get("num_key_value_heads") or heads) * head_dim
        context = int(config["max_position_embeddings"])
    except KeyError as missing:
        raise UnknownArchitectureError(
            f"{model_id}'s config.json has no {missing.args[0]}: its memory cannot be computed"
        ) from missing
    kv_bytes = layers * per_layer * _BF16_BYTES
    return ModelFacts(model_id, weight_bytes, kv_bytes, heads, context)
