"""The container's environment, from the spec; within SageMaker's limits."""

from __future__ import annotations

from ..spec import EndpointSpec, Engine

WEIGHTS = "/opt/ml/model"
MOST_ENTRIES = 100
MOST_BYTES = 1024
MOST_BYTES_IN_ALL = 32 * 1024
_PREFIX = {Engine.VLLM: "SM_VLLM_", Engine.TGI: "", Engine.LMI: "OPTION_"}


class ServingError(ValueError):
    """A serving parameter that cannot be used; names the field."""


def environment(spec: EndpointSpec, tensor_parallel: int) -> dict[str, str]:
    """Returns the environment variables; raises ServingError naming `serving.parameters.<key>`."""
    ours = _OURS[spec.serving.engine](spec, tensor_parallel)
    prefix = _PREFIX[spec.serving.engine]
    theirs: dict[str, str] = {}
    for key, value in spec.serving.parameters.items():
        name = prefix + key.replace("-", "_").upper()
        if name in ours:
            raise ServingError(f"serving.parameters.{key}: is set from the rest of the spec")
        theirs[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return _within_limits({**ours, **theirs})


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
    return {
        "HF_MODEL_ID": WEIGHTS,
        "TENSOR_PARALLEL_DEGREE": str(tensor_parallel),
        "OPTION_ROLLING_BATCH": "vllm",
        "OPTION_MAX_MODEL_LEN": str(spec.serving.context_tokens),
        "OPTION_MAX_ROLLING_BATCH_SIZE": str(spec.serving.concurrency_per_copy),
    }


_OURS = {Engine.VLLM: _vllm, Engine.TGI: _tgi, Engine.LMI: _lmi}


def _within_limits(variables: dict[str, str]) -> dict[str, str]:
    if len(variables) > MOST_ENTRIES:
        raise ServingError(f"serving.parameters: {len(variables)} entries, {MOST_ENTRIES} at most")
    for name, value in variables.items():
        if max(len(name.encode()), len(value.encode())) > MOST_BYTES:
            raise ServingError(f"serving.parameters: {name} is longer than {MOST_BYTES} bytes")
    total = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if total > MOST_BYTES_IN_ALL:
        raise ServingError(f"serving.parameters: {total} bytes in all, {MOST_BYTES_IN_ALL} at most")
    return variables
