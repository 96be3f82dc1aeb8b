"""`make release-archive TAG=v0.1.0`: keeps a release for the tests of those that follow it."""

from __future__ import annotations

import sys

from tests.releases.archive import make
from tests.releases.record import record

if __name__ == "__main__":
    (tag,) = sys.argv[1:]
    make(tag)
    record(tag)
