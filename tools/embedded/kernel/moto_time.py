"""moto lives in the account's time: queues, tables and objects follow the simulated clock."""

from __future__ import annotations

from datetime import datetime

from tools.embedded.types import Clock


class _Present:
    """The clock of the account that runs now; moto's modules keep only the function below."""

    clock: Clock | None = None


def _utcnow() -> datetime:
    assert _Present.clock is not None
    return _Present.clock.now().replace(tzinfo=None)


def install(clock: Clock) -> None:
    """Makes `clock` moto's; must run before moto's backends are imported for the first time."""
    import moto.core.utils

    _Present.clock = clock
    moto.core.utils.utcnow = _utcnow
