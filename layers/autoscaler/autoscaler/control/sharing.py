"""Whose the instances of shared machines are, and who may share them.

The instances of one SageMaker endpoint belong to all whose copies are on it. One that has none
counts them only while they would be nobody's: so zero is still zero instances seen, and nobody
waits for instances on which another one serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil

from ..catalog.fit import Placement
from ..endpoints.sharing import differences, hosting
from ..endpoints.status import EndpointRecord
from ..policy.types import Phase
from ..ports import Capacity, EndpointStore
from ..spec import EndpointSpec, SpecError

_HOLDS = frozenset({Phase.CREATING, Phase.WAKING, Phase.AWAKE, Phase.UPDATING})
_LETS_GO = frozenset({Phase.SLEEPING, Phase.RETIRING})
_LETS_GO_FOR_GOOD = frozenset({Phase.RETIRING})
# Has nothing on the machines, and looks after nothing there: one whose creation failed is rid of
# what it left, and one that stages its weights may do so for hours.
_HAS_NOTHING = frozenset({Phase.RETIRING, Phase.FAILED, Phase.STAGING})


def own_part(store: EndpointStore, record: EndpointRecord, capacity: Capacity) -> Capacity:
    """The capacity with the instances that the endpoint has to account for: all of them or none.

    All while it has copies, or asked for some. Without any, none while another one holds them;
    else they are of those that are letting go of them, and if nobody is, of everybody at rest:
    then something is left that nobody wants.
    """
    shared, own = record.spec.instances.shared, record.status.phase
    if shared is None or own in _HOLDS or capacity.desired_copies or capacity.current_copies:
        return capacity
    if not capacity.instances and (capacity.exists or not capacity.status):
        return capacity
    phases = {one.status.phase for one in sharers(store, shared, record.status.name)}
    absent = _HAS_NOTHING if own is Phase.FAILED else _LETS_GO_FOR_GOOD
    if not capacity.exists and phases - absent:
        return Capacity(exists=False)  # what is left of the machines is of those that stay
    if phases & _HOLDS or (own not in _LETS_GO and phases & _LETS_GO):
        return replace(capacity, instances_by_type={})
    return capacity


def sharers(store: EndpointStore, shared: str, but: str) -> list[EndpointRecord]:
    """The others on the same machines, or on their way there or away."""
    return [
        one
        for one in store.load_all()
        if one.spec.instances.shared == shared
        and one.status.name != but
        and one.status.phase is not Phase.RETIRED
    ]


def stayers(others: Iterable[EndpointRecord]) -> list[EndpointRecord]:
    """Of those that share, who is not on the way out: they need the config."""
    return [one for one in others if one.status.phase not in _LETS_GO_FOR_GOOD]


def awaited(record: EndpointRecord, others: Iterable[EndpointRecord]) -> bool:
    """Whether another one is just being created on the machines, and will look after them: it needs
    them in a moment, and its creation removes them if it fails. Who undoes a creation of its own
    leaves them to nobody, or two that fail together would leave them to each other."""
    if record.status.phase not in (Phase.RETIRING, Phase.FAILED):
        return False
    return any(one.status.phase is Phase.CREATING for one in others)


def check_sharing(store: EndpointStore, spec: EndpointSpec, region: str) -> None:
    """Raises SpecError with a sentence for each field in which those who share differ."""
    shared = spec.instances.shared
    if shared is None:
        return
    mine = hosting(spec, region)
    for other in _files(sharers(store, shared, spec.name)):
        wrong = [
            f"{field}: {ours!r} here and {theirs!r} in {other.name!r}, which shares the "
            f"machines {shared!r}: make them the same, or give instances.shared another name"
            for field, ours, theirs in differences(mine, hosting(other, region))
        ]
        if wrong:
            raise SpecError(wrong)


def _files(records: list[EndpointRecord]) -> Iterator[EndpointSpec]:
    """Of each its own, and the one that waits or is being put in place: that moves the machines."""
    for record in records:
        yield record.spec
        if record.status.update is not None:
            yield record.status.update.spec


def crowded(
    store: EndpointStore, spec: EndpointSpec, placement: Placement | None
) -> tuple[str, ...]:
    """A warning when not everybody can have all copies at once. Raises SpecError when an endpoint
    alone asks for more than the machines hold."""
    shared, most = spec.instances.shared, spec.instances.max_instances
    if shared is None or most is None or placement is None:
        return ()
    own = Fraction(spec.highest_max_copies, placement.copies_per_instance)
    if own > most:
        raise SpecError(
            [f"scaling.max_copies: {spec.highest_max_copies} copies need {ceil(own)} instances, "
             f"and instances.max_instances is {most}; lower the one or raise the other"]
        )  # fmt: skip
    taken = own + sum(
        Fraction(one.spec.highest_max_copies, one.status.copies_per_instance)
        for one in sharers(store, shared, spec.name)
    )
    if taken <= most:
        return ()
    return (
        f"instances.max_instances: all who share {shared!r} at their most copies need "
        f"{ceil(taken)} instances, and there are {most} at most; copies that find no place are "
        "told and tried again later",
    )
