"""`make bench-staging`: prints what one run on this machine measured, beside what was asked."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from benchmarks.staging.figures import Figure, at_least, at_most, show
from benchmarks.staging.runs import Bench, Usage, bare_pipeline, hash_rate

_MIB = 2**20


def main() -> None:
    """Makes the files in memory, measures, shows, removes; ends with 1 when something misses."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=8)
    arguments.add_argument("--mib", type=int, default=256, help="size of each file")
    arguments.add_argument("--rounds", type=int, default=3, help="of each side, alternating")
    given = arguments.parse_args()
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None))
    try:
        found = _measured(Bench(folder, given.files, given.mib * _MIB), given.rounds)
    finally:
        shutil.rmtree(folder)
    if not show(found, os.cpu_count()):
        raise SystemExit(1)


def _measured(bench: Bench, rounds: int) -> list[Figure]:
    ours: list[Usage] = []
    usual: list[Usage] = []
    for _ in range(rounds):  # alternating: the machine's mood is shared
        ours.append(bench.ours())
        usual.append(bench.usual())
    best, theirs = min(ours, key=_seconds), min(usual, key=_seconds)
    bound = bare_pipeline(bench)
    hashes = hash_rate()
    # S3 hashes every byte, on cores that the bare pipeline uses as well.
    cores = os.cpu_count() or 1
    allowed = 1 / (1 / bound + 1 / (hashes * cores))
    one, many = bench.throttled(1), bench.throttled(8)
    large = bench.in_parts()
    killed = bench.killed()
    peak, large_peak = max(u.peak_bytes for u in ours) / _MIB, large.peak_bytes / _MIB
    return [
        Figure("ours", f"{best.rate / _MIB:,.0f} MiB/s"),
        Figure("snapshot_download, then boto3", f"{theirs.rate / _MIB:,.0f} MiB/s"),
        at_least("ratio", best.rate / theirs.rate, 4, "{:.1f}x"),
        at_most("resident memory of ours", peak, 200, "{:.0f} MiB"),
        Figure("ours, in parts", f"{large.rate / _MIB:,.0f} MiB/s"),
        at_most("resident memory of ours, in parts", large_peak, 200, "{:.0f} MiB"),
        Figure("loopback without hashing", f"{bound / _MIB:,.0f} MiB/s"),
        Figure("SHA-256 of one core", f"{hashes / _MIB:,.0f} MiB/s"),
        at_least("ours, of what the cores allow", best.rate / allowed, 0.75, "{:.0%}"),
        at_least("8 throttled connections to 1", many / one, 6, "{:.1f}x"),
        at_most("parts sent to S3 again after kill -9", killed.to_s3, 1, "{:.2f}"),
        at_most("parts asked of the Hub again", killed.from_hub, 1, "{:.2f}"),
    ]


def _seconds(usage: Usage) -> float:
    return usage.seconds


if __name__ == "__main__":
    main()
