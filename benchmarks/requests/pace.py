"""How fast the account's clock may run.

A request that waits for a wake is looked at about every half minute of the account's time, which
costs the machine some 10 ms each time. At 90 simulated seconds a second, fifty of them keep both
cores busy, nothing else gets on, and the wake takes the longer for it. So the clock is slowed down
while many wait, and runs at its full speed while nobody does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tools.embedded.kernel.clock import AccountClock

# Requests that wait, times simulated seconds a second.
WAITING_SPEED = 1500.0
SLOWEST = 10.0
_LOOK_SECONDS = 0.25


@contextmanager
def paced(clock: AccountClock, waiting: Callable[[], int], fastest: float) -> Iterator[None]:
    """Until the end of the block the clock's speed follows how many wait."""
    over = threading.Event()

    def adjust() -> None:
        while not over.wait(_LOOK_SECONDS):
            speed = speed_for(waiting(), fastest)
            if speed != clock.speed:
                clock.set_speed(speed)

    thread = threading.Thread(target=adjust, name="pace", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        clock.set_speed(fastest)


def speed_for(waiting: int, fastest: float) -> float:
    """In steps, so that it does not change with every request."""
    speed = fastest
    while speed * waiting > WAITING_SPEED and speed / 2 >= SLOWEST:
        speed /= 2
    return speed
