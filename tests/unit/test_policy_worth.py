"""How many copies are worth their price: cases, and the fluid model against a plain integration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.policy.economy import Economy
from autoscaler.policy.worth import (
    BELIEVED_SECONDS,
    Flow,
    waited_until_drained,
    worthwhile,
)

# $3.60 an hour, 4 min to start: a start costs $0.30; a copy works off 96 requests a minute.
PER_COPY = 1.6


def copies(
    waiting: float, arriving: float, serving: int = 1, usd_per_minute: float = 0.01, most: int = 8
) -> int:
    prices = Economy(copy_usd=0.001, waiting_usd=usd_per_minute / 60, lead_seconds=240)
    return worthwhile(
        Flow(waiting, arriving, PER_COPY),
        prices,
        serving=serving,
        desired=serving,
        most=most,
        stabilization_seconds=300,
    )


@pytest.mark.parametrize(
    ("waiting", "arriving", "expected"),
    [
        (0, 0.0, 1),
        (0, 1.5, 1),  # a copy takes 1.6 a second
        (100, 0.0, 1),  # gone in a minute, long before a second copy were there
        (300, 1.0, 2),  # gone in 500 s: the second half of it is worth a copy
        (0, 2.4, 3),  # 0.8 a second more than one takes: 190 wait when the others are there
    ],
)
def test_one_copy_and_this_queue(waiting: float, arriving: float, expected: int) -> None:
    assert copies(waiting, arriving) == expected


@given(
    waiting=st.floats(0, 500),
    arriving=st.floats(0, 8).map(lambda rate: round(rate, 3)),
    serving=st.integers(0, 3),
    added=st.integers(0, 4),
)
def test_the_waiting_is_the_integral_of_the_queue(
    waiting: float, arriving: float, serving: int, added: int
) -> None:
    copies_then, step = max(1, serving + added), 0.5
    waited, drained_at = waited_until_drained(
        Flow(waiting, arriving, PER_COPY), 240.0, serving, copies_then
    )
    queue, integral, now, last = waiting, 0.0, 0.0, 0.0
    while now < 240 + BELIEVED_SECONDS or queue > 0:
        capacity = (serving if now < 240 else copies_then) * PER_COPY
        arrives = arriving if now < 240 + BELIEVED_SECONDS else 0.0
        integral += max(0.0, queue - 10 * capacity) * step  # the first 10 s are free
        queue = max(0.0, queue + (arrives - capacity) * step)
        now += step
        last = now if queue > 0 else last
    assert waited == pytest.approx(integral, rel=0.03, abs=600)
    assert drained_at == pytest.approx(last, rel=0.02, abs=5) or arriving == pytest.approx(
        copies_then * PER_COPY, rel=0.05
    )


def test_the_price_of_waiting_draws_the_line() -> None:
    sizes = [copies(300, 1.4, usd_per_minute=price) for price in (0.0, 0.001, 0.01, 0.1, 1.0)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert sizes[-1] > 1


def test_a_wake_begins_with_one_and_grows_with_its_queue() -> None:
    assert [copies(n, 0.0, serving=0) for n in (1, 30, 100)] == [1, 1, 1]
    assert copies(2000, 3.0, serving=0) > 2


def test_never_more_than_allowed() -> None:
    assert copies(100_000, 100.0, most=3) == 3
