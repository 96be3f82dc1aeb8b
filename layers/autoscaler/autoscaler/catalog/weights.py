"""Bytes and parameters by dtype, from the headers of safetensors files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

# Several quantized values in one stored number: AWQ and GPTQ, compressed-tensors, MXFP4.
_PACKED = ("qweight", "weight_packed", "_blocks")
# What quantization adds beside the weights.
_BESIDE = ("scales", "qzeros", "g_idx", "weight_scale", "weight_scale_inv", "weight_zero_point",
           "weight_shape", "input_scale", "_scales")  # fmt: skip
_STORED_BITS = {"I32": 32, "U32": 32, "I64": 64, "U8": 8, "I8": 8}


@dataclass(frozen=True)
class Weights:
    """What the headers of all files of a model say together."""

    bytes_by_dtype: Mapping[str, int]
    params: int


def weights_of(headers: Iterable[Mapping[str, Any]], bits: int | None = None) -> Weights:
    """Sums up parsed headers. `bits` of a quantized value; without it a packed number is one."""
    sizes: Counter[str] = Counter()
    params = 0
    for header in headers:
        for name, tensor in header.items():
            if name == "__metadata__":
                continue
            start, end = tensor["data_offsets"]
            sizes[tensor["dtype"]] += end - start
            params += _params(name, tensor, bits)
    return Weights(dict(sizes.most_common()), params)


def _params(name: str, tensor: Mapping[str, Any], bits: int | None) -> int:
    if name.endswith(_BESIDE):
        return 0
    stored = _STORED_BITS.get(tensor["dtype"])
    packed = stored // bits if stored and bits and name.endswith(_PACKED) else 1
    elements: int = prod(tensor["shape"])
    return elements * packed
