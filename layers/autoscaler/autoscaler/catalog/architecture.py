"""Facts of any model from its config.json: attention, windows, experts, quantization.

Keys as the `transformers` library writes them. What keeps another kind of state than keys and
values is refused rather than counted wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .facts import Attention, Experts, ModelFacts, UnknownArchitectureError, Window

# Of a cached element. vLLM, TGI and LMI keep the cache in 16 bits unless told otherwise, also
# for float32 and quantized weights.
_CACHE_BYTES = 2
_DTYPE_BITS = {"float32": 32, "float16": 16, "bfloat16": 16}
# quantization_config.quant_method, where the method alone says the bits.
_METHOD_BITS = {"fp8": 8, "fbgemm_fp8": 8, "mxfp4": 4, "awq": 4}
_LATENT_HEADS = 1
_NESTED = ("text_config", "llm_config", "language_config")
# Layers whose state does not grow with the tokens, or grows by more than keys and values.
_OTHER_STATE = (
    "ssm_cfg", "mamba_d_state", "mamba_num_heads", "layers_block_type", "hybrid_override_pattern",
    "attn_layer_period", "linear_num_value_heads", "full_attention_interval", "index_head_dim",
    "recurrent_block_type", "lru_width",
)  # fmt: skip
_FULL, _SLIDING, _CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
_ALTERNATING = frozenset({"gemma2"})  # every other layer, where no pattern is written
_EVERYWHERE = frozenset({"mistral", "mixtral", "phi3", "starcoder2"})
_MATRICES = 3  # of a gated expert: gate, up, down


def facts_from_config(
    config: Mapping[str, Any],
    weight_bytes: int,
    model_id: str = "model",
    bytes_by_dtype: Mapping[str, int] | None = None,
    params: int | None = None,
) -> ModelFacts:
    """Facts of any Llama-, Qwen- or DeepSeek-like model from its config.json.

    KV cache in 16 bits: layers × 2 × kv_heads × head_dim × 2 bytes (MHA, GQA, MQA), or layers ×
    (kv_lora_rank + qk_rope_head_dim) × 2 bytes for latent attention (MLA, DeepSeek-V2 paper,
    arXiv 2405.04434). `params` as counted from the weights' headers; without it they follow from
    the bytes, unless the weights are quantized. Raises UnknownArchitectureError naming the key
    that is missing, wrong, or of a kind that is not counted here.
    """
    text = _text_part(config)
    read = _Reader(text, model_id)
    read.refuse_other_state()
    layers, heads = read.number("num_hidden_layers"), read.number("num_attention_heads")
    kv_heads, per_layer, attention = _attention(read, heads)
    bits = _bits(config, text)
    quantized = bool(_quantization(config, text))
    counted = params or (None if quantized or not bits else weight_bytes * 8 // bits)
    approximate = counted or (weight_bytes * 8 // bits if bits else None)
    return ModelFacts(
        id=model_id,
        weight_bytes=weight_bytes,
        kv_bytes_per_token=layers * per_layer,
        attention_heads=heads,
        kv_heads=kv_heads,
        max_context_tokens=read.number("max_position_embeddings"),
        params=counted,
        attention=attention,
        window=_window(read, layers, per_layer),
        experts=_experts(read, layers, approximate),
        weight_bits=bits,
        bytes_by_dtype=dict(bytes_by_dtype or {}),
    )


@dataclass(frozen=True)
class _Reader:
    config: Mapping[str, Any]
    model_id: str

    def number(self, key: str) -> int:
        """A positive whole number; UnknownArchitectureError for anything else."""
        value = self.config.get(key)
        if value is None:
            raise self.error(f"has no {key}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.error(f"says {key}: {value!r:.40}")
        return value

    def optional(self, *keys: str) -> int | None:
        """The first of these keys that is there."""
        return next((self.number(k) for k in keys if self.config.get(k) is not None), None)

    def refuse_other_state(self) -> None:
        if self.config.get("is_encoder_decoder"):
            raise self.error("says is_encoder_decoder: true")
        for key in _OTHER_STATE:
            if self.config.get(key) is not None:
                raise self.error(
                    f"has {key}: some of its layers keep another state than keys and values"
                )

    def error(self, problem: str) -> UnknownArchitectureError:
        return UnknownArchitectureError(
            f"{self.model_id}'s config.json {problem}: its memory cannot be computed; what can be "
            "is a decoder with full, sliding-window or latent attention"
        )


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The language model's part: of a model that also sees, it is nested."""
    if config.get("num_hidden_layers") is not None:
        return config
    parts = (config.get(key) for key in _NESTED)
    return next((part for part in parts if isinstance(part, Mapping)), config)


def _attention(read: _Reader, heads: int) -> tuple[int, int, Attention]:
    """KV heads, cached bytes of a token in one layer, and the kind's name."""
    if read.config.get("kv_lora_rank") is not None:
        width = read.number("kv_lora_rank") + read.number("qk_rope_head_dim")
        return _LATENT_HEADS, width * _CACHE_BYTES, Attention.MLA
    kv_heads = read.optional("num_key_value_heads")
    if kv_heads is None:
        kv_heads = 1 if read.config.get("multi_query") else heads
    head_dim = read.optional("head_dim") or read.number("hidden_size") // heads
    kind = Attention.MHA if kv_heads >= heads else Attention.GQA
    if kv_heads == 1 < heads:
        kind = Attention.MQA
    return kv_heads, 2 * kv_heads * head_dim * _CACHE_BYTES, kind


def _window(read: _Reader, layers: int, per_layer: int) -> Window | None:
    """Layers that keep a window only; None: none do, or which ones is not written."""
    kinds = read.config.get("layer_types")
    if isinstance(kinds, Sequence) and not isinstance(kinds, str):
        other = [str(k) for k in kinds if k not in (_FULL, _SLIDING, _CHUNKED)]
        if other:
            raise read.error(f"has layer_types {other[0]!r}")
        windowed = sum(kind != _FULL for kind in kinds)
    else:
        windowed = _windowed_without_types(read, layers)
    tokens = read.optional("sliding_window", "attention_chunk_size") if windowed else None
    return Window(tokens, windowed * per_layer) if tokens and windowed else None


def _windowed_without_types(read: _Reader, layers: int) -> int:
    config, family = read.config, str(read.config.get("model_type", ""))
    if not config.get("sliding_window") or config.get("use_sliding_window") is False:
        return 0
    pattern = read.optional("sliding_window_pattern")
    if pattern:
        return layers - layers // pattern
    if config.get("use_sliding_window"):  # Qwen2: from this layer on
        first = config.get("max_window_layers")
        return max(0, layers - first) if isinstance(first, int) else 0
    if family in _ALTERNATING:
        return -(-layers // 2)
    return layers if family in _EVERYWHERE else 0


def _experts(read: _Reader, layers: int, params: int | None) -> Experts | None:
    total = read.optional("n_routed_experts", "num_local_experts", "num_experts")
    if total is None or total == 1:
        return None
    per_token = read.optional("num_experts_per_tok", "moe_topk", "num_experts_per_token")
    width = read.optional("moe_intermediate_size", "expert_ffn_hidden_size", "intermediate_size")
    if per_token is None or width is None or per_token > total:
        return None  # then every weight counts as read for every token: slower, never too fast
    sparse = sum(1 for _ in _sparse_layers(read.config, layers))
    held = sparse * total * _MATRICES * read.number("hidden_size") * width
    return Experts(total, per_token, min(held, params)) if held and params else None


def _sparse_layers(config: Mapping[str, Any], layers: int) -> Iterator[int]:
    """The layers that have experts (DeepSeek's and Qwen's ways to write it)."""
    first = _whole(config.get("first_k_dense_replace"), 0)
    step = _whole(config.get("decoder_sparse_step") or config.get("interleave_moe_layer_step"), 1)
    dense = config.get("mlp_only_layers") or ()
    for layer in range(first, layers):
        if (layer + 1) % max(1, step) == 0 and layer not in dense:
            yield layer


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _quantization(config: Mapping[str, Any], text: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.get("quantization_config") or text.get("quantization_config")
    return found if isinstance(found, Mapping) else {}


def _bits(config: Mapping[str, Any], text: Mapping[str, Any]) -> int | None:
    """Bits of most weights; None when neither the method nor the dtype says."""
    quantized = _quantization(config, text)
    if quantized:
        bits = _quantized_bits(quantized)
        return bits if isinstance(bits, int) and 1 <= bits <= 16 else None
    named = (c.get("dtype") or c.get("torch_dtype") for c in (text, config))  # newer, older key
    dtype = next((str(name) for name in named if name), "")
    return _DTYPE_BITS.get(dtype.removeprefix("torch."))


def _quantized_bits(quantized: Mapping[str, Any]) -> object:
    for key in ("bits", "w_bit"):
        if quantized.get(key) is not None:
            return quantized[key]
    method = str(quantized.get("quant_method", "")).lower()
    if method == "bitsandbytes":
        return 4 if quantized.get("load_in_4bit") else 8
    groups = quantized.get("config_groups")  # compressed-tensors
    if isinstance(groups, Mapping):
        weights = [g.get("weights") for g in groups.values() if isinstance(g, Mapping)]
        return next((w.get("num_bits") for w in weights if isinstance(w, Mapping)), None)
    return _METHOD_BITS.get(method)
