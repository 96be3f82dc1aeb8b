"""How much a person's order may say: the command line refuses what the stack would refuse."""

from __future__ import annotations

from datetime import timedelta

LONGEST_REASON = 200  # characters
LONGEST_OVERRIDE = timedelta(days=366)
