"""GGUF headers, right and wrong, in whatever pieces they come."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from autoscaler.staging.errors import IntegrityError
from autoscaler.staging.gguf_header import MAX_HEADER_BYTES, GgufCheck

U8, U32, TEXT, ARRAY = 0, 4, 8, 9
F32, Q4_K, NEWER = 0, 12, 99


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def entry(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def array(kind: int, *values: bytes) -> bytes:
    return struct.pack("<IQ", kind, len(values)) + b"".join(values)


def tensor(name: str, shape: Sequence[int], kind: int, offset: int) -> bytes:
    dimensions = b"".join(struct.pack("<Q", n) for n in shape)
    return (
        text(name) + struct.pack("<I", len(shape)) + dimensions + struct.pack("<IQ", kind, offset)
    )


METADATA = [
    entry("general.architecture", TEXT, text("llama")),
    entry("tokens", ARRAY, array(TEXT, *(text(f"t{n}") for n in range(500)))),
    entry("scores", ARRAY, array(U32, *(struct.pack("<I", n) for n in range(500)))),
    entry("deep", ARRAY, array(ARRAY, array(U8, b"1", b"2"), array(U8))),
]
TENSORS = [
    tensor("a", (256, 2), Q4_K, 0),
    tensor("b", (5,), F32, 288),
    tensor("c", (3,), NEWER, 320),
]
DATA_BYTES = 400


def gguf(
    metadata: Sequence[bytes] = METADATA,
    tensors: Sequence[bytes] = TENSORS,
    data_bytes: int = DATA_BYTES,
    head: bytes = b"",
) -> bytes:
    head = head or b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    content = head + b"".join((*metadata, *tensors))
    return content + b"\0" * (-len(content) % 32) + b"\7" * data_bytes


def check(content: bytes, piece: int | None = None) -> None:
    seen = GgufCheck("m.gguf", len(content))
    for start in range(0, len(content), piece or len(content)):
        seen.feed(memoryview(content)[start : start + (piece or len(content))])
    seen.finish()


@pytest.mark.parametrize("piece", [None, 1, 7, 24, 1000])
def test_a_right_header_passes_in_any_pieces(piece: int | None) -> None:
    check(gguf(), piece)


def test_another_alignment_is_kept_to() -> None:
    aligned = [entry("general.alignment", U32, struct.pack("<I", 64))]
    check(gguf(aligned, [tensor("a", (8,), F32, 64)]))
    with pytest.raises(IntegrityError, match="impossible shape or offset"):
        check(gguf(aligned, [tensor("a", (8,), F32, 32)]))


def head(magic: bytes = b"GGUF", version: int = 3, tensors: int = 1, metadata: int = 0) -> bytes:
    return magic + struct.pack("<IQQ", version, tensors, metadata)


WRONG = {
    "another magic": (gguf(head=head(b"GGML")), "not a GGUF file"),
    "another version": (gguf(head=head(version=9)), "not a GGUF file"),
    "no tensors": (gguf(head=head(tensors=0)), "not believable"),
    "too many tensors": (gguf(head=head(tensors=2**40)), "not believable"),
    "too much metadata": (gguf(head=head(metadata=2**40)), "not believable"),
    "junk after the counts": (head(metadata=7) + b"\xff" * 99, "a text"),
    "a name of a gigabyte": (head(metadata=1) + struct.pack("<Q", 2**30), "a text of 1073741824"),
    "a name twice": (gguf([entry("x", U8, b"1")] * 2), "twice"),
    "a tensor twice": (gguf(tensors=[tensor("a", (8,), F32, 0)] * 2), "twice"),
    "a type that is none": (gguf([entry("x", 13, b"1")]), "unknown type 13"),
    "an endless array": (gguf([entry("x", ARRAY, struct.pack("<IQ", U32, 2**50))]), "an array of"),
    "arrays in arrays": (gguf([entry("x", ARRAY, array(ARRAY, b"") * 9)]), "unknown type"),
    "five dimensions": (gguf(tensors=[tensor("a", (1,) * 5, F32, 0)]), "5 dimensions"),
    "no elements": (gguf(tensors=[tensor("a", (0,), F32, 0)]), "impossible shape"),
    "too many elements": (gguf(tensors=[tensor("a", (2**40, 2**40), F32, 0)]), "impossible shape"),
    "an odd offset": (gguf(tensors=[tensor("a", (8,), F32, 1)]), "impossible shape or offset"),
    "half a block": (gguf(tensors=[tensor("a", (100,), Q4_K, 0)]), "not of whole blocks"),
    "beyond the end": (gguf(data_bytes=320), "ends at byte"),
    "one byte beyond": (gguf(tensors=[tensor("a", (8,), F32, 0)], data_bytes=31), "ends at byte"),
    "overlapping": (
        gguf(tensors=[tensor("a", (9,), F32, 0), tensor("b", (8,), F32, 32)]),
        "its tensors overlap",
    ),
    "cut in its header": (gguf()[:200], "ends inside its GGUF header"),
    "cut in its counts": (gguf()[:20], "ends inside its GGUF header"),
}


@pytest.mark.parametrize(("content", "why"), WRONG.values(), ids=WRONG)
def test_wrong_headers_are_refused(content: bytes, why: str) -> None:
    with pytest.raises(IntegrityError, match=why):
        check(content)


def test_a_header_without_an_end_is_refused_within_the_bound() -> None:
    claim = head(metadata=1) + text("x") + struct.pack("<IQ", TEXT, MAX_HEADER_BYTES)
    seen = GgufCheck("m.gguf", 2**40)
    with pytest.raises(IntegrityError, match="more than 33554432 bytes"):
        seen.feed(claim)
