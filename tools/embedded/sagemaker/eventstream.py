"""The event stream encoding: prelude, headers, payload, two checksums (big-endian, CRC-32)."""

from __future__ import annotations

import json
import struct
from binascii import crc32
from collections.abc import Mapping

_STRING = b"\x07"  # the only header type that SageMaker uses


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    packed = b"".join(
        bytes((len(name),))
        + name.encode()
        + _STRING
        + struct.pack(">H", len(value.encode()))
        + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    body = prelude + struct.pack(">I", crc32(prelude)) + packed + payload
    return body + struct.pack(">I", crc32(body))


def payload_part(payload: bytes) -> bytes:
    """A piece of the model's answer."""
    headers = {
        ":message-type": "event",
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
    }
    return message(headers, payload)


def exception(kind: str, members: Mapping[str, str]) -> bytes:
    """ModelStreamError or InternalStreamFailure, in the middle of an answer."""
    headers = {
        ":message-type": "exception",
        ":exception-type": kind,
        ":content-type": "application/json",
    }
    return message(headers, json.dumps(dict(members)).encode())
