"""When the gateway's keys are read again: every five minutes, and by the first after a pause.

Between two requests a Lambda is frozen, for hours if nobody asks; then no task of it goes on.
"""

from __future__ import annotations

import asyncio

from ..runtime.logs import logger
from .access import Renewed
from .states import States
from .troubles import logged

RENEW_SECONDS = 300.0
# Then the request is judged by the keys that are known: Secrets Manager is out of reach.
_PATIENCE_SECONDS = 10.0


class Renewing:
    """Renews one gateway's keys. A look that fails is logged; the next one may find them again."""

    def __init__(self, keys: Renewed, states: States) -> None:
        self._keys, self._states = keys, states
        self._look: asyncio.Task[None] | None = None

    async def keep_renewing(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self.renew_if_due()

    async def renew_if_due(self) -> None:
        """Returns when the keys are as young as they should be, or were asked for in vain. All who
        come while they are looked at wait for the same look, and nobody ends it by going away."""
        if self._look is None or self._look.done():
            if self._keys.unread_seconds() < RENEW_SECONDS:
                return
            self._look = asyncio.create_task(self._renew())
        await asyncio.wait({self._look}, timeout=_PATIENCE_SECONDS)

    async def _renew(self) -> None:
        try:
            await self._states.blocking(self._keys.renew)
        except Exception as error:  # noqa: BLE001 - logged; the next look may find them again
            then = "nobody is let in" if self._keys.lets_nobody_in else "the old ones go on"
            logger.error(f"the keys could not be read again; {then}", extra=logged(error))
