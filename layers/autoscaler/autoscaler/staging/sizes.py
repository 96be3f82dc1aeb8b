"""How much at a time: what one PutObject takes, windows, parts, connections."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from .store import SINGLE_PUT_BYTES
from .windows import CONNECTIONS, WINDOW_BYTES

# Two parts are held in memory: one goes to S3 while the next is read.
PART_BYTES = 32 * 1024 * 1024
# Limits of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
LEAST_PART_BYTES = 5 * 1024 * 1024
MOST_PARTS = 10_000


@dataclass(frozen=True)
class Sizes:
    """Settings of a transfer; `connections` for each file."""

    connections: int = CONNECTIONS
    window_bytes: int = WINDOW_BYTES
    single_put_bytes: int = SINGLE_PUT_BYTES
    part_bytes: int = PART_BYTES

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """STAGING_CONNECTIONS, STAGING_SINGLE_PUT_BYTES, STAGING_PART_BYTES; ValueError if bad."""
        given = {
            name: int(environ[variable])
            for name, variable in (
                ("connections", "STAGING_CONNECTIONS"),
                ("single_put_bytes", "STAGING_SINGLE_PUT_BYTES"),
                ("part_bytes", "STAGING_PART_BYTES"),
            )
            if environ.get(variable)
        }
        sizes = cls(**given)
        if sizes.part_bytes < LEAST_PART_BYTES or sizes.connections < 1:
            raise ValueError(f"a part has 5 MiB at least, and one connection is needed: {sizes}")
        return sizes

    def part_bytes_of(self, size_bytes: int) -> int:
        """As large as it must be so that S3's 10,000 parts do, in whole MiB."""
        least = -(-size_bytes // MOST_PARTS)
        return max(self.part_bytes, -(-least // 2**20) * 2**20)
