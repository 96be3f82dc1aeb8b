"""The capacity ladder: which rung a wake takes, when, and when trying is hopeless. Pure.

A rung is one way to place an endpoint: the spec's own instance types (SageMaker walks these as
pools), then each of its alternatives. A rung that failed is passed over for a while; when all
have, the one whose failure is oldest is tried again after a backoff. A start that died on an
instance was paid for: after some of those the circuit opens, and nothing is paid for until it is
tried once more or a person asks for it.

Backoff with jitter: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; the
jitter is drawn from a seed, so that the same decision is taken twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class TryOutcome(StrEnum):
    """What became of a wake or a creation."""

    SERVED = "served"
    CAPACITY = "capacity"  # no instance: nothing was paid for
    CONTAINER = "container"  # its container died
    OTHER = "other"


@dataclass(frozen=True)
class Try:
    """One wake or creation on one rung, when it was over."""

    at: datetime
    rung: int
    outcome: TryOutcome


@dataclass(frozen=True)
class Step:
    """What the ladder says of the next try. `retry_at` None: at once.

    `exhausted`: every rung has failed since it last served, so that a fallback should answer.
    `circuit_open`: no try is worth its price before `retry_at`.
    """

    rung: int
    retry_at: datetime | None = None
    exhausted: bool = False
    circuit_open: bool = False


TRIES_KEPT = 20
# A rung that failed is passed over so long, as capacity seldom comes back sooner.
PASSED_OVER = timedelta(hours=1)
# Tries before one that served are kept so long: for that, and to count the starts of an hour.
KEPT_FOR = timedelta(hours=1)
FIRST_RETRY = timedelta(seconds=60)
LONGEST_RETRY = timedelta(minutes=30)
# One dead container may be bad luck; the same again is its cause.
DEAD_CONTAINERS = 2
COSTLY_FAILURES = 5
FIRST_OPEN = timedelta(hours=6)
LONGEST_OPEN = timedelta(hours=24)


def next_step(tries: Sequence[Try], rungs: int, now: datetime, seed: str = "") -> Step:
    """Returns the rung of the next try and its time.

    `tries` are the latest ones, oldest first; of rungs that the spec has no more, none counts.
    """
    tries = [one for one in tries if one.rung < rungs]
    failures = _since_served(tries)
    open_rungs = [rung for rung in range(rungs) if not _is_hopeless(failures, rung)]
    if not open_rungs:
        return _half_open(failures, rungs)
    exhausted = {one.rung for one in failures} == set(range(rungs))
    rung = _best(tries, open_rungs, now)
    counted = [one for one in failures if one.rung in open_rungs]
    rounds, within = divmod(len(counted), len(open_rungs))
    if not counted or within:
        return Step(rung, None, exhausted)
    delay = _jittered(backoff(rounds, FIRST_RETRY, LONGEST_RETRY), f"{seed}#{len(failures)}")
    return Step(rung, counted[-1].at + delay, exhausted)


def remembered(tries: Sequence[Try], latest: Try) -> tuple[Try, ...]:
    """The tries with another one, as far as anybody asks for them: those since one served, and
    those of the last hour."""
    known = (*tries, latest)[-TRIES_KEPT:]
    served = [n for n, one in enumerate(known) if one.outcome is TryOutcome.SERVED]
    recent = [n for n, one in enumerate(known) if latest.at - one.at < KEPT_FOR]
    return known[min(served[-1] if served else 0, recent[0]) :]


def backoff(failures: int, first: timedelta, longest: timedelta) -> timedelta:
    """Doubles from `first` with every failure, up to `longest`."""
    doublings: int = min(max(failures, 1) - 1, 16)
    return min(longest, first * (1 << doublings))


def _since_served(tries: Sequence[Try]) -> list[Try]:
    served = [index for index, one in enumerate(tries) if one.outcome is TryOutcome.SERVED]
    return list(tries[served[-1] + 1 :] if served else tries)


def _is_hopeless(failures: Sequence[Try], rung: int) -> bool:
    mine = [one.outcome for one in failures if one.rung == rung]
    dead = mine.count(TryOutcome.CONTAINER)
    costly = dead + mine.count(TryOutcome.OTHER)
    return dead >= DEAD_CONTAINERS or costly >= COSTLY_FAILURES


def _best(tries: Sequence[Try], rungs: Sequence[int], now: datetime) -> int:
    """The first rung that did not fail lately; if all did, the one that failed first."""
    last = {one.rung: one for one in tries}
    failed_at = {
        rung: last[rung].at
        for rung in rungs
        if rung in last and last[rung].outcome is not TryOutcome.SERVED
    }
    fresh = {rung for rung, at in failed_at.items() if now - at < PASSED_OVER}
    free = [rung for rung in rungs if rung not in fresh]
    return free[0] if free else min(rungs, key=lambda rung: failed_at[rung])


def _half_open(failures: Sequence[Try], rungs: int) -> Step:
    """One try after a long time; each that fails doubles it."""
    fewest = rungs * DEAD_CONTAINERS
    more = max(1, len(failures) - fewest + 1)
    rung = min(range(rungs), key=lambda one: max(t.at for t in failures if t.rung == one))
    pause = backoff(more, FIRST_OPEN, LONGEST_OPEN)
    return Step(rung, failures[-1].at + pause, exhausted=True, circuit_open=True)


def _jittered(delay: timedelta, seed: str) -> timedelta:
    """Between half of the delay and all of it, always the same for the same seed."""
    drawn = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") / 2**32
    return timedelta(seconds=round(delay.total_seconds() * (0.5 + drawn / 2)))
