"""Checksums whose state can be laid down and taken up again, in another process if need be.

hashlib cannot do that, OpenSSL's own context can: 112 bytes that are copied. The functions are
those that hashlib ends in (FIPS 180-4's SHA-256, with the processor's instructions).
"""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import hashlib
import re
import struct
from functools import cache
from pathlib import Path
from typing import Any

from .errors import DigestUnavailableError

# struct SHA256state_st: eight words of state, two of length, sixteen of data, two counters.
_CONTEXT_BYTES = 112
_BLOCK_BYTES = 64
_DIGEST_BYTES = 32
_PAIR = struct.Struct("=II")


class ResumableSha256:
    """SHA-256 over a stream; `state` is what `resume` takes up."""

    def __init__(self) -> None:
        self._context = (ctypes.c_uint8 * _CONTEXT_BYTES)()
        _openssl().SHA256_Init(self._context)

    @classmethod
    def resume(cls, state: str) -> ResumableSha256:
        """Raises ValueError for what `state` did not write: OpenSSL believes its counters, and
        would write past the block."""
        content = base64.b64decode(state, validate=True)
        if len(content) != _CONTEXT_BYTES:
            raise ValueError(f"a SHA-256 state has {_CONTEXT_BYTES} bytes, not {len(content)}")
        bits = _bits(content)
        held, digest_bytes = _PAIR.unpack(content[-_PAIR.size :])
        if held >= _BLOCK_BYTES or digest_bytes != _DIGEST_BYTES:
            raise ValueError("the counters of this SHA-256 state are impossible")
        if bits % 8 or bits // 8 % _BLOCK_BYTES != held:
            raise ValueError("this SHA-256 state contradicts itself")
        digest = cls()
        ctypes.memmove(digest._context, content, _CONTEXT_BYTES)
        return digest

    @property
    def state(self) -> str:
        """Base64; for a machine of the same byte order."""
        return base64.b64encode(bytes(self._context)).decode()

    @property
    def position(self) -> int:
        """Bytes that it has seen."""
        return _bits(bytes(self._context)) // 8

    def update(self, window: memoryview) -> None:
        """Takes writable memory as it is; the interpreter's lock is free meanwhile."""
        block = (ctypes.c_char * len(window)).from_buffer(window)
        _openssl().SHA256_Update(self._context, block, ctypes.c_size_t(len(window)))

    def hexdigest(self) -> str:
        copy = (ctypes.c_uint8 * _CONTEXT_BYTES).from_buffer_copy(self._context)
        digest = (ctypes.c_uint8 * 32)()
        _openssl().SHA256_Final(digest, copy)
        return bytes(digest).hex()


def _bits(context: bytes) -> int:
    low, high = _PAIR.unpack_from(context, 32)
    return int(high << 32 | low)


@cache
def _openssl() -> Any:
    name = _loaded() or ctypes.util.find_library("crypto")
    library = ctypes.CDLL(name) if name else None
    if library is None or not hasattr(library, "SHA256_Update"):
        raise DigestUnavailableError(
            "OpenSSL's libcrypto is not installed as a shared library: files above 5 GiB cannot "
            "be staged from this machine"
        )
    return library


def _loaded() -> str | None:
    """The library that hashlib itself uses; Lambda has no ldconfig that would find it."""
    hashlib.new("sha256")
    maps = Path("/proc/self/maps")
    if not maps.exists():  # not Linux
        return None
    found = re.search(r"\S*/libcrypto\.so\S*", maps.read_text())
    return found[0] if found else None


def crc64nvme(window: memoryview, before: int = 0) -> int:
    """The CRC that S3 keeps of a whole multipart object; `before` goes on from an earlier one."""
    from awscrt import checksums  # 4 MB that only large files need

    return int(checksums.crc64nvme(window, before))


def crc64nvme_text(value: int) -> str:
    """As S3 writes it: big-endian, base64."""
    return base64.b64encode(value.to_bytes(8, "big")).decode()
