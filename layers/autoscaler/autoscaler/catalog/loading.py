"""How fast weights come to a copy, and what a start from zero should take before one was measured.

The figures are those of FACTS.md, "How long, how much".
"""

from __future__ import annotations

from datetime import timedelta

from .facts import ModelFacts
from .instances import MIB

# From zero an instance is there after 1.75 min.
PROVISIONING = timedelta(seconds=105)
# From S3 into the accelerators, with the engine's own start. DeepSeek-R1 671B (689 GB) was up after
# 30 to 45 min on ml.p5en, which is 387 to 253 MiB/s once it had its instance. The slow end of it:
# what is up too early costs its minutes once, what is late a part of the window. A 70B loads
# faster; an 8B on a small machine slower (93 MiB/s), within what is expected at least all the same.
USUAL_BYTES_PER_SECOND = 250 * MIB
# What SageMaker waits for before it gives a start up. Not what is expected: R1 would take 111 min.
SLOWEST_BYTES_PER_SECOND = 100 * MIB


def expected_start(facts: ModelFacts) -> timedelta:
    """From the wish for a copy at zero instances until it answers: its instance, its weights."""
    return PROVISIONING + timedelta(seconds=round(facts.weight_bytes / USUAL_BYTES_PER_SECOND))
