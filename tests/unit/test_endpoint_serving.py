"""The container's environment: what each engine is told, and what it may not be told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from autoscaler.endpoints.serving import ServingError, environment, strangers
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


def test_sglang_is_told_by_its_flags() -> None:
    assert variables("sglang") == {
        "SM_SGLANG_MODEL_PATH": "/opt/ml/model",
        "SM_SGLANG_SERVED_MODEL_NAME": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        "SM_SGLANG_CONTEXT_LENGTH": "8192",
        "SM_SGLANG_MAX_RUNNING_REQUESTS": "16",
        "SM_SGLANG_TP_SIZE": "2",
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
        ("sglang", "SM_SGLANG_TRUST_REMOTE_CODE"),
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
        ("sglang", "SM_SGLANG_DTYPE", "float16"),
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
        ("sglang", "mem-fraction-static", 0.85, "SM_SGLANG_MEM_FRACTION_STATIC", "0.85"),
        ("sglang", "disable_radix_cache", True, "SM_SGLANG_DISABLE_RADIX_CACHE", "true"),
        ("vllm", "no-enable-prefix-caching", True, "SM_VLLM_NO_ENABLE_PREFIX_CACHING", "true"),
        ("tgi", "dtype", "bfloat16", "DTYPE", "bfloat16"),
        ("tgi", "max_input_tokens", 4000, "MAX_INPUT_TOKENS", "4000"),
        ("tgi", "MAX_BATCH_PREFILL_TOKENS", 16384, "MAX_BATCH_PREFILL_TOKENS", "16384"),
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
        ("lmi", "revision"),
        ("vllm", "revision"),
        ("vllm", "config"),
        ("tgi", "ngrok_authtoken"),
        ("tgi", "hf_model_revision"),
        ("sglang", "model"),
        ("sglang", "model-path"),
        ("sglang", "tp"),
        ("sglang", "tensor_parallel_size"),
        ("sglang", "context_length"),
        ("sglang", "revision"),
        ("sglang", "host"),
        ("sglang", "config"),
        ("sglang", "api_key"),
        ("sglang", "admin-api-key"),
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
        (
            {"enforce_eagre": True},
            r"vllm 0\.27\.1 has no such setting \(did you mean enforce_eager",
        ),
        ({"zzz": 1}, "has no such setting; if an image of your own has it, name that image"),
        ({"chat-template": "é" * 513}, "SM_VLLM_CHAT_TEMPLATE is longer than 1024 bytes"),
    ],
)
def test_what_the_image_or_the_platform_would_not_take_is_refused(
    parameters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ServingError, match=problem):
        variables("vllm", parameters=parameters)


@pytest.mark.parametrize(
    ("engine", "key", "said"),
    [
        ("vllm", "enable_prefix_caching", "set no_enable_prefix_caching: true"),
        ("sglang", "disable_radix_cache", "sglang has no false flags: leave it out$"),
    ],
)
def test_a_flag_that_the_image_would_leave_out_is_not_taken_for_false(
    engine: str, key: str, said: str
) -> None:
    with pytest.raises(ServingError, match=said):
        variables(engine, parameters={key: False})


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"max_input_tokens": 8192}, "parameters.max_input_tokens: 8192 leaves no token"),
        ({"max_input_tokens": "many"}, "parameters.max_input_tokens: 'many' is not a whole"),
        (
            {"max_batch_prefill_tokens": 4000},
            "parameters.max_batch_prefill_tokens: 4000 is below the 8191 tokens",
        ),
    ],
)
def test_tgi_is_not_started_with_limits_that_it_would_end_for(
    parameters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ServingError, match=problem):
        variables("tgi", parameters=parameters)


OWN = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1-cu130"


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({f"p{n}": n for n in range(96)}, "101 entries, 100 at most"),
        ({f"p{n}": "x" * 1000 for n in range(33)}, r"\d+ bytes in all, 32768 at most"),
    ],
)
def test_more_than_sagemaker_takes_is_refused(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(ServingError, match=problem):
        variables("vllm", image=OWN, parameters=parameters)


def test_as_many_entries_as_are_allowed_are_taken() -> None:
    many = {f"p{n}": "x" * 200 for n in range(95)}
    assert len(variables("vllm", image=OWN, parameters=many)) == 100


def test_a_token_that_comes_later_has_its_place_in_the_limits() -> None:
    many = {f"p{n}": n for n in range(95 - 3)}  # besides the pinned revisions
    hub = {"id": "org/model", "source": "hub"}
    full = spec(model=hub, serving={"image": OWN, "parameters": many})
    with pytest.raises(ServingError, match="101 entries, 100 at most"):
        environment(full, 1)
    del many["p0"]
    fits = spec(model=hub, serving={"image": OWN, "parameters": many})
    assert len(environment(fits, 1)) == 99


@pytest.mark.parametrize("engine", ["vllm", "tgi", "lmi", "sglang"])
def test_a_setting_that_only_an_own_image_may_know_is_passed_on(engine: str) -> None:
    wanted = spec(serving={"engine": engine, "image": OWN, "parameters": {"brand_new": 1}})
    name = {"vllm": "SM_VLLM_", "tgi": "", "lmi": "OPTION_", "sglang": "SM_SGLANG_"}[engine]
    assert environment(wanted, 1)[f"{name}BRAND_NEW"] == "1"
    assert list(strangers(wanted)) == ["brand_new"]


@pytest.mark.parametrize(
    ("engine", "where", "pins"),
    [
        ("vllm", "SM_VLLM_MODEL",
         ["SM_VLLM_REVISION", "SM_VLLM_CODE_REVISION", "SM_VLLM_TOKENIZER_REVISION"]),
        ("sglang", "SM_SGLANG_MODEL_PATH", ["SM_SGLANG_REVISION"]),
        ("tgi", "HF_MODEL_ID", ["HF_MODEL_REVISION"]),
        ("lmi", "HF_MODEL_ID",
         ["OPTION_REVISION", "OPTION_CODE_REVISION", "OPTION_TOKENIZER_REVISION"]),
    ],
)  # fmt: skip
def test_from_the_hub_each_engine_is_told_the_repository_and_the_commit(
    engine: str, where: str, pins: list[str]
) -> None:
    wanted = spec(model={"id": "org/model", "source": "hub"}, serving={"engine": engine})
    told = environment(wanted, 1, commit="c" * 40)
    assert told[where] == "org/model"
    assert [told[name] for name in pins] == ["c" * 40] * len(pins)
    assert not {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} & told.keys()
    assert not set(pins) & variables(engine).keys(), "staged weights are what was pinned"
