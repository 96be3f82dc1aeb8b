"""Safetensors and GGUF headers, right and wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autoscaler.staging.errors import IntegrityError
from autoscaler.staging.safetensors_header import SafetensorsCheck, check_header


def tensor(dtype: str, shape: list[Any], start: Any, end: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


GOOD = {"a": tensor("F32", [2, 2], 0, 16), "b": tensor("BF16", [3], 16, 22)}
WRONG: list[tuple[Any, int, str]] = [
    ({**GOOD, "b": tensor("BF16", [3], 18, 24)}, 24, "leaves a gap"),
    ({**GOOD, "b": tensor("BF16", [3], 14, 20)}, 20, "overlaps"),
    ({"a": tensor("F32", [1], 4, 8)}, 8, "leaves a gap"),
    (GOOD, 21, "its tensors take 22 bytes, but 21 follow"),
    (GOOD, 23, "its tensors take 22 bytes, but 23 follow"),
    ({"a": tensor("F32", [2], 0, 4)}, 4, "takes 8 bytes, but spans 4"),
    ({"a": tensor("F32", [1], 4, 0)}, 4, "takes 4 bytes"),
    ({"a": tensor("F4", [3], 0, 1)}, 1, "takes 1 bytes"),
    ({"a": tensor("OBJECT", [1], 0, 8)}, 8, "unknown dtype"),
    ({"a": {**tensor("F32", [1], 0, 4), "extra": 1}}, 4, "is not dtype, shape and data_offsets"),
    ({"a": {"dtype": "F32", "shape": [1]}}, 4, "is not dtype, shape and data_offsets"),
    ({"a": [1]}, 4, "is not dtype, shape and data_offsets"),
    ({"a": tensor("F32", [-1], 0, 4)}, 4, "impossible"),
    ({"a": tensor("F32", [True], 0, 4)}, 4, "impossible"),
    ({"a": tensor("F32", [1.0], 0, 4)}, 4, "impossible"),
    ({"a": tensor("F32", [2**62, 2**62], 0, 4)}, 4, "impossible"),
    ({"a": tensor("F32", [1] * 65, 0, 4)}, 4, "impossible"),
    ({"a": tensor("F32", [1], "0", 4)}, 4, "impossible"),
    ({"__metadata__": {"format": 1}}, 0, "not a mapping of texts"),
    ({"__metadata__": "x"}, 0, "not a mapping of texts"),
]


def encoded(header: Any) -> bytes:
    return json.dumps(header).encode()


def test_a_right_header_passes() -> None:
    check_header("m", encoded({"__metadata__": {"format": "pt"}, **GOOD}), 22)
    check_header("m", encoded({"empty": tensor("F32", [0, 4], 0, 0), **GOOD}), 22)
    check_header("m", encoded({"a": tensor("F4", [4], 0, 2)}), 2)


@pytest.mark.parametrize(("header", "data_bytes", "why"), WRONG)
def test_wrong_headers_are_refused(header: Any, data_bytes: int, why: str) -> None:
    with pytest.raises(IntegrityError, match=why):
        check_header("m", encoded(header), data_bytes)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b'{"a": 1, "a": 2}', "there twice"),
        (b'{"a": {"dtype": "F32", "dtype": "F32"}}', "there twice"),
        (b'[{"a": 1}]', "does not begin"),
        (b" {}", "does not begin"),
        (b"{", "is not valid"),
        (b"{\xff}", "is not valid"),
        (b'{"a":' + b"[" * 100_000, "is not valid"),
    ],
)
def test_headers_that_are_no_json_are_refused(header: bytes, why: str) -> None:
    with pytest.raises(IntegrityError, match=why):
        check_header("m", header, 0)


@pytest.mark.parametrize("length", [0, 1, 1000, 2**63, 2**64 - 1])
def test_an_impossible_header_length_is_refused_with_eight_bytes(length: int) -> None:
    check = SafetensorsCheck("m", 500)
    with pytest.raises(IntegrityError, match=f"claims {length} bytes"):
        check.feed(length.to_bytes(8, "little"))


def test_a_file_that_ends_in_its_header_is_refused() -> None:
    check = SafetensorsCheck("m", 500)
    check.feed((100).to_bytes(8, "little") + b"{")
    with pytest.raises(IntegrityError, match="ends inside"):
        check.finish()
