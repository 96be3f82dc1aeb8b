"""How fast the account's clock may run.

A request that waits for a wake is looked at about every half minute of the account's time, which
costs the machine some 10 ms each time. At 90 simulated seconds a second, fifty of them keep both
cores busy, nothing else gets on, and the wake takes the longer for it. So the clock is slowed down
while many wait for a wake, and runs at its full speed while nobody waits. Awake, what waits are
mostly messages of killed dispatchers, which nobody looks at for 16 minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tools.embedded.kernel.clock import AccountClock

FASTEST = 90.0
SERVING = 30.0
SLOWEST = 10.0
# Requests that wait for a wake, times simulated seconds a second.
_WAITING_SPEED = 1500.0
_LOOK_SECONDS = 0.25


@contextmanager
def paced(clock: AccountClock, speed: Callable[[], float]) -> Iterator[None]:
    """Until the end of the block the clock runs as fast as is said."""
    over = threading.Event()

    def adjust() -> None:
        while not over.wait(_LOOK_SECONDS):
            if (wanted := speed()) != clock.speed:
                clock.set_speed(wanted)

    thread = threading.Thread(target=adjust, name="pace", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        clock.set_speed(FASTEST)


def speed_for(waiting: int, serving: bool) -> float:
    """In steps, so that it does not change with every request."""
    if serving and waiting:
        return SERVING
    speed = FASTEST
    while speed * waiting > _WAITING_SPEED and speed / 2 >= SLOWEST:
        speed /= 2
    return speed
