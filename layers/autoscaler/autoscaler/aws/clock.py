"""The clock of the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Reads time.time() by its module, so that an accelerated process sees its own time."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), tz=UTC)
