"""Whose the instance-seconds of shared machines are, on tables small enough to check by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.catalog.prices import bundled
from autoscaler.endpoints.status import (
    EndpointRecord,
    EndpointStatus,
    Meter,
    UsageKind,
    UsageSegment,
)
from autoscaler.ledger.meter import advance
from autoscaler.ledger.shares import Standing, apportioned, parts, shares_now
from tests.ledger_books import MONDAY, segment
from tests.samples import asleep, spec

HALF = Decimal("0.5")
MIDNIGHT = MONDAY + timedelta(days=1)


def shared(name: str, first: float, last: float, **changes: Any) -> UsageSegment:
    """Minutes of Monday on the shared machines, with copies for half an instance."""
    fields = {"endpoint": name, "shared": "small-models", "weight": HALF, **changes}
    return segment(MONDAY + timedelta(minutes=first), last - first, **fields)


def table(segments: list[UsageSegment]) -> list[tuple[str, float, float, int, Decimal]]:
    """Endpoint, first and last minute of Monday, instances and share, in order of time."""
    rows = [
        (
            piece.endpoint,
            (piece.start - MONDAY) / timedelta(minutes=1),
            (piece.end - MONDAY) / timedelta(minutes=1),
            piece.instances,
            piece.share,
        )
        for piece in segments
    ]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def test_two_with_the_same_weight_have_a_half_each() -> None:
    pieces = apportioned([shared("ada", 0, 60), shared("bob", 0, 60)])
    assert table(pieces) == [("ada", 0, 60, 1, HALF), ("bob", 0, 60, 1, HALF)]
    assert sum(piece.instance_seconds for piece in pieces) == 3600


def test_who_comes_later_pays_from_then_on_and_who_is_left_pays_all() -> None:
    pieces = apportioned(
        [shared("ada", 0, 60), shared("bob", 20, 90, weight=Decimal("1.5"), instances=2)]
    )
    assert table(pieces) == [
        ("ada", 0, 20, 1, 1),
        ("ada", 20, 60, 2, Decimal("0.25")),
        ("bob", 20, 60, 2, Decimal("0.75")),
        ("bob", 60, 90, 2, 1),
    ]


def test_the_largest_count_holds_for_all_of_them() -> None:
    pieces = apportioned([shared("ada", 0, 60), shared("bob", 0, 60, instances=3)])
    assert {(piece.instances, piece.share) for piece in pieces} == {(3, HALF)}


def test_kind_team_and_price_stay_ones_own() -> None:
    kept = shared("bob", 0, 60, team="legal", kind=UsageKind.KEPT_WARM, usd_per_hour=None)
    ada, bob = apportioned([kept, shared("ada", 0, 60)])
    assert (ada.team, ada.kind, ada.usd_per_hour) == (
        "search", UsageKind.SERVING, Decimal("2.6054"),
    )  # fmt: skip
    assert bob == kept.model_copy(update={"share": HALF})


def test_what_is_not_shared_is_left_as_it_is() -> None:
    own = [segment(MONDAY, 60, instances=2), segment(MONDAY + timedelta(hours=3), 60)]
    pieces = apportioned([own[0], shared("ada", 0, 60), own[1]])
    assert pieces[:2] == own
    assert [piece is segment for piece, segment in zip(pieces, own, strict=False)] == [True, True]


def test_other_machines_and_other_types_are_split_among_their_own() -> None:
    pieces = apportioned(
        [
            shared("ada", 0, 60),
            shared("bob", 0, 60, instance_type="ml.g6e.12xlarge"),
            shared("cleo", 0, 60, shared="big-models"),
        ]
    )
    assert {piece.share for piece in pieces} == {1}


def test_a_cut_that_changes_nothing_leaves_no_trace_but_at_midnight() -> None:
    cut = [shared("ada", 0, 20), shared("ada", 20, 60), shared("bob", 0, 60)]
    assert table(apportioned(cut)) == [("ada", 0, 60, 1, HALF), ("bob", 0, 60, 1, HALF)]
    late = shared("ada", 23 * 60, 24 * 60), shared("ada", 24 * 60, 25 * 60)
    assert [piece.end for piece in apportioned(late)] == [MIDNIGHT, late[1].end]


def test_a_pause_is_not_bridged() -> None:
    pieces = apportioned([shared("ada", 0, 20), shared("ada", 30, 60)])
    assert table(pieces) == [("ada", 0, 20, 1, 1), ("ada", 30, 60, 1, 1)]


def test_what_was_used_stays_the_endpoints_that_used_it() -> None:
    """One is deleted and applied again without a pause: its pieces are not joined."""
    lives = [
        shared("ada", 0, 20, made_at=MONDAY - timedelta(days=3)),
        shared("ada", 20, 60, made_at=MONDAY + timedelta(minutes=20)),
    ]
    pieces = apportioned([*lives, shared("bob", 0, 60)])
    assert [p.made_at for p in pieces if p.endpoint == "ada"] == [one.made_at for one in lives]


def test_the_share_that_was_stored_does_not_matter() -> None:
    stored = [shared("ada", 0, 60, share=Decimal("0.9")), shared("bob", 0, 60)]
    assert {piece.share for piece in apportioned(stored)} == {HALF}


@pytest.mark.parametrize(
    ("weights", "split"),
    [
        (["1"], ["1"]),
        (["0.5", "1.5"], ["0.25", "0.75"]),
        (["1", "1", "1"], ["0.333333333333", "0.333333333333", "0.333333333334"]),
        (["0", "1"], ["0.5", "0.5"]),
        (["0", "0"], ["0.5", "0.5"]),
        (["1e-15", "1"], ["0", "1"]),
    ],
    ids=["alone", "a quarter", "thirds", "unknown counts one", "nobody knows", "next to nothing"],
)
def test_parts_add_up_to_one(weights: list[str], split: list[str]) -> None:
    found = parts([Decimal(weight) for weight in weights])
    assert found == [Decimal(part) for part in split]
    assert sum(found) == 1


def test_a_changed_weight_or_share_cuts_the_segment() -> None:
    meter = Meter(
        instances=1, instance_type="ml.g6e.xlarge", shared="small-models", weight=HALF, since=MONDAY
    )
    known: dict[str, Any] = {
        "instances": 1, "instance_type": "ml.g6e.xlarge", "kind": meter.kind, "endpoint": "ada",
        "team": "search", "prices": bundled(), "shared": "small-models",
    }  # fmt: skip
    hour = MONDAY + timedelta(hours=1)
    assert advance(meter, hour, **known, weight=HALF) == (meter, ())
    more, (closed,) = advance(meter, hour, **known, weight=Decimal(1), share=HALF)
    assert (closed.shared, closed.weight, closed.share, closed.end) == (
        "small-models", HALF, 1, hour,
    )  # fmt: skip
    assert (more.weight, more.share, more.since) == (1, HALF, hour)


def member(name: str, *, per_instance: int = 2, **changes: Any) -> EndpointRecord:
    machines = {"types": ["ml.g6e.xlarge"], "shared": "small-models", "max_instances": 4}
    status = asleep(name, copies_per_instance=per_instance, **changes)
    return EndpointRecord(spec=spec(name, instances=machines), status=status)


def running(weight: Decimal, **changes: Any) -> tuple[Meter, ...]:
    fields = {"instances": 2, "shared": "small-models", "weight": weight, **changes}
    return (Meter(instance_type="ml.g6e.xlarge", since=MONDAY, **fields),)


def test_how_each_stands_by_the_open_meters() -> None:
    own = EndpointRecord(spec=spec("own"), status=asleep("own"))
    fleet = [
        member("cleo"),
        own,
        member("bob", meters=running(Decimal("1.5"))),
        member("ada", meters=running(HALF)),
        member("dora", per_instance=1),
    ]
    expected = {
        "own": Standing(),
        "ada": Standing(Decimal("0.25"), Decimal("1.5")),
        "bob": Standing(Decimal("0.75"), HALF),
        "cleo": Standing(Decimal("0.2"), Decimal(2)),  # if it woke with one copy, of a half
        "dora": Standing(Decimal("0.333333333334"), Decimal(2)),  # a whole one; last by name
    }
    assert shares_now(fleet) == expected
    assert shares_now(reversed(fleet)) == expected


def test_the_last_one_awake_has_all_and_machines_of_another_name_do_not_count() -> None:
    fleet = [member("ada", meters=running(HALF)), member("bob", meters=running(HALF, shared="x"))]
    assert {s.share for s in shares_now(fleet).values()} == {Decimal(1)}
    assert shares_now([member("ada")]) == {"ada": Standing()}


def test_what_an_earlier_release_stored_is_read_as_machines_of_its_own() -> None:
    new = {"shared", "weight", "share", "made_at"}
    old_segment = segment(MONDAY, 60).model_dump_json(exclude=new)
    old_status = asleep("ada").model_dump(mode="json", exclude={"share", "beside"})
    old_status["meters"] = [
        {"instances": 2, "instance_type": "t", "kind": "serving", "since": "2026-11-16T00:00:00Z"}
    ]
    assert "shared" not in old_segment
    used = UsageSegment.model_validate_json(old_segment)
    status = EndpointStatus.model_validate(old_status)
    (meter,) = status.meters
    assert used == segment(MONDAY, 60)
    assert (used.shared, used.share, used.instance_seconds) == ("", 1, 3600)
    assert (meter.shared, meter.weight, meter.share) == ("", 0, 1)
    assert (status.share, status.beside) == (1, 0)
    assert apportioned([used]) == [used]


def test_what_is_stored_is_read_back_to_the_last_digit() -> None:
    used = shared("ada", 0, 60, weight=Decimal(2) / 3, share=Decimal("0.333333333333"))
    (meter,) = running(Decimal(2) / 3, share=Decimal("0.333333333333"))
    assert UsageSegment.model_validate_json(used.model_dump_json()) == used
    assert Meter.model_validate_json(meter.model_dump_json()) == meter
