"""The models we know. Data of the DeepSeek-R1 family in data/models.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from .architecture import facts_from_config
from .facts import Attention, Experts, ModelFacts, UnknownArchitectureError

__all__ = [
    "ModelFacts",
    "UnknownArchitectureError",
    "facts_from_config",
    "known_model",
    "known_models",
]

_PLAIN = (
    "id", "weight_bytes", "kv_bytes_per_token", "attention_heads", "kv_heads",
    "max_context_tokens", "params", "licence", "gated", "weight_bits", "bytes_by_dtype",
)  # fmt: skip


@cache
def known_models() -> dict[str, ModelFacts]:
    """The catalogue's models by repository id."""
    text = files(__package__).joinpath("data/models.json").read_text(encoding="utf-8")
    return {row["id"]: _read(row) for row in json.loads(text)}


def known_model(model_id: str) -> ModelFacts | None:
    """The catalogue's facts, or None."""
    return known_models().get(model_id)


def _read(row: Mapping[str, Any]) -> ModelFacts:
    experts = row.get("experts")
    return ModelFacts(
        **{key: row[key] for key in _PLAIN},
        attention=Attention(row["attention"]),
        experts=Experts(**experts) if experts else None,
    )
