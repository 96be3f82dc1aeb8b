"""How each engine's SageMaker image takes its settings: variables, and which are not to be set.

vLLM's and SGLang's turn `SM_<ENGINE>_<FLAG>=value` into `--<flag> value`, "true" into the flag
alone, and leave out what is "false" (aws/deep-learning-containers, sagemaker_entrypoint.sh).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..spec import EndpointSpec, Engine, Source

WEIGHTS = "/opt/ml/model"
# huggingface_hub reads it in all four images.
TOKEN_VARIABLE = "HF_TOKEN"

Variables = dict[str, str]


@dataclass(frozen=True)
class Dialect:
    """What we set, what may be set over, what may not be set.

    `ours` takes the spec, the tensor-parallel degree and where the weights are; `pin` takes a
    commit of the Hub.
    """

    prefix: str
    ours: Callable[[EndpointSpec, int, str], Variables]
    pin: Callable[[str], Variables]
    trust: str  # the variable of model.trust_remote_code
    dtype: tuple[str, str]  # for accelerators without bfloat16; the spec may say otherwise
    never: tuple[str, ...]
    secrets: tuple[str, ...]
    presets: Callable[[EndpointSpec], Variables] = field(default=lambda _spec: {})
    has_false: bool = True  # a flag can be told "false"


def location(spec: EndpointSpec) -> str:
    """What the container is told to load: the mounted weights, or a repository of the Hub."""
    return spec.model.id if spec.model.source is Source.HUB else WEIGHTS


def _vllm(spec: EndpointSpec, tensor_parallel: int, weights: str) -> Variables:
    return {
        "SM_VLLM_MODEL": weights,
        "SM_VLLM_SERVED_MODEL_NAME": spec.model.id,
        "SM_VLLM_MAX_MODEL_LEN": str(spec.serving.context_tokens),
        "SM_VLLM_MAX_NUM_SEQS": str(spec.serving.concurrency_per_copy),
        "SM_VLLM_TENSOR_PARALLEL_SIZE": str(tensor_parallel),
    }


def _vllm_pin(commit: str) -> Variables:
    """Of weights, tokenizer and code: each has a revision of its own."""
    names = ("REVISION", "TOKENIZER_REVISION", "CODE_REVISION")
    return {f"SM_VLLM_{name}": commit for name in names}


def _sglang(spec: EndpointSpec, tensor_parallel: int, weights: str) -> Variables:
    return {
        "SM_SGLANG_MODEL_PATH": weights,
        "SM_SGLANG_SERVED_MODEL_NAME": spec.model.id,
        "SM_SGLANG_CONTEXT_LENGTH": str(spec.serving.context_tokens),
        "SM_SGLANG_MAX_RUNNING_REQUESTS": str(spec.serving.concurrency_per_copy),
        "SM_SGLANG_TP_SIZE": str(tensor_parallel),
    }


def _tgi(spec: EndpointSpec, tensor_parallel: int, weights: str) -> Variables:
    return {
        "HF_MODEL_ID": weights,
        "SM_NUM_GPUS": str(tensor_parallel),
        "MAX_CONCURRENT_REQUESTS": str(spec.serving.concurrency_per_copy),
        "MAX_TOTAL_TOKENS": str(spec.serving.context_tokens),
        "MESSAGES_API_ENABLED": "true",
    }


def _tgi_presets(spec: EndpointSpec) -> Variables:
    """A prompt may fill the context but for one token."""
    context = spec.serving.context_tokens
    return {"MAX_INPUT_TOKENS": str(context - 1), "MAX_BATCH_PREFILL_TOKENS": str(context)}


def _lmi(spec: EndpointSpec, tensor_parallel: int, weights: str) -> Variables:
    # vLLM behind DJL in its asynchronous mode, AWS's recommendation since LMI 15.
    return {
        "HF_MODEL_ID": weights,
        "TENSOR_PARALLEL_DEGREE": str(tensor_parallel),
        "OPTION_ASYNC_MODE": "true",
        "OPTION_ROLLING_BATCH": "disable",
        "OPTION_ENTRYPOINT": "djl_python.lmi_vllm.vllm_async_service",
        "OPTION_MAX_MODEL_LEN": str(spec.serving.context_tokens),
        "OPTION_MAX_ROLLING_BATCH_SIZE": str(spec.serving.concurrency_per_copy),
        "SERVING_FAIL_FAST": "true",
    }


def _lmi_pin(commit: str) -> Variables:
    names = ("REVISION", "TOKENIZER_REVISION", "CODE_REVISION")
    return {f"OPTION_{name}": commit for name in names}


DIALECTS: Mapping[Engine, Dialect] = {
    Engine.VLLM: Dialect(
        prefix="SM_VLLM_",
        ours=_vllm,
        pin=_vllm_pin,
        trust="SM_VLLM_TRUST_REMOTE_CODE",
        dtype=("SM_VLLM_DTYPE", "float16"),
        never=("SM_VLLM_HOST", "SM_VLLM_PORT", "SM_VLLM_UDS", "SM_VLLM_GRPC", "SM_VLLM_HEADLESS",
               "SM_VLLM_ROOT_PATH", "SM_VLLM_SSL_KEYFILE", "SM_VLLM_SSL_CERTFILE",
               "SM_VLLM_CONFIG", "SM_VLLM_NNODES", "SM_VLLM_NODE_RANK", "SM_VLLM_DEVICE_IDS",
               "SM_VLLM_PIPELINE_PARALLEL_SIZE", "SM_VLLM_PREFILL_CONTEXT_PARALLEL_SIZE",
               "SM_VLLM_DATA_PARALLEL_SIZE", "SM_VLLM_DATA_PARALLEL_SIZE_LOCAL",
               "SM_VLLM_DATA_PARALLEL_MULTI_PORT_EXTERNAL_LB"),
        secrets=("SM_VLLM_API_KEY", "SM_VLLM_HF_TOKEN"),
        has_false=False,
    ),
    Engine.SGLANG: Dialect(
        prefix="SM_SGLANG_",
        ours=_sglang,
        pin=lambda commit: {"SM_SGLANG_REVISION": commit},
        trust="SM_SGLANG_TRUST_REMOTE_CODE",
        dtype=("SM_SGLANG_DTYPE", "float16"),
        # With every other spelling of what we set ourselves.
        never=("SM_SGLANG_MODEL", "SM_SGLANG_TENSOR_PARALLEL_SIZE", "SM_SGLANG_TP",
               "SM_SGLANG_HOST", "SM_SGLANG_PORT", "SM_SGLANG_GRPC_MODE", "SM_SGLANG_SMG_GRPC_MODE",
               "SM_SGLANG_FASTAPI_ROOT_PATH", "SM_SGLANG_SSL_KEYFILE", "SM_SGLANG_SSL_CERTFILE",
               "SM_SGLANG_CONFIG", "SM_SGLANG_NNODES", "SM_SGLANG_NODE_RANK",
               "SM_SGLANG_DIST_INIT_ADDR", "SM_SGLANG_NCCL_INIT_ADDR", "SM_SGLANG_BASE_GPU_ID",
               "SM_SGLANG_GPU_ID_STEP", "SM_SGLANG_PIPELINE_PARALLEL_SIZE", "SM_SGLANG_PP_SIZE",
               "SM_SGLANG_ENCODER_ONLY", "SM_SGLANG_DISAGGREGATION_MODE"),
        secrets=("SM_SGLANG_API_KEY", "SM_SGLANG_ADMIN_API_KEY",
                 "SM_SGLANG_SSL_KEYFILE_PASSWORD"),
        has_false=False,
    ),
    Engine.TGI: Dialect(
        prefix="",
        ours=_tgi,
        pin=lambda commit: {"HF_MODEL_REVISION": commit},
        trust="TRUST_REMOTE_CODE",
        dtype=("DTYPE", "float16"),
        never=("MODEL_ID", "PORT", "HOSTNAME", "NUM_SHARD", "SHARDED", "MAX_INPUT_LENGTH",
               "HF_MODEL_TRUST_REMOTE_CODE", "REVISION"),
        secrets=("API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "NGROK_AUTHTOKEN"),
        presets=_tgi_presets,
    ),
    Engine.LMI: Dialect(
        prefix="OPTION_",
        ours=_lmi,
        pin=_lmi_pin,
        trust="OPTION_TRUST_REMOTE_CODE",
        dtype=("OPTION_DTYPE", "fp16"),
        never=("OPTION_MODEL_ID", "OPTION_MODEL", "OPTION_TENSOR_PARALLEL_DEGREE",
               "OPTION_TENSOR_PARALLEL_SIZE", "OPTION_MAX_NUM_SEQS", "OPTION_ENGINE",
               "OPTION_PIPELINE_PARALLEL_DEGREE", "OPTION_PIPELINE_PARALLEL_SIZE",
               "OPTION_DATA_PARALLEL_SIZE"),
        secrets=("OPTION_HF_TOKEN",),
    ),
}  # fmt: skip
