"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no falsification: speed is measured by benchmarks, as ratios.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
