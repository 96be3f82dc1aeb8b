"""Checksums that are laid down and taken up again, and the sizes of parts."""

from __future__ import annotations

import base64
import hashlib
import struct

import pytest

from autoscaler.staging import digests
from autoscaler.staging.digests import ResumableSha256, crc64nvme
from autoscaler.staging.errors import StagingError
from autoscaler.staging.sizes import Sizes


def test_the_sha256_is_taken_up_where_it_was_laid_down() -> None:
    content = bytearray(range(256)) * 999
    for cut in (0, 1, 63, 64, 65, 1000, len(content)):
        first = ResumableSha256()
        first.update(memoryview(content)[:cut]) if cut else None
        second = ResumableSha256.resume(first.state)
        second.update(memoryview(content)[cut:]) if cut < len(content) else None
        assert second.hexdigest() == hashlib.sha256(content).hexdigest()
        assert second.hexdigest() == second.hexdigest(), "asking does not change it"


@pytest.mark.parametrize(("held", "digest_bytes"), [(4000, 32), (64, 32), (0, 31), (7, 32)])
def test_a_state_that_would_write_past_its_block_is_refused(held: int, digest_bytes: int) -> None:
    content = bytearray(base64.b64decode(ResumableSha256().state))
    content[104:112] = struct.pack("=II", held, digest_bytes)
    with pytest.raises(ValueError, match="SHA-256 state"):
        ResumableSha256.resume(base64.b64encode(content).decode())


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="112 bytes"):
        ResumableSha256.resume(base64.b64encode(b"short").decode())


def test_a_machine_without_openssl_is_told_in_one_sentence(monkeypatch) -> None:
    monkeypatch.setattr(digests, "_loaded", lambda: None)
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    digests._openssl.cache_clear()
    try:
        with pytest.raises(StagingError, match="files above 5 GiB cannot be staged"):
            ResumableSha256()
    finally:
        digests._openssl.cache_clear()


def test_the_crc_is_the_one_of_the_catalogue() -> None:
    # https://reveng.sourceforge.io/crc-catalogue: CRC-64/NVME, check value of "123456789"
    assert crc64nvme(memoryview(bytearray(b"123456789"))) == 0xAE8B14860A799888
    halves = crc64nvme(memoryview(bytearray(b"56789")), crc64nvme(memoryview(bytearray(b"1234"))))
    assert halves == 0xAE8B14860A799888


@pytest.mark.parametrize(
    ("size_bytes", "part_mib"), [(6 * 2**30, 32), (300 * 2**30, 32), (600 * 2**30, 62)]
)
def test_parts_are_as_large_as_s3s_limit_of_parts_wants(size_bytes: int, part_mib: int) -> None:
    part = Sizes().part_bytes_of(size_bytes)
    assert part == part_mib * 2**20
    assert -(-size_bytes // part) <= 10_000
