"""The promises of the split of shared machines, whatever their meters counted.

1. In every instant the shares of a machine's members add up to exactly 1, if any is there.
2. Instance-seconds of all pieces = integral of the largest count of any member.
3. What is not shared goes through untouched.
4. The order of the segments does not matter.
5. A segment cut in two gives the same.
6. No piece spans a UTC midnight.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.endpoints.status import UsageKind, UsageSegment
from autoscaler.ledger.shares import apportioned

START = datetime(2026, 11, 24, 20, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
_MINUTES = 8 * 60
Group = tuple[str, str]


@st.composite
def one_life(draw: st.DrawFn, name: str) -> list[UsageSegment]:
    """Segments of one endpoint on one type, one after the other, with pauses; cut at midnight."""
    borders = sorted(draw(st.sets(st.integers(0, _MINUTES), max_size=8)) | {240})
    machines = draw(st.sampled_from(["small", "small", "big", ""]))
    segments = []
    for first, last in pairwise(borders):
        if draw(st.booleans()):
            continue
        segments.append(
            UsageSegment(
                endpoint=name,
                team=draw(st.sampled_from(["search", "legal"])),
                instance_type="ml.g6e.xlarge" if name < "c" else "ml.g6e.12xlarge",
                instances=draw(st.integers(1, 4)),
                kind=draw(st.sampled_from(UsageKind)),
                start=START + timedelta(minutes=first),
                end=START + timedelta(minutes=last),
                usd_per_hour=Decimal("2.6054"),
                shared=machines,
                weight=Decimal(draw(st.integers(1, 5))) / draw(st.integers(1, 7)),
            )
        )
    return segments


books = st.tuples(*(one_life(name) for name in "abcd")).map(
    lambda lives: [segment for life in lives for segment in life]
)


def key(segment: UsageSegment) -> Group:
    return segment.shared, segment.instance_type


def at(segments: list[UsageSegment], moment: datetime) -> dict[Group, list[UsageSegment]]:
    found: dict[Group, list[UsageSegment]] = {}
    for one in segments:
        if one.shared and one.start <= moment < one.end:
            found.setdefault(key(one), []).append(one)
    return found


def moments(segments: list[UsageSegment]) -> list[datetime]:
    return sorted({m for one in segments for m in (one.start, one.end)})


def seconds(segment: UsageSegment) -> Fraction:
    length = Fraction((segment.end - segment.start) // timedelta(seconds=1))
    return segment.instances * Fraction(segment.share) * length


@given(books)
def test_in_every_instant_the_shares_are_one_in_all(segments: list[UsageSegment]) -> None:
    pieces = apportioned(segments)
    for moment in moments([*segments, *pieces]):
        before, after = at(segments, moment), at(pieces, moment)
        assert before.keys() == after.keys()
        for group, members in after.items():
            assert sum(one.share for one in members) == 1
            assert all(one.share > 0 for one in members)
            assert {m.endpoint for m in members} == {m.endpoint for m in before[group]}
            assert {m.instances for m in members} == {max(m.instances for m in before[group])}


@given(books)
def test_the_sum_is_the_integral_of_the_largest_count(segments: list[UsageSegment]) -> None:
    there = Fraction(0)
    for first, last in pairwise(moments(segments)):
        for members in at(segments, first).values():
            there += max(m.instances for m in members) * Fraction(int((last - first).seconds))
    assert sum(seconds(piece) for piece in apportioned(segments) if piece.shared) == there


@given(books)
def test_what_is_not_shared_is_untouched(segments: list[UsageSegment]) -> None:
    own = [one for one in segments if not one.shared]
    assert [piece for piece in apportioned(segments) if not piece.shared] == own
    assert apportioned(own) == own


@given(books, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(segments: list[UsageSegment], random) -> None:
    mixed = [one for one in segments if one.shared]
    before = apportioned(mixed)
    random.shuffle(mixed)
    assert apportioned(mixed) == before


@given(books, st.data())
def test_cutting_a_segment_in_two_changes_nothing(
    segments: list[UsageSegment], data: st.DataObject
) -> None:
    sharing = [one for one in segments if one.shared]
    cut: list[UsageSegment] = []
    for one in sharing:
        inside = int((one.end - one.start) / timedelta(minutes=1))
        middle = one.start + timedelta(minutes=data.draw(st.integers(0, inside)))
        parts = [(one.start, middle), (middle, one.end)]
        cut += [one.model_copy(update={"start": a, "end": b}) for a, b in parts if a < b]
    assert apportioned(cut) == apportioned(sharing)


@given(books)
def test_splitting_again_changes_nothing_and_no_piece_spans_a_midnight(
    segments: list[UsageSegment],
) -> None:
    pieces = apportioned(segments)
    assert apportioned(pieces) == pieces
    assert all(p.start < p.end for p in pieces)
    assert not any(p.start < MIDNIGHT < p.end for p in pieces)
