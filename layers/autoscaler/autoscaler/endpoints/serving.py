"""The container's environment, from the spec; within SageMaker's limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..spec import EndpointSpec, Engine

WEIGHTS = "/opt/ml/model"
MOST_ENTRIES = 100
MOST_BYTES = 1024
MOST_BYTES_IN_ALL = 32 * 1024
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_NEVER = "cannot be set: the container would not be reachable or not be the one that was planned"
_SECRET = "is a secret, and an environment can be read by everybody who may describe the model"


class ServingError(ValueError):
    """A serving parameter that cannot be used; names the field."""


@dataclass(frozen=True)
class _Dialect:
    """How an engine takes its settings: what we set, what may be set over, what may not be set."""

    prefix: str
    ours: Callable[[EndpointSpec, int], dict[str, str]]
    trust: str  # the variable of model.trust_remote_code
    dtype: tuple[str, str]  # for accelerators without bfloat16; the spec may say otherwise
    never: tuple[str, ...]
    secrets: tuple[str, ...]


def environment(
    spec: EndpointSpec, tensor_parallel: int, *, has_bfloat16: bool = True
) -> dict[str, str]:
    """Returns the environment variables; raises ServingError naming `serving.parameters.<key>`."""
    dialect = _DIALECTS[spec.serving.engine]
    ours = dialect.ours(spec, tensor_parallel)
    if spec.model.trust_remote_code:
        ours[dialect.trust] = "true"
    defaults = {} if has_bfloat16 else dict([dialect.dtype])
    taken = {
        **dict.fromkeys(dialect.never, _NEVER),
        **dict.fromkeys(dialect.secrets, _SECRET),
        **dict.fromkeys([*ours, dialect.trust], "is set from the rest of the spec"),
    }
    theirs: dict[str, str] = {}
    for key, value in spec.serving.parameters.items():
        name = dialect.prefix + key.replace("-", "_").upper()
        problem = taken.get(name) or _problem(spec.serving.engine, name, key, value)
        if problem:
            raise ServingError(f"serving.parameters.{key}: {problem}")
        taken[name] = "is given twice"
        theirs[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return _within_limits({**defaults, **ours, **theirs})


def _problem(engine: Engine, name: str, key: str, value: object) -> str | None:
    if not _VARIABLE.fullmatch(name):
        return "is not the name of a setting: letters, digits, - and _ only"
    if not str(value).isprintable():
        return "holds control characters"
    if engine is Engine.VLLM and value is False:
        # AWS's image leaves a flag out that is "false", and many are on by default.
        flag = key.replace("-", "_")
        return f"vLLM has no false flags: leave it out, or set no_{flag}: true"
    return None


def _vllm(spec: EndpointSpec, tensor_parallel: int) -> dict[str, str]:
    return {
        "SM_VLLM_MODEL": WEIGHTS,
        "SM_VLLM_SERVED_MODEL_NAME": spec.model.id,
        "SM_VLLM_MAX_MODEL_LEN": str(spec.serving.context_tokens),
        "SM_VLLM_MAX_NUM_SEQS": str(spec.serving.concurrency_per_copy),
        "SM_VLLM_TENSOR_PARALLEL_SIZE": str(tensor_parallel),
    }


def _tgi(spec: EndpointSpec, tensor_parallel: int) -> dict[str, str]:
    context = spec.serving.context_tokens
    return {
        "HF_MODEL_ID": WEIGHTS,
        "SM_NUM_GPUS": str(tensor_parallel),
        "MAX_CONCURRENT_REQUESTS": str(spec.serving.concurrency_per_copy),
        "MAX_INPUT_TOKENS": str(context - 1),
        "MAX_TOTAL_TOKENS": str(context),
        "MAX_BATCH_PREFILL_TOKENS": str(context),
        "MESSAGES_API_ENABLED": "true",
    }


def _lmi(spec: EndpointSpec, tensor_parallel: int) -> dict[str, str]:
    # vLLM behind DJL in its asynchronous mode, AWS's recommendation since LMI 15.
    return {
        "HF_MODEL_ID": WEIGHTS,
        "TENSOR_PARALLEL_DEGREE": str(tensor_parallel),
        "OPTION_ASYNC_MODE": "true",
        "OPTION_ROLLING_BATCH": "disable",
        "OPTION_ENTRYPOINT": "djl_python.lmi_vllm.vllm_async_service",
        "OPTION_MAX_MODEL_LEN": str(spec.serving.context_tokens),
        "OPTION_MAX_ROLLING_BATCH_SIZE": str(spec.serving.concurrency_per_copy),
        "SERVING_FAIL_FAST": "true",
    }


_DIALECTS = {
    Engine.VLLM: _Dialect(
        prefix="SM_VLLM_",
        ours=_vllm,
        trust="SM_VLLM_TRUST_REMOTE_CODE",
        dtype=("SM_VLLM_DTYPE", "float16"),
        never=("SM_VLLM_HOST", "SM_VLLM_PORT", "SM_VLLM_UDS", "SM_VLLM_PIPELINE_PARALLEL_SIZE",
               "SM_VLLM_DATA_PARALLEL_SIZE"),
        secrets=("SM_VLLM_API_KEY", "SM_VLLM_HF_TOKEN"),
    ),
    Engine.TGI: _Dialect(
        prefix="",
        ours=_tgi,
        trust="TRUST_REMOTE_CODE",
        dtype=("DTYPE", "float16"),
        never=("MODEL_ID", "PORT", "HOSTNAME", "NUM_SHARD", "SHARDED", "MAX_INPUT_LENGTH"),
        secrets=("API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    ),
    Engine.LMI: _Dialect(
        prefix="OPTION_",
        ours=_lmi,
        trust="OPTION_TRUST_REMOTE_CODE",
        dtype=("OPTION_DTYPE", "fp16"),
        never=("OPTION_MODEL_ID", "OPTION_TENSOR_PARALLEL_DEGREE", "OPTION_MAX_NUM_SEQS",
               "OPTION_PIPELINE_PARALLEL_DEGREE"),
        secrets=("OPTION_HF_TOKEN",),
    ),
}  # fmt: skip


def _within_limits(variables: dict[str, str]) -> dict[str, str]:
    if len(variables) > MOST_ENTRIES:
        raise ServingError(f"serving.parameters: {len(variables)} entries, {MOST_ENTRIES} at most")
    for name, value in variables.items():
        if max(len(name.encode()), len(value.encode())) > MOST_BYTES:
            raise ServingError(f"serving.parameters: {name:.80} is longer than {MOST_BYTES} bytes")
    total = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if total > MOST_BYTES_IN_ALL:
        raise ServingError(f"serving.parameters: {total} bytes in all, {MOST_BYTES_IN_ALL} at most")
    return variables
