"""Which windows of a laid-out schedule win, meet, and make a difference: each found in one pass."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from .laid import Laid, numbers, winner
from .stretches import won

Turn = tuple[int, int]  # since when and until when, as the layout counts


def never_winning(laid: Laid) -> int:
    """The windows that are open at some time and are hidden by earlier ones at all of them.

    Seldom goes far: it ends as soon as each window that opens has won.
    """
    left = sum(1 << number for number, turns in enumerate(laid.turns) if turns)
    for _, _, open_windows in laid.states():
        left &= ~(open_windows & -open_windows)
        if not left:
            break
    return left


def hiders(laid: Laid, number: int) -> Iterator[int]:
    """The windows before a window that hide some of the first time at which it is open."""
    start, end = laid.turns[number][:2]
    return (other for other in range(number) if laid.opens_within(other, start, end))


def meetings(laid: Laid) -> tuple[dict[int, Turn], ...]:
    """Returns for each window the earlier ones that are open together with it, with the first time.

    A window is looked at when it opens; a pair that has met is left out by its bit, so that each
    is taken up once however often it meets.
    """
    found: tuple[dict[int, Turn], ...] = tuple({} for _ in laid.turns)
    met = [1 << number for number in range(len(laid.turns))]  # with itself
    before = 0
    for since, _, open_windows in laid.states():
        for number in numbers(open_windows & ~before):
            for other in numbers(open_windows & ~met[number]):
                met[number] |= 1 << other
                met[other] |= 1 << number
                until = min(laid.closes(number, since), laid.closes(other, since))
                found[max(number, other)][min(number, other)] = (since, until)
        before = open_windows
    return found


def without_effect(laid: Laid, effects: Sequence[Hashable]) -> dict[int, Turn]:
    """The windows that win and change nothing: whenever one does, what would win without it has
    the same effect. Each with the first stretch that it wins.

    `effects`: of each window, and last of being outside all.
    """
    wins = matters = 0
    for _, _, open_windows in laid.states():
        later = open_windows & (open_windows - 1)
        wins |= open_windows ^ later
        if effects[winner(open_windows)] != effects[winner(later)]:
            matters |= open_windows ^ later
    left, found = wins & ~matters, dict[int, Turn]()
    for since, until, first, _ in won(laid) if left else ():
        if first >= 0 and left >> first & 1 and first not in found:
            found[first] = (since, until)
        if len(found) == left.bit_count():
            break
    return found
