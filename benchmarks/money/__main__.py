"""Prints what was measured about time and money, and what was asked."""

from __future__ import annotations

import argparse
import importlib
import os

from benchmarks.staging.figures import Figure, show

# Each has figures() -> list[Figure].
PARTS = {
    "schedules": "A year of windows in five time zones, minute by minute",
    "ledger": "The ledger against exact billing, in virtual time",
    "controller": "What the controller itself costs, counted",
}


def main() -> None:
    """Measures and shows; ends with 1 when something that was asked for is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", choices=sorted(PARTS), help="one part alone")
    only = arguments.parse_args().only
    met = [_shown(part) for part in PARTS if only in (None, part)]
    if not all(met):
        raise SystemExit(1)


def _shown(part: str) -> bool:
    found: list[Figure] = importlib.import_module(f"benchmarks.money.{part}").figures()
    return show(found, os.cpu_count(), PARTS[part])


if __name__ == "__main__":
    main()
