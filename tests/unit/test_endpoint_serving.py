"""The container's environment: what each engine is told, and what it may not be told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from autoscaler.endpoints.serving import ServingError, environment
from tests.samples import spec


def variables(engine: str = "vllm", accelerators: int = 2, **serving: Any) -> dict[str, str]:
    return environment(spec(serving={"engine": engine, **serving}), accelerators)


def test_vllm_is_told_by_its_flags() -> None:
    assert variables("vllm") == {
        "SM_VLLM_MODEL": "/opt/ml/model",
        "SM_VLLM_SERVED_MODEL_NAME": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        "SM_VLLM_MAX_MODEL_LEN": "8192",
        "SM_VLLM_MAX_NUM_SEQS": "16",
        "SM_VLLM_TENSOR_PARALLEL_SIZE": "2",
    }


def test_tgi_is_told_by_its_variables() -> None:
    assert variables("tgi") == {
        "HF_MODEL_ID": "/opt/ml/model",
        "SM_NUM_GPUS": "2",
        "MAX_CONCURRENT_REQUESTS": "16",
        "MAX_INPUT_TOKENS": "8191",
        "MAX_TOTAL_TOKENS": "8192",
        "MAX_BATCH_PREFILL_TOKENS": "8192",
        "MESSAGES_API_ENABLED": "true",
    }


def test_lmi_is_told_by_its_options() -> None:
    told = variables("lmi")

    assert told["HF_MODEL_ID"] == "/opt/ml/model"
    assert told["TENSOR_PARALLEL_DEGREE"] == "2"
    assert told["OPTION_MAX_MODEL_LEN"] == "8192"
    assert told["OPTION_MAX_ROLLING_BATCH_SIZE"] == "16"
    assert told["OPTION_ASYNC_MODE"] == "true"


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        ("vllm", "SM_VLLM_TRUST_REMOTE_CODE"),
        ("tgi", "TRUST_REMOTE_CODE"),
        ("lmi", "OPTION_TRUST_REMOTE_CODE"),
    ],
)
def test_remote_code_is_trusted_only_when_the_model_says_so(engine: str, name: str) -> None:
    model = {"id": "org/model", "trust_remote_code": True}

    assert environment(spec(model=model, serving={"engine": engine}), 1)[name] == "true"
    assert name not in variables(engine)


@pytest.mark.parametrize(
    ("engine", "name", "value"),
    [
        ("vllm", "SM_VLLM_DTYPE", "float16"),
        ("tgi", "DTYPE", "float16"),
        ("lmi", "OPTION_DTYPE", "fp16"),
    ],
)
def test_without_bfloat16_the_model_is_served_in_float16(
    engine: str, name: str, value: str
) -> None:
    wanted = spec(serving={"engine": engine})
    own = spec(serving={"engine": engine, "parameters": {"dtype": "float32"}})

    assert environment(wanted, 1, has_bfloat16=False)[name] == value
    assert name not in environment(wanted, 1)
    assert environment(own, 1, has_bfloat16=False)[name] == "float32"


@pytest.mark.parametrize(
    ("engine", "key", "value", "name", "text"),
    [
        ("vllm", "gpu-memory-utilization", 0.92, "SM_VLLM_GPU_MEMORY_UTILIZATION", "0.92"),
        ("vllm", "enforce_eager", True, "SM_VLLM_ENFORCE_EAGER", "true"),
        ("vllm", "kv_cache_dtype", "fp8", "SM_VLLM_KV_CACHE_DTYPE", "fp8"),
        ("tgi", "quantize", "fp8", "QUANTIZE", "fp8"),
        ("tgi", "HF_MODEL_QUANTIZE", "awq", "HF_MODEL_QUANTIZE", "awq"),
        ("tgi", "cuda_graphs", False, "CUDA_GRAPHS", "false"),
        ("lmi", "enable_lora", True, "OPTION_ENABLE_LORA", "true"),
    ],
)
def test_a_parameter_becomes_the_engines_own_variable(
    engine: str, key: str, value: Any, name: str, text: str
) -> None:
    assert variables(engine, parameters={key: value})[name] == text


@pytest.mark.parametrize(
    ("engine", "key"),
    [
        ("vllm", "model"),
        ("vllm", "max-model-len"),
        ("vllm", "TENSOR_PARALLEL_SIZE"),
        ("vllm", "trust_remote_code"),
        ("vllm", "port"),
        ("vllm", "data_parallel_size"),
        ("vllm", "api_key"),
        ("tgi", "hf_model_id"),
        ("tgi", "sm_num_gpus"),
        ("tgi", "max_input_length"),
        ("tgi", "HF_TOKEN"),
        ("lmi", "max_rolling_batch_size"),
        ("lmi", "tensor_parallel_degree"),
        ("lmi", "hf_token"),
    ],
)
def test_what_is_not_for_the_user_to_set_is_refused_by_name(engine: str, key: str) -> None:
    with pytest.raises(ServingError, match=rf"^serving\.parameters\.{re.escape(key)}: "):
        variables(engine, parameters={key: "x"})


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"max num": 1}, r"parameters\.max num: is not the name of a setting"),
        ({"a=b": 1}, r"parameters\.a=b: is not the name of a setting"),
        ({"chat-template": "a\nSM_VLLM_PORT=1"}, "holds control characters"),
        ({"block-size": 16, "block_size": 32}, r"parameters\.block_size: is given twice"),
        ({"enable_prefix_caching": False}, "set no_enable_prefix_caching: true"),
        ({"x": "é" * 513}, "SM_VLLM_X is longer than 1024 bytes"),
        ({f"p{n}": n for n in range(96)}, "101 entries, 100 at most"),
        ({f"p{n}": "x" * 1000 for n in range(33)}, r"\d+ bytes in all, 32768 at most"),
    ],
)
def test_what_the_platform_would_not_take_is_refused(
    parameters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ServingError, match=problem):
        variables("vllm", parameters=parameters)


def test_as_many_entries_as_are_allowed_are_taken() -> None:
    assert len(variables("vllm", parameters={f"p{n}": "x" * 200 for n in range(95)})) == 100
