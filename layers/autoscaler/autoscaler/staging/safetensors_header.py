"""Checks a safetensors file while it streams: its header promises exactly the bytes that follow.

The format: 8 bytes little-endian N, N bytes of JSON (dtype, shape and span of each tensor), data.
"""

from __future__ import annotations

import json
from typing import Any

from .errors import IntegrityError

# The reference reader takes 100 MB; parsed, that would be a gigabyte of memory. A shard of
# DeepSeek-R1 has 100 kB.
MAX_HEADER_BYTES = 16 * 1024 * 1024
_MAX_RANK = 64
_LENGTH_BYTES = 8
_MAX_DIMENSION = 2**63
# F4 and F6 types are counted in bits because they share bytes.
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


class SafetensorsCheck:
    """Fed with a file's first bytes; raises IntegrityError at the first that cannot be right."""

    def __init__(self, path: str, size_bytes: int) -> None:
        self._path, self._size_bytes = path, size_bytes
        self._head = bytearray()
        self._header_bytes: int | None = None
        self.done = False

    def feed(self, chunk: bytes | memoryview) -> None:
        if self.done:
            return
        self._head += chunk
        if self._header_bytes is None:
            if len(self._head) < _LENGTH_BYTES:
                return
            self._header_bytes = self._length()
        end = _LENGTH_BYTES + self._header_bytes
        if len(self._head) >= end:
            header = bytes(self._head[_LENGTH_BYTES:end])
            self._head.clear()
            self.done = True
            check_header(self._path, header, self._size_bytes - end)

    def finish(self) -> None:
        """Raises IntegrityError when the file ended inside its header."""
        if not self.done:
            raise IntegrityError(f"{self._path}: ends inside its safetensors header")

    def _length(self) -> int:
        length = int.from_bytes(self._head[:_LENGTH_BYTES], "little")
        if not 2 <= length <= min(MAX_HEADER_BYTES, self._size_bytes - _LENGTH_BYTES):
            raise IntegrityError(
                f"{self._path}: its safetensors header claims {length} bytes "
                f"of a file of {self._size_bytes}"
            )
        return length


def check_header(path: str, header: bytes, data_bytes: int) -> None:
    """Raises IntegrityError unless the spans cover `data_bytes` without gap, overlap or overrun."""
    spans = []
    for name, tensor in _parse(path, header).items():
        if name == "__metadata__":
            _check_metadata(path, tensor)
        else:
            spans.append((*_span(path, name, tensor), name))
    position = 0
    for start, end, name in sorted(spans):
        if start != position:
            kind = "overlaps another" if start < position else "leaves a gap before it"
            raise IntegrityError(f"{path}: tensor {name!r} {kind}")
        position = end
    if position != data_bytes:
        raise IntegrityError(
            f"{path}: its tensors take {position} bytes, but {data_bytes} follow the header"
        )


def _parse(path: str, header: bytes) -> dict[str, Any]:
    if not header.startswith(b"{"):
        raise IntegrityError(f"{path}: its safetensors header does not begin with {{")
    try:
        parsed = json.loads(header.decode("utf-8"), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as wrong:
        raise IntegrityError(f"{path}: its safetensors header is not valid: {wrong}") from wrong
    assert isinstance(parsed, dict)  # it begins with a brace
    return parsed


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a name is there twice")
    return unique


def _check_metadata(path: str, metadata: Any) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise IntegrityError(f"{path}: __metadata__ is not a mapping of texts")


def _span(path: str, name: str, tensor: Any) -> tuple[int, int]:
    if not isinstance(tensor, dict) or set(tensor) != {"dtype", "shape", "data_offsets"}:
        raise IntegrityError(f"{path}: tensor {name!r} is not dtype, shape and data_offsets")
    dtype, shape, offsets = tensor["dtype"], tensor["shape"], tensor["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise IntegrityError(f"{path}: tensor {name!r} has the unknown dtype {dtype!r}")
    if not _are_counts(shape, _MAX_RANK) or not _are_counts(offsets, 2) or len(offsets) != 2:
        raise IntegrityError(f"{path}: tensor {name!r} has an impossible shape or span")
    start, end = offsets
    bits = _BITS[dtype]
    for dimension in shape:
        bits *= dimension
        if bits >= _MAX_DIMENSION and 0 not in shape:
            raise IntegrityError(f"{path}: tensor {name!r} has an impossible shape or span")
    if end < start or bits % 8 or end - start != bits // 8:
        raise IntegrityError(
            f"{path}: tensor {name!r} of {dtype} {shape} takes {bits // 8} bytes, "
            f"but spans {end - start}"
        )
    return start, end


def _are_counts(values: Any, at_most: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) <= at_most
        and all(type(value) is int and 0 <= value < _MAX_DIMENSION for value in values)
    )
