"""Checks a GGUF file while it streams: its metadata and tensor list are walked, value by value.

The format, little-endian: magic, version, two counts; for each of the metadata a name, a type and
a value; for each tensor a name, dimensions, a type and an offset; then the tensors, aligned.
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from itertools import pairwise

from .errors import IntegrityError

# A vocabulary lies in the metadata: the largest are some 10 MB. Not more than a part of a large
# file has, whose header must lie in its first part.
MAX_HEADER_BYTES = 32 * 1024 * 1024
_VERSIONS = {2, 3}
_MAX_TENSORS = 1_000_000
_MAX_METADATA = 100_000
_MAX_NAME_BYTES = 65_535
_MAX_DIMENSIONS = 4
_MAX_ELEMENTS = 2**63
_MAX_DEPTH = 4
_DEFAULT_ALIGNMENT = 32
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_STRING, _ARRAY = 8, 9
_FIXED_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
# Of each tensor type: elements of a block, and its bytes. Others are newer than this table: their
# offsets are checked, their sizes cannot be.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
    22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
# Asks for the next so many bytes.
_Walk = Generator[int, bytes, None]


class GgufCheck:
    """Like SafetensorsCheck, for GGUF."""

    def __init__(self, path: str, size_bytes: int) -> None:
        self._path, self._size_bytes = path, size_bytes
        self._held, self._position = bytearray(), 0
        self._alignment = _DEFAULT_ALIGNMENT
        self._walk = self._header()
        self._wanted = next(self._walk)
        self.done = False

    def feed(self, chunk: bytes | memoryview) -> None:
        if self.done:
            return
        self._held += chunk
        taken = 0
        while not self.done and len(self._held) - taken >= self._wanted:
            piece = bytes(self._held[taken : taken + self._wanted])
            taken += self._wanted
            self._position += self._wanted
            try:
                self._wanted = self._walk.send(piece)
            except StopIteration:
                self.done = True
            if self._position + self._wanted > MAX_HEADER_BYTES and not self.done:
                raise self._wrong(f"its GGUF header has more than {MAX_HEADER_BYTES} bytes")
        del self._held[: len(self._held) if self.done else taken]

    def finish(self) -> None:
        if not self.done:
            raise self._wrong("ends inside its GGUF header")

    def _wrong(self, why: str) -> IntegrityError:
        return IntegrityError(f"{self._path}: {why}")

    def _header(self) -> _Walk:
        head = yield 24
        version = int.from_bytes(head[4:8], "little")
        tensors = int.from_bytes(head[8:16], "little")
        metadata = int.from_bytes(head[16:24], "little")
        if head[:4] != b"GGUF" or version not in _VERSIONS:
            raise self._wrong("not a GGUF file of version 2 or 3")
        if not 0 < tensors <= _MAX_TENSORS or metadata > _MAX_METADATA:
            raise self._wrong("its GGUF header is not believable")
        names: set[bytes] = set()
        for _ in range(metadata):
            name = yield from self._name(names)
            kind = yield from self._number(_U32)
            if name == b"general.alignment" and kind == 4:
                self._alignment = yield from self._number(_U32)
            else:
                yield from self._value(kind, _MAX_DEPTH)
        if self._alignment % 8 or not self._alignment:
            raise self._wrong(f"its GGUF header wants an alignment of {self._alignment}")
        spans, names = [], set()
        for _ in range(tensors):
            spans.append((yield from self._tensor(names)))
        self._check_spans(spans)

    def _number(self, form: struct.Struct) -> Generator[int, bytes, int]:
        return int(form.unpack((yield form.size))[0])

    def _bytes(self, most: int) -> Generator[int, bytes, bytes]:
        length = yield from self._number(_U64)
        if length > most:
            raise self._wrong(f"its GGUF header has a text of {length} bytes")
        return (yield length) if length else b""

    def _name(self, taken: set[bytes]) -> Generator[int, bytes, bytes]:
        name = yield from self._bytes(_MAX_NAME_BYTES)
        if not name or name in taken:
            raise self._wrong(f"its GGUF header has the name {name[:80]!r} twice, or without text")
        taken.add(name)
        return name

    def _value(self, kind: int, depth: int) -> _Walk:
        if kind in _FIXED_BYTES:
            yield _FIXED_BYTES[kind]
        elif kind == _STRING:
            yield from self._bytes(MAX_HEADER_BYTES)
        elif kind == _ARRAY and depth:
            kind = yield from self._number(_U32)
            count = yield from self._number(_U64)
            if count * _FIXED_BYTES.get(kind, 1) > MAX_HEADER_BYTES:
                raise self._wrong(f"its GGUF header has an array of {count} values")
            if kind in _FIXED_BYTES:
                if count:
                    yield count * _FIXED_BYTES[kind]
                return
            for _ in range(count):
                yield from self._value(kind, depth - 1)
        else:
            raise self._wrong(f"its GGUF header has a value of the unknown type {kind}")

    def _tensor(self, names: set[bytes]) -> Generator[int, bytes, tuple[int, int]]:
        """Offset, and bytes (0 when the type is not known)."""
        name = yield from self._name(names)
        dimensions = yield from self._number(_U32)
        if dimensions > _MAX_DIMENSIONS:
            raise self._wrong(f"tensor {name[:80]!r} has {dimensions} dimensions")
        elements = 1
        first = 1
        for number in range(dimensions):
            dimension = yield from self._number(_U64)
            elements *= dimension
            first = dimension if number == 0 else first
        kind = yield from self._number(_U32)
        offset = yield from self._number(_U64)
        if not 0 < elements < _MAX_ELEMENTS or offset % self._alignment:
            raise self._wrong(f"tensor {name[:80]!r} has an impossible shape or offset")
        block, block_bytes = _BLOCKS.get(kind, (1, 0))
        if first % block:
            raise self._wrong(f"tensor {name[:80]!r} is not of whole blocks of its type")
        return offset, elements // block * block_bytes

    def _check_spans(self, spans: list[tuple[int, int]]) -> None:
        start = -(-self._position // self._alignment) * self._alignment
        data_bytes = self._size_bytes - start
        for offset, size_bytes in spans:
            if offset + max(size_bytes, 1) > data_bytes:
                raise self._wrong(
                    f"a tensor ends at byte {offset + size_bytes} of {data_bytes} after the header"
                )
        for (offset, size_bytes), (following, _) in pairwise(sorted(spans)):
            if offset + max(size_bytes, 1) > following:
                raise self._wrong("its tensors overlap")
