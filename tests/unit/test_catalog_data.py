"""Instances, prices, models and images: the data files and what is read from them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from autoscaler.catalog.images import _ACCOUNTS, CUDA_13_AMI, UnknownRegionError, image
from autoscaler.catalog.instances import UnknownInstanceError, instance, instances
from autoscaler.catalog.models import (
    UnknownArchitectureError,
    facts_from_config,
    known_model,
    known_models,
)
from autoscaler.catalog.prices import price, usd_per_hour
from autoscaler.spec import Engine

GIB = 1024**3

LLAMA_8B = {
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}
QWEN_1_5B = {
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "hidden_size": 1536,
    "max_position_embeddings": 131072,
    "dtype": "bfloat16",
}
DEEPSEEK_V3 = {
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "hidden_size": 7168,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "max_position_embeddings": 163840,
    "torch_dtype": "bfloat16",
    "quantization_config": {"quant_method": "fp8"},
}


def test_an_instance_type_is_read_with_its_units() -> None:
    kind = instance("ml.g6e.12xlarge")

    assert (kind.accelerator, kind.accelerators, kind.vcpus) == ("L40S", 4, 48)
    assert kind.accelerator_memory_bytes == 45776 * 1024**2
    assert kind.host_memory_bytes == 384 * GIB
    assert kind.nvme_gb == 3800
    assert kind.usd_per_hour == Decimal("13.12")
    assert kind.price_kind == "list"
    assert "offer file" in kind.price_source


def test_every_instance_type_is_plausible() -> None:
    assert len(instances()) == 58
    for kind in instances().values():
        assert 1 <= kind.accelerators <= 16
        assert 16 * GIB <= kind.accelerator_memory_bytes <= 300 * GIB
        assert kind.host_memory_bytes >= 16 * GIB
        assert (kind.usd_per_hour is None) == (kind.price_kind == "unknown")
        assert kind.usd_per_hour is None or 0 < kind.usd_per_hour < 200


@pytest.mark.parametrize(
    ("name", "nvidia", "bfloat16"),
    [
        ("ml.g4dn.xlarge", True, False),
        ("ml.g5.xlarge", True, True),
        ("ml.inf2.xlarge", False, True),
        ("ml.trn2.48xlarge", False, True),
    ],
)
def test_what_an_accelerator_can_do(name: str, nvidia: bool, bfloat16: bool) -> None:
    kind = instance(name)

    assert (kind.is_nvidia, kind.has_bfloat16) == (nvidia, bfloat16)


def test_an_unknown_instance_type_names_close_ones() -> None:
    with pytest.raises(UnknownInstanceError, match=r"'ml\.g6e\.xlrage'.*ml\.g6e\.xlarge"):
        instance("ml.g6e.xlrage")


def test_a_price_says_where_it_comes_from() -> None:
    known = price("ml.p5en.48xlarge")

    assert known.usd_per_hour == Decimal("72.7904")
    assert known.kind == "derived"
    assert "EC2 price" in known.source


@pytest.mark.parametrize("name", ["ml.p5e.48xlarge", "ml.nonesuch.xlarge"])
def test_an_unknown_price_is_none_and_never_zero(name: str) -> None:
    assert usd_per_hour(name) is None
    assert price(name).kind == "unknown"


def test_the_eight_models_of_the_family() -> None:
    assert len(known_models()) == 8
    assert known_model("meta-llama/Llama-3.1-8B") is None
    for facts in known_models().values():
        assert facts.params is not None
        assert 1 <= facts.weight_bytes / facts.params <= 2.05  # fp8 with some bf16, or bf16
        assert facts.attention_heads % facts.kv_heads == 0
        assert not facts.gated


@pytest.mark.parametrize(
    ("config", "model_id", "kv_bytes"),
    [
        (LLAMA_8B, "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", 32 * 2 * 8 * 128 * 2),
        (QWEN_1_5B, "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 28 * 2 * 2 * 128 * 2),
        (DEEPSEEK_V3, "deepseek-ai/DeepSeek-R1", 61 * (512 + 64) * 2),
    ],
)
def test_a_config_gives_what_the_catalogue_says(
    config: dict[str, Any], model_id: str, kv_bytes: int
) -> None:
    known = known_models()[model_id]

    facts = facts_from_config(config, known.weight_bytes, model_id)

    assert facts.kv_bytes_per_token == kv_bytes == known.kv_bytes_per_token
    assert facts.attention_heads == known.attention_heads
    assert facts.kv_heads == known.kv_heads
    assert facts.max_context_tokens == known.max_context_tokens
    assert facts.params in (known.params, None)


def test_without_key_value_heads_every_head_has_its_own() -> None:
    config = {key: value for key, value in LLAMA_8B.items() if key != "num_key_value_heads"}

    assert facts_from_config(config, 1).kv_bytes_per_token == 32 * 2 * 32 * 128 * 2


def test_a_head_dimension_of_its_own_counts() -> None:
    config = {**LLAMA_8B, "head_dim": 256}

    assert facts_from_config(config, 1).kv_bytes_per_token == 32 * 2 * 8 * 256 * 2


@pytest.mark.parametrize(
    ("dtype", "params"),
    [("bfloat16", 500), ("torch.float16", 500), ("float32", 250), ("int4", None), (None, None)],
)
def test_parameters_follow_from_bytes_and_dtype(dtype: str | None, params: int | None) -> None:
    assert facts_from_config({**LLAMA_8B, "torch_dtype": dtype}, 1000).params == params


def test_quantized_weights_do_not_tell_their_parameters() -> None:
    assert facts_from_config(DEEPSEEK_V3, 1000).params is None


@pytest.mark.parametrize(
    "key",
    ["num_hidden_layers", "num_attention_heads", "hidden_size", "max_position_embeddings"],
)
@pytest.mark.parametrize("value", [None, 0, -1, "32", True, 1.5])
def test_a_config_that_cannot_be_reckoned_with_names_the_key(key: str, value: object) -> None:
    with pytest.raises(UnknownArchitectureError, match=f"org/model's config.json .*{key}"):
        facts_from_config({**LLAMA_8B, key: value}, 1000, "org/model")


def test_latent_attention_needs_its_rope_dimension() -> None:
    config = {key: value for key, value in DEEPSEEK_V3.items() if key != "qk_rope_head_dim"}

    with pytest.raises(UnknownArchitectureError, match="has no qk_rope_head_dim"):
        facts_from_config(config, 1000)


@pytest.mark.parametrize(
    ("engine", "repository", "ami"),
    [
        (Engine.VLLM, "vllm:0.27.1-", CUDA_13_AMI),
        (Engine.LMI, "djl-inference:0.36.0-", CUDA_13_AMI),
        (Engine.TGI, "huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.6-", None),
    ],
)
def test_an_image_and_the_machine_image_it_needs(
    engine: Engine, repository: str, ami: str | None
) -> None:
    found = image(engine, "eu-west-1")

    assert found.uri.startswith(f"763104351884.dkr.ecr.eu-west-1.amazonaws.com/{repository}")
    assert found.ami == ami


@pytest.mark.parametrize(
    ("region", "account"),
    [
        ("eu-south-1", "692866216735"),
        ("ap-east-1", "871362719292"),
        ("me-central-1", "914824155844"),
        ("af-south-1", "626614931356"),
        ("eu-central-2", "380420809688"),
    ],
)
def test_some_regions_have_an_account_of_their_own(region: str, account: str) -> None:
    assert image(Engine.VLLM, region).uri.startswith(f"{account}.dkr.ecr.{region}.")


def test_every_region_gives_a_uri_that_sagemaker_takes() -> None:
    assert len(_ACCOUNTS) == 34
    for region in _ACCOUNTS:
        assert len(image(Engine.TGI, region).uri) <= 255


@pytest.mark.parametrize("region", ["us-east-3", "cn-north-1", "us-gov-west-1", ""])
def test_an_unknown_region_says_the_way_out(region: str) -> None:
    with pytest.raises(UnknownRegionError, match=r"serving\.image"):
        image(Engine.VLLM, region)


def test_an_image_of_ones_own_needs_no_known_region() -> None:
    uri = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/mine:1-cu131"

    assert image(Engine.VLLM, "cn-north-1", uri) == image(Engine.TGI, "nowhere", uri)
    assert image(Engine.VLLM, "cn-north-1", uri).ami == CUDA_13_AMI
