"""The header check against every cut of the stream and every single change.

1. A valid file passes, however it is cut into chunks.
2. Any change to one tensor's span, and any other file length, is refused.
3. Arbitrary bytes never raise anything but IntegrityError.
4. Names: whatever passes stays below its folder after decoding.
"""

from __future__ import annotations

import contextlib
import json
import math
import posixpath
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.staging.errors import IntegrityError, UnsafeNameError
from autoscaler.staging.names import check_name
from autoscaler.staging.safetensors_header import SafetensorsCheck, check_header

WIDTHS = {"U8": 1, "BF16": 2, "F32": 4, "I64": 8}


@st.composite
def headers(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    names = draw(st.lists(st.text(min_size=1, max_size=8), max_size=6, unique=True))
    header: dict[str, Any] = {}
    position = 0
    for name in names:
        dtype = draw(st.sampled_from(sorted(WIDTHS)))
        shape = draw(st.lists(st.integers(0, 5), max_size=3))
        size_bytes = math.prod(shape) * WIDTHS[dtype]
        span = [position, position + size_bytes]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": span}
        position += size_bytes
    return {k: header[k] for k in draw(st.permutations(list(header)))}, position


def file_of(header: dict[str, Any], data_bytes: int) -> bytes:
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + bytes(data_bytes)


@given(headers(), st.lists(st.integers(1, 64), max_size=20))
def test_a_valid_file_passes_however_it_is_cut(
    made: tuple[dict[str, Any], int], cuts: list[int]
) -> None:
    content = file_of(*made)
    check = SafetensorsCheck("m", len(content))
    start = 0
    for cut in [*cuts, len(content)]:
        check.feed(content[start : start + cut])
        start += cut
    check.finish()


@given(headers(), st.integers(-50, 50).filter(bool))
def test_another_length_is_refused(made: tuple[dict[str, Any], int], change: int) -> None:
    header, data_bytes = made
    with pytest.raises(IntegrityError):
        check_header("m", json.dumps(header).encode(), data_bytes + change)


@given(headers(), st.data())
def test_a_moved_span_is_refused(made: tuple[dict[str, Any], int], data: st.DataObject) -> None:
    header, data_bytes = made
    movable = [n for n, t in header.items() if t["data_offsets"][0] != t["data_offsets"][1]]
    if not movable:
        return
    name = data.draw(st.sampled_from(movable))
    edge = data.draw(st.integers(0, 1))
    change = data.draw(st.integers(-9, 9).filter(bool))
    header[name]["data_offsets"][edge] += change
    with pytest.raises(IntegrityError):
        check_header("m", json.dumps(header).encode(), data_bytes)


@settings(max_examples=300)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_arbitrary_bytes_are_refused_and_never_crash(content: bytes, size_bytes: int) -> None:
    check = SafetensorsCheck("m", size_bytes)
    with contextlib.suppress(IntegrityError):
        check.feed(content)
        check.finish()


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_arbitrary_headers_are_refused_and_never_crash(header: bytes) -> None:
    with contextlib.suppress(IntegrityError):
        check_header("m", b"{" + header, 0)


@settings(max_examples=500)
@given(st.text(st.sampled_from("ab./\\%25ef0C \n"), min_size=1, max_size=24))
def test_a_name_that_passes_stays_below_its_folder(path: str) -> None:
    with contextlib.suppress(UnsafeNameError):
        check_name(path)
        for name in (path, unquote(path), unquote(unquote(path))):
            joined = posixpath.normpath(posixpath.join("/models/x", name))
            assert joined.startswith("/models/x/")
            assert joined == f"/models/x/{name}"
