"""Checks the fixed head of a GGUF file while it streams: magic, version and believable counts."""

from __future__ import annotations

from .errors import IntegrityError

_HEAD_BYTES = 24
_VERSIONS = {2, 3}
_MAX_TENSORS = 1_000_000
_MAX_METADATA = 100_000


class GgufCheck:
    """Like SafetensorsCheck, for GGUF. The metadata itself is not parsed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._head = b""
        self.done = False

    def feed(self, chunk: bytes | memoryview) -> None:
        if self.done:
            return
        self._head += chunk[:_HEAD_BYTES]
        if len(self._head) < _HEAD_BYTES:
            return
        self.done = True
        version = int.from_bytes(self._head[4:8], "little")
        tensors = int.from_bytes(self._head[8:16], "little")
        metadata = int.from_bytes(self._head[16:24], "little")
        if self._head[:4] != b"GGUF" or version not in _VERSIONS:
            raise IntegrityError(f"{self._path}: not a GGUF file of version 2 or 3")
        if tensors > _MAX_TENSORS or metadata > _MAX_METADATA:
            raise IntegrityError(f"{self._path}: its GGUF header is not believable")

    def finish(self) -> None:
        if not self.done:
            raise IntegrityError(f"{self._path}: ends inside its GGUF header")
