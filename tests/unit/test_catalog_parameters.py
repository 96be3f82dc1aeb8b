"""What the engines' images know: the lists, and how a name is held against them."""

from __future__ import annotations

import pytest

from autoscaler.catalog.images import image
from autoscaler.catalog.parameters import vocabulary
from autoscaler.endpoints.dialects import DIALECTS
from autoscaler.spec import Engine
from tests.samples import spec

# What FACTS and AWS's own pages name, and what every release of the engine has.
KNOWN = {
    Engine.VLLM: [
        "max_model_len",
        "gpu-memory-utilization",
        "kv_cache_dtype",
        "quantization",
        "dtype",
        "enforce_eager",
        "tensor_parallel_size",
        "reasoning_parser",
        "tool_call_parser",
    ],
    Engine.TGI: [
        "HF_MODEL_ID",
        "HF_TOKEN",
        "SM_NUM_GPUS",
        "MAX_CONCURRENT_REQUESTS",
        "DTYPE",
        "QUANTIZE",
        "HF_MODEL_QUANTIZE",
        "MAX_INPUT_TOKENS",
        "MAX_TOTAL_TOKENS",
        "MAX_BATCH_PREFILL_TOKENS",
    ],
    Engine.LMI: [
        "max_rolling_batch_size",
        "quantize",
        "dtype",
        "enable_lora",
        "gpu_memory_utilization",
    ],
    Engine.SGLANG: [
        "context_length",
        "max-running-requests",
        "mem_fraction_static",
        "tp_size",
        "trust_remote_code",
        "served_model_name",
        "chunked_prefill_size",
        "moe_a2a_backend",
    ],
}


@pytest.mark.parametrize("engine", Engine)
def test_every_engine_has_a_list_with_its_source(engine: Engine) -> None:
    known = vocabulary(engine)
    assert len(known.names) > 60
    assert known.source
    assert known.read == "2026-11"
    assert all(known.knows(name) for name in KNOWN[engine])
    assert all(name == name.lower() and "-" not in name for name in known.names)


@pytest.mark.parametrize("engine", Engine)
def test_the_list_is_of_the_pinned_image(engine: Engine) -> None:
    version = vocabulary(engine).version.split()[0]
    assert version in image(engine, "us-east-1").uri


@pytest.mark.parametrize("engine", Engine)
def test_what_we_set_ourselves_is_known(engine: Engine) -> None:
    dialect, known = DIALECTS[engine], vocabulary(engine)
    wanted = spec(model={"id": "org/model", "source": "hub"}, serving={"engine": engine})
    told = {**dialect.ours(wanted, 1, "org/model"), **dialect.pin("c" * 40), dialect.trust: "true"}
    ours = [name for name in (*told, dialect.dtype[0]) if name.startswith(dialect.prefix)]
    assert len(ours) > 4
    assert [name for name in ours if not known.knows(name.removeprefix(dialect.prefix))] == []


@pytest.mark.parametrize(
    ("engine", "wrong", "right"),
    [
        (Engine.VLLM, "gpu_memory_utilisation", "gpu_memory_utilization"),
        (Engine.VLLM, "max-models-len", "max_model_len"),
        (Engine.SGLANG, "mem_fraction", "mem_fraction_static"),
        (Engine.TGI, "QUANTISE", "quantize"),
        (Engine.LMI, "enable_loras", "enable_lora"),
    ],
)
def test_a_misspelt_name_is_unknown_and_its_neighbour_is_named(
    engine: Engine, wrong: str, right: str
) -> None:
    known = vocabulary(engine)
    assert not known.knows(wrong)
    assert right in known.closest(wrong)


def test_only_vllms_flags_are_negated() -> None:
    assert vocabulary(Engine.VLLM).knows("no-enable-prefix-caching")
    assert not vocabulary(Engine.VLLM).knows("no_such_thing")
    assert not vocabulary(Engine.SGLANG).knows("no_enable_metrics")
