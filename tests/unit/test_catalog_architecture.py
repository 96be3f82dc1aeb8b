"""Facts from published configs: the R1 family, and what differs from it."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.catalog.architecture import facts_from_config
from autoscaler.catalog.facts import Attention, Experts, UnknownArchitectureError, Window
from autoscaler.catalog.memory import memory_of
from autoscaler.catalog.models import known_models
from autoscaler.catalog.weights import weights_of
from autoscaler.spec import Engine, Serving

LLAMA: dict[str, Any] = {
    "model_type": "llama", "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "hidden_size": 4096, "intermediate_size": 14336,
    "vocab_size": 128256, "max_position_embeddings": 131072, "torch_dtype": "bfloat16",
}  # fmt: skip
QWEN: dict[str, Any] = {
    "model_type": "qwen2", "num_hidden_layers": 28, "num_attention_heads": 12,
    "num_key_value_heads": 2, "hidden_size": 1536, "intermediate_size": 8960,
    "vocab_size": 151936, "max_position_embeddings": 131072, "torch_dtype": "bfloat16",
    "sliding_window": 4096, "use_sliding_window": False, "max_window_layers": 21,
    "qkv_bias": True,
}  # fmt: skip
R1: dict[str, Any] = {
    "model_type": "deepseek_v3", "num_hidden_layers": 61, "num_attention_heads": 128,
    "num_key_value_heads": 128, "hidden_size": 7168, "intermediate_size": 18432,
    "moe_intermediate_size": 2048, "n_routed_experts": 256, "n_shared_experts": 1,
    "num_experts_per_tok": 8, "first_k_dense_replace": 3, "moe_layer_freq": 1,
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "vocab_size": 129280, "max_position_embeddings": 163840,
    "torch_dtype": "bfloat16", "quantization_config": {"quant_method": "fp8", "fmt": "e4m3"},
}  # fmt: skip
# As published on the Hub, read by several who wrote about them.
FAMILY = {
    "Distill-Qwen-1.5B": QWEN,
    "Distill-Qwen-7B": QWEN
    | {"num_attention_heads": 28, "num_key_value_heads": 4, "hidden_size": 3584,
       "intermediate_size": 18944, "vocab_size": 152064},
    "Distill-Qwen-14B": QWEN
    | {"num_hidden_layers": 48, "num_attention_heads": 40, "num_key_value_heads": 8,
       "hidden_size": 5120, "intermediate_size": 13824, "vocab_size": 152064},
    "Distill-Qwen-32B": QWEN
    | {"num_hidden_layers": 64, "num_attention_heads": 40, "num_key_value_heads": 8,
       "hidden_size": 5120, "intermediate_size": 27648, "vocab_size": 152064},
    "Distill-Llama-8B": LLAMA,
    "Distill-Llama-70B": LLAMA
    | {"num_hidden_layers": 80, "num_attention_heads": 64, "hidden_size": 8192,
       "intermediate_size": 28672},
}  # fmt: skip


def dense_params(config: dict[str, Any]) -> int:
    """Of a Llama or Qwen2 with an output layer of its own, from its shapes."""
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    head = hidden // config["num_attention_heads"]
    kept = config["num_key_value_heads"] * head
    bias = hidden + 2 * kept if config.get("qkv_bias") else 0
    attention = 2 * hidden * hidden + 2 * hidden * kept + bias
    layer = attention + 3 * hidden * config["intermediate_size"] + 2 * hidden
    return layers * layer + 2 * config["vocab_size"] * hidden + hidden


@pytest.mark.parametrize("name", FAMILY)
def test_the_catalogue_is_what_the_published_config_makes(name: str) -> None:
    config, known = FAMILY[name], known_models()[f"deepseek-ai/DeepSeek-R1-{name}"]

    facts = facts_from_config(config, known.weight_bytes, known.id)

    assert dense_params(config) == known.params == facts.params
    assert known.weight_bytes == 2 * known.params == sum(known.bytes_by_dtype.values())
    for field in ("kv_bytes_per_token", "attention_heads", "kv_heads", "max_context_tokens",
                  "attention", "window", "experts", "weight_bits"):  # fmt: skip
        assert getattr(facts, field) == getattr(known, field), field


def r1_params() -> dict[str, int]:
    """Of R1 by dtype, with its module for multi-token prediction, from its shapes."""
    c, eight, scales = R1, 0, 0
    hidden, heads = c["hidden_size"], c["num_attention_heads"]

    def matrix(rows: int, columns: int, times: int = 1) -> None:
        nonlocal eight, scales
        eight += rows * columns * times
        scales += -(-rows // 128) * -(-columns // 128) * times

    sixteen = 0
    for layer in range(c["num_hidden_layers"] + 1):
        matrix(c["q_lora_rank"], hidden)
        matrix(heads * (c["qk_nope_head_dim"] + c["qk_rope_head_dim"]), c["q_lora_rank"])
        matrix(c["kv_lora_rank"] + c["qk_rope_head_dim"], hidden)
        matrix(heads * (c["qk_nope_head_dim"] + c["v_head_dim"]), c["kv_lora_rank"])
        matrix(hidden, heads * c["v_head_dim"])
        sixteen += c["q_lora_rank"] + c["kv_lora_rank"] + 2 * hidden
        if layer < c["first_k_dense_replace"]:
            matrix(c["intermediate_size"], hidden, 3)
            continue
        matrix(c["moe_intermediate_size"], hidden, 3 * (c["n_routed_experts"] + 1))
        sixteen += c["n_routed_experts"] * hidden
        scales += c["n_routed_experts"]
    sixteen += 4 * c["vocab_size"] * hidden + hidden + 2 * hidden * hidden + 3 * hidden
    return {"F8_E4M3": eight, "BF16": sixteen, "F32": scales}


@pytest.mark.parametrize("name", ["DeepSeek-R1", "DeepSeek-R1-Zero"])
def test_r1_is_what_its_config_makes(name: str) -> None:
    known = known_models()[f"deepseek-ai/{name}"]

    facts = facts_from_config(R1, known.weight_bytes, known.id, params=known.params)

    assert known.bytes_by_dtype == {
        dtype: params * {"F8_E4M3": 1, "BF16": 2, "F32": 4}[dtype]
        for dtype, params in r1_params().items()
    }
    headers = known.weight_bytes - sum(known.bytes_by_dtype.values())
    assert 0 < headers < 163 * 200_000, "what 163 headers may take"
    assert (facts.attention, facts.kv_bytes_per_token) == (Attention.MLA, 70272)
    assert facts.experts == known.experts
    assert facts.weight_bits == known.weight_bits == 8
    assert known.active_params == pytest.approx(37e9, rel=0.02), "as its report says"


# ------------------------------------------------------------------------- attention


@pytest.mark.parametrize(
    ("changes", "kind", "kv_heads"),
    [
        ({"num_key_value_heads": None}, Attention.MHA, 32),
        ({"num_key_value_heads": 32}, Attention.MHA, 32),
        ({}, Attention.GQA, 8),
        ({"num_key_value_heads": 1}, Attention.MQA, 1),
        ({"num_key_value_heads": None, "multi_query": True}, Attention.MQA, 1),
    ],
)
def test_the_kind_of_attention_is_named(changes: Any, kind: Attention, kv_heads: int) -> None:
    facts = facts_from_config(LLAMA | changes, 1)

    assert (facts.attention, facts.kv_heads) == (kind, kv_heads)
    assert facts.kv_bytes_per_token == 32 * 2 * kv_heads * 128 * 2


def test_the_language_part_of_a_model_that_also_sees_is_found() -> None:
    nested = {"architectures": ["X"], "text_config": LLAMA, "vision_config": {"hidden_size": 1}}

    assert facts_from_config(nested, 100) == facts_from_config(LLAMA, 100)


def test_quantization_and_dtype_may_stand_outside_of_the_language_part() -> None:
    text = {key: value for key, value in LLAMA.items() if key != "torch_dtype"}
    awq = {"quantization_config": {"quant_method": "awq", "bits": 4}, "text_config": text}

    assert facts_from_config(awq, 100).weight_bits == 4
    assert facts_from_config({"dtype": "bfloat16", "text_config": text}, 100).params == 50


# ---------------------------------------------------------------------------- windows


@pytest.mark.parametrize(
    ("changes", "windowed"),
    [
        ({"sliding_window": 4096, "model_type": "mistral"}, 32),
        ({"sliding_window": None, "model_type": "mistral"}, 0),
        ({"sliding_window": 4096, "model_type": "gemma2"}, 16),
        ({"sliding_window": 4096, "sliding_window_pattern": 6, "model_type": "gemma3_text"}, 27),
        ({"sliding_window": 4096, "use_sliding_window": False, "max_window_layers": 8}, 0),
        ({"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 8}, 24),
        ({"sliding_window": 4096, "model_type": "never heard of"}, 0),
        (
            {"sliding_window": 4096,
             "layer_types": ["sliding_attention", "full_attention"] * 16},
            16,
        ),
        ({"layer_types": ["full_attention"] * 32, "sliding_window": 4096}, 0),
        (
            {"attention_chunk_size": 4096,
             "layer_types": ["chunked_attention"] * 24 + ["full_attention"] * 8},
            24,
        ),
    ],
)  # fmt: skip
def test_layers_with_a_window_keep_no_more_than_it(changes: Any, windowed: int) -> None:
    facts = facts_from_config(LLAMA | changes, 1)
    layer = facts.kv_bytes_per_token // 32

    assert facts.window == (Window(4096, windowed * layer) if windowed else None)
    assert facts.cache_bytes(1000, 1) == 1000 * facts.kv_bytes_per_token, "within the window"
    grown = facts.cache_bytes(100_001, 1) - facts.cache_bytes(100_000, 1)
    assert grown == (32 - windowed) * layer
    assert facts.cache_bytes(100_000, 1, windows=False) == 100_000 * 32 * layer


def test_each_request_has_a_window_of_its_own_and_tgi_keeps_all() -> None:
    facts = facts_from_config(LLAMA | {"sliding_window": 1024, "model_type": "mistral"}, 1)
    serving = Serving(context_tokens=65536, concurrency_per_copy=64)

    assert memory_of(facts, serving, 1).cache == 64 * 1024 * facts.kv_bytes_per_token
    tgi = serving.model_copy(update={"engine": Engine.TGI})
    assert memory_of(facts, tgi, 1).cache == 64 * 16384 * facts.kv_bytes_per_token


# --------------------------------------------------------- what is not keys and values


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layer_types": ["linear_attention"] * 24 + ["full_attention"] * 8}, "linear_attention"),
        ({"mamba_d_state": 128}, "mamba_d_state"),
        ({"hybrid_override_pattern": "M-M*"}, "hybrid_override_pattern"),
        ({"full_attention_interval": 4}, "full_attention_interval"),
        ({"index_head_dim": 128}, "index_head_dim"),
        ({"is_encoder_decoder": True}, "is_encoder_decoder"),
    ],
)
def test_another_kind_of_state_is_refused_by_its_key(changes: Any, named: str) -> None:
    with pytest.raises(UnknownArchitectureError, match=f"org/m's config.json .*{named}") as refused:
        facts_from_config(LLAMA | changes, 1, "org/m")
    assert "what can be is a decoder with full" in str(refused.value)


# ------------------------------------------------------------- experts and quantization


def test_a_mixture_has_fewer_active_parameters_than_it_holds() -> None:
    mixtral = LLAMA | {
        "model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2,
        "vocab_size": 32000, "max_position_embeddings": 32768,
    }  # fmt: skip
    facts = facts_from_config(mixtral, 2 * 46_702_792_704)

    assert facts.params == 46_702_792_704
    assert facts.experts == Experts(8, 2, 32 * 8 * 3 * 4096 * 14336)
    assert facts.active_params == pytest.approx(12.9e9, rel=0.01), "as Mistral says"


@pytest.mark.parametrize(
    ("changes", "sparse"),
    [
        ({"first_k_dense_replace": 3}, 29),
        ({"decoder_sparse_step": 2}, 16),
        ({"mlp_only_layers": [0, 5]}, 30),
        ({"interleave_moe_layer_step": 2}, 16),
    ],
)
def test_only_some_layers_may_have_experts(changes: Any, sparse: int) -> None:
    config = LLAMA | {"num_experts": 64, "num_experts_per_tok": 8, "moe_intermediate_size": 512}
    facts = facts_from_config(config | changes, 10**12)

    assert facts.experts == Experts(64, 8, sparse * 64 * 3 * 4096 * 512)


def test_without_the_number_of_experts_a_token_meets_all_count_as_active() -> None:
    facts = facts_from_config(LLAMA | {"num_experts": 64}, 1000)

    assert (facts.experts, facts.active_params) == (None, facts.params)


@pytest.mark.parametrize(
    ("quantization", "bits"),
    [
        ({"quant_method": "fp8"}, 8),
        ({"quant_method": "awq", "bits": 4}, 4),
        ({"quant_method": "gptq", "bits": 8}, 8),
        ({"quant_method": "mxfp4"}, 4),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 8),
        (
            {"quant_method": "compressed-tensors",
             "config_groups": {"group_0": {"weights": {"num_bits": 4}}}},
            4,
        ),
        ({"quant_method": "something new"}, None),
        ({"quant_method": "gptq", "bits": "four"}, None),
    ],
)  # fmt: skip
def test_bits_of_quantized_weights(quantization: Any, bits: int | None) -> None:
    facts = facts_from_config(LLAMA | {"quantization_config": quantization}, 1000)

    assert (facts.weight_bits, facts.params) == (bits, None)


def test_headers_say_bytes_by_dtype_and_unpack_parameters() -> None:
    headers = [
        {
            "__metadata__": {"format": "pt"},
            "a.qweight": {"dtype": "I32", "shape": [512, 4096], "data_offsets": [0, 8388608]},
            "a.scales": {"dtype": "F16", "shape": [32, 4096], "data_offsets": [8388608, 8650752]},
        },
        {"norm.weight": {"dtype": "F16", "shape": [4096], "data_offsets": [0, 8192]}},
    ]

    found = weights_of(headers, bits=4)

    assert found.params == 4096 * 4096 + 4096
    assert found.bytes_by_dtype == {"I32": 8388608, "F16": 262144 + 8192}
