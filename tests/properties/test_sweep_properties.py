"""What the sweep's comparison never does, whatever lies in the account.

1. Nothing of an endpoint in the table, or of one whose execution runs, is ever an orphan.
2. Never more is removed than the cap, and nothing on an incomplete look.
3. Nothing is removed without this stack's tag and the mark, nothing that is young, nothing that was
   not seen by a sweep at least 30 minutes earlier, nothing that something else hangs on.
4. What is removed is in the compensating order.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import event, given, settings
from hypothesis import strategies as st

from autoscaler.control.sweep import (
    FORGOTTEN_AFTER,
    GRACE,
    ORDER,
    TWICE_AFTER,
    Fleet,
    Kind,
    Resource,
    Sighting,
    Verdict,
    remembered,
    sentenced,
)
from autoscaler.endpoints.tags import DELETABLE, ENDPOINT, STACK
from tests.memory import NOON

PREFIX = "prod"
NAMES = ("llama", "lost", "llama-dlq", "dev-llama")
RESOURCE_NAMES = (
    *(f"{PREFIX}-{name}" for name in NAMES),
    *(f"{PREFIX}-{name}-dlq" for name in NAMES),
    f"{PREFIX}-llama-oldest-request",
    f"{PREFIX}-lost-no-capacity",
    f"{PREFIX}-lost-burst",
    "copied-by-ada",
)
MOMENTS = st.sampled_from([None, *(NOON - timedelta(minutes=m) for m in (1, 29, 30, 31, 60, 600))])


@st.composite
def tags(draw: st.DrawFn) -> dict[str, str] | None:
    if draw(st.booleans()):
        return {STACK: PREFIX, ENDPOINT: draw(st.sampled_from(NAMES)), DELETABLE: "true"}
    return draw(
        st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                STACK: st.sampled_from([PREFIX, "prod-dev"]),
                ENDPOINT: st.sampled_from(NAMES),
                DELETABLE: st.sampled_from(["true", "false", "yes"]),
            },
        )
    )


ANYTHING = st.builds(
    Resource,
    kind=st.sampled_from(Kind),
    name=st.sampled_from(RESOURCE_NAMES),
    parent=st.sampled_from(["", *RESOURCE_NAMES]),
    created_at=MOMENTS,
    tags=tags(),
    status=st.sampled_from(["", "InService", "Creating", "Deleting", "Failed"]),
    messages=st.sampled_from([0, 0, 0, 1]),
)
# Most of these may go: what keeps one of them is seen to keep it.
LOST = st.builds(
    Resource,
    kind=st.sampled_from(Kind),
    name=st.sampled_from(["prod-lost", "prod-gone", "copied-by-ada"]),
    parent=st.sampled_from(["", "prod-lost", "prod-gone"]),
    created_at=st.sampled_from([NOON - timedelta(hours=1), NOON - timedelta(hours=10)]),
    tags=st.sampled_from(["true", "true", "true", "false"]).map(
        lambda mark: {STACK: PREFIX, ENDPOINT: "gone", DELETABLE: mark}
    ),
    status=st.just("InService"),
)
RESOURCES = st.lists(
    st.one_of(LOST, ANYTHING),
    max_size=12,
    unique_by=lambda one: (one.kind, one.name),
)
FLEETS = st.builds(
    Fleet,
    prefix=st.just(PREFIX),
    names=st.frozensets(st.sampled_from(NAMES), max_size=2),
    busy=st.frozensets(st.sampled_from(NAMES), max_size=1),
)


@st.composite
def sightings(draw: st.DrawFn, found: list[Resource]) -> tuple[Sighting, ...]:
    minutes = st.sampled_from([29, 30, 31, 90, 0, 5, 179, 180, 400])
    chosen = [one for one in found if draw(st.integers(0, 3))]
    moments = [sorted(draw(st.tuples(minutes, minutes)), reverse=True) for _ in chosen]
    return tuple(
        Sighting(one.key, NOON - timedelta(minutes=first), NOON - timedelta(minutes=last))
        for one, (first, last) in zip(chosen, moments, strict=True)
    )


@settings(max_examples=400, deadline=None)
@given(st.data(), RESOURCES, FLEETS, st.integers(0, 4), st.booleans())
def test_what_a_sweep_never_removes(
    data: st.DataObject, found: list[Resource], fleet: Fleet, cap: int, complete: bool
) -> None:
    seen = data.draw(sightings(found))
    orphans = sentenced(found, fleet, seen, NOON, cap=cap, complete=complete)
    going = [one.resource for one in orphans if one.verdict is Verdict.DELETE]

    for orphan in orphans:
        resource = orphan.resource
        for live in fleet.names | fleet.busy:
            assert resource.name not in (f"{PREFIX}-{live}", f"{PREFIX}-{live}-dlq")
            assert (resource.tags or {}).get(ENDPOINT) != live
        assert resource.created_at is None or NOON - resource.created_at >= GRACE

    event("removes", str(bool(going)))
    assert len(going) <= (cap if complete else 0)
    assert going == sorted(going, key=lambda one: ORDER.index(one.kind))
    by_key = {one.key: one for one in seen}
    for resource in going:
        assert resource.tags is not None
        assert resource.tags[STACK] == PREFIX
        assert resource.tags[DELETABLE] == "true"
        assert resource.created_at is not None
        assert not resource.messages
        assert resource.kind is not Kind.TARGET
        assert NOON - by_key[resource.key].first_seen >= TWICE_AFTER
        assert NOON - by_key[resource.key].last_seen < FORGOTTEN_AFTER
        if resource.kind is Kind.ENDPOINT:
            assert not [
                one for one in found if one.kind is Kind.COMPONENT and one.parent == resource.name
            ]


@given(st.data(), RESOURCES, FLEETS)
def test_the_first_sweep_removes_nothing_and_a_second_one_only_what_the_first_saw(
    data: st.DataObject, found: list[Resource], fleet: Fleet
) -> None:
    first = sentenced(found, fleet, (), NOON, cap=100, complete=True)
    assert not [one for one in first if one.verdict is Verdict.DELETE]
    memory = remembered((), first, NOON)
    more = data.draw(RESOURCES)
    later = NOON + TWICE_AFTER
    second = sentenced(more, fleet, memory, later, cap=100, complete=True)
    keys = {one.resource.key for one in first}
    assert {one.resource.key for one in second if one.verdict is Verdict.DELETE} <= keys


@given(st.sets(st.sampled_from(Kind)), st.integers(0, 8))
def test_of_one_endpoint_nothing_goes_before_what_hangs_on_it(kinds: set[Kind], cap: int) -> None:
    parents = {
        Kind.COMPONENT: "prod-gone",
        Kind.ENDPOINT: "prod-gone",
        Kind.MAPPING: "prod-gone",
        Kind.TARGET: "prod-gone",
    }
    tags_of = {STACK: PREFIX, ENDPOINT: "gone", DELETABLE: "true"}
    since = NOON - timedelta(hours=10)
    left = [
        Resource(kind, "prod-gone", parent=parents.get(kind, ""), created_at=since, tags=tags_of)
        for kind in kinds
    ]
    seen = tuple(Sighting(one.key, NOON - timedelta(hours=1), NOON) for one in left)
    fleet = Fleet(PREFIX, frozenset({"llama"}))
    chain = (Kind.COMPONENT, Kind.ENDPOINT, Kind.CONFIG, Kind.MODEL)
    for sweep in range(len(kinds) + 1):
        orphans = sentenced(left, fleet, seen, NOON, cap=cap, complete=True)
        going = [one.resource for one in orphans if one.verdict is Verdict.DELETE]
        there = [kind for kind in chain if kind in {one.kind for one in left}]
        assert {one.kind for one in going} & set(chain) <= set(there[:1]), sweep
        if Kind.MAPPING in {one.kind for one in left}:
            assert Kind.QUEUE not in {one.kind for one in going}
        left = [one for one in left if one not in going]
    if cap:
        assert {one.kind for one in left} <= {Kind.TARGET}, "all of it goes in the end"
