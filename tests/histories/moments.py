"""What must hold at every moment, also while things move and while somebody could not look.

The ledger knows by looks (docs/costs.md, "What nobody saw"): a change of what exists lies between
the look before it and the one after it, and the ledger may have it anywhere between them. So how
far it may be off is measured, change by change, and no fault is given more than it took: lost ticks
as long as nobody looked, a call that failed until the next look.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autoscaler.endpoints import kinds
from autoscaler.endpoints.status import EndpointRecord
from autoscaler.policy.types import Phase
from tests.histories.checks import booked_seconds
from tests.histories.faults import Call
from tests.histories.template import STACK
from tests.histories.watch import WRITES
from tests.histories.wire import body_of
from tests.histories.world import World

_READS = frozenset({"DescribeEndpoint", "DescribeInferenceComponent"})
_COMMANDS = "accept-command"  # it looks at nothing: what a person wants is written at once
_ASKING = frozenset({Phase.CREATING, Phase.WAKING})
AT_REST = (Phase.ASLEEP, Phase.RETIRED, None)
_ROUNDING_SECONDS = 1.0


@dataclass(frozen=True)
class Leeway:
    """Instance-seconds that the ledger may have too many of, and too few."""

    over: float
    under: float


class Looks:
    """When somebody saw what an endpoint has and stored it, and since when it was in each phase.

    What its machines run of other endpoints is not seen by that: a look is at its own copies.
    """

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name
        self._at_it = re.compile(rf'"{STACK}-{name}"'.encode())
        self._of_it = re.compile(rf'["#]{name}["#]'.encode())
        self._read_at = -1.0
        self.times = [world.clock.time()]
        self.phases: list[tuple[float, Phase]] = []
        self._unseen: set[float] = set()  # phases that began without a look
        self._note_phase(looked=True)
        world.wire.answered.append(self._answered)

    def _answered(self, call: Call) -> None:
        now = self._world.clock.time()
        if call.service == "sagemaker" and call.operation in _READS:
            if self._at_it.search(body_of(call.request)):
                self._read_at = now
        elif call.service == "dynamodb" and call.operation in WRITES:
            looked = self._read_at == now and call.actor != _COMMANDS
            if looked and now > self.times[-1] and self._of_it.search(body_of(call.request)):
                self.times.append(now)
            self._note_phase(looked)

    def _note_phase(self, looked: bool) -> None:
        life, now = self._world.watch.lives.get(self._name, []), self._world.clock.time()
        if life and (not self.phases or life[-1][0] != self.phases[-1][1]):
            self.phases.append((now, Phase(life[-1][0])))
            if not looked:
                self._unseen.add(now)

    def around(self, moment: float) -> tuple[float, float]:
        """The looks before and after a moment; where there is none, the first one and now."""
        before = bisect_left(self.times, moment)
        after = bisect_right(self.times, moment)
        last = self.times[after] if after < len(self.times) else self._world.clock.time()
        return self.times[max(0, before - 1)], max(moment, last)

    def _since(self, moment: float) -> int:
        """How many phases had begun by then: the last of them was its phase."""
        return bisect_right(self.phases, moment, key=lambda one: one[0])

    def rests(self, moment: float) -> bool:
        """That it had nothing then, and counts nothing of its machines."""
        at = self._since(moment)
        return (self.phases[at - 1][1] if at else None) in AT_REST

    def wished(self, moment: float) -> float | None:
        """When a wake or a creation was wished that asks for instances at that moment."""
        at = self._since(moment)
        since, phase = self.phases[at - 1] if at else (moment, None)
        return since if phase in _ASKING else None

    def asking_until(self, moment: float) -> float:
        """When it was known that a wake or a creation had ended that asked for instances at that
        moment: if nobody looked as its end was written, by the look after it."""
        at = self._since(moment)
        if not at or self.phases[at - 1][1] not in _ASKING or at == len(self.phases):
            return moment
        ended = self.phases[at][0]
        return self.around(ended)[1] if ended in self._unseen else ended


def leeway(world: World, name: str, looks: Looks) -> Leeway:
    """How far the ledger of an endpoint with machines of its own may be off."""
    return leeway_of(world, f"{STACK}-{name}", {name: looks})


def leeway_of(world: World, endpoint: str, looks: Mapping[str, Looks]) -> Leeway:
    """Of SageMaker's endpoint, by the looks of each endpoint that has copies on it: of each change,
    as far as it takes whoever saw it last of those that do not rest."""
    over = under = _ROUNDING_SECONDS
    for *_, start, gone in world.sagemaker.billed(endpoint):
        for changes in (_coming(world, looks, start), _going(looks, gone)):
            over += max((one.over for one in changes), default=0.0)
            under += max((one.under for one in changes), default=0.0)
    return Leeway(over + sum(_not_there_yet(world, name) for name in looks), under)


def _counting(looks: Mapping[str, Looks], moment: float) -> dict[str, Looks]:
    """Who counts what came or went at that moment: if all of them rest, whoever looked at it."""
    here = {name: one for name, one in looks.items() if one.times[0] <= moment}
    return {name: one for name, one in here.items() if not one.rests(moment)} or here


def _coming(world: World, looks: Mapping[str, Looks], start: float) -> list[Leeway]:
    """An instance may be booked from its wake's wish, else from the look before its copy was asked
    for, which may be long before there was capacity for it; or only from the look after it came."""
    found = []
    for name, one in _counting(looks, start).items():
        before, after = one.around(start)
        asked, wished = one.around(_asked(world, name, start))[0], one.wished(start)
        since = min(before, asked) if wished is None else wished
        found.append(Leeway(start - since, after - start))
    return found


def _going(looks: Mapping[str, Looks], gone: float | None) -> list[Leeway]:
    """It may be booked until the look after it went, or until the end of the wake in which it went,
    as another is asked for; or only until the look before it went."""
    if gone is None:
        return []
    found = []
    for one in _counting(looks, gone).values():
        before, after = one.around(gone)
        found.append(Leeway(max(after, one.asking_until(gone)) - gone, gone - before))
    return found


def _asked(world: World, name: str, start: float) -> float:
    """Since when there were fewer copies than wanted, as an instance came for one."""
    since, component = start, world.component(name)
    for moment, desired, current in reversed(world.sagemaker.timeline(component)):
        if moment < start:
            if desired <= current:
                break
            since = moment
    return since


def _not_there_yet(world: World, name: str) -> float:
    """Of instances that a wake or a creation asked for: they count from its wish on, and what never
    comes is taken back when it ends."""
    record, now = world.record(name), world.clock.now()
    if record is None or record.status.phase not in _ASKING:
        return 0.0
    return sum((now - one.since).total_seconds() * one.instances for one in record.status.meters)


def ledger_is_not_what_existed(world: World, name: str, looks: Looks) -> Iterator[str]:
    """Closed segments and what the open meters have run, beside what was billed until now."""
    over = booked_seconds(world, name) - world.sagemaker.truth.seconds(f"{STACK}-{name}")
    yield from too_far_off(over, leeway(world, name, looks))


def too_far_off(over: float, may: Leeway) -> Iterator[str]:
    if not -may.under <= over <= may.over:
        yield f"the ledger is {over:+.0f} s off; it may be {-may.under:.0f} to {may.over:+.0f}"


def zero_is_not_zero(world: World, name: str) -> Iterator[str]:
    """Who sleeps, or is not there, has no instances and no copies once nobody works on it."""
    record = world.record(name)
    phase = record.status.phase if record else None
    if phase not in AT_REST or world.states.running():
        return
    there, copies = world.sagemaker.instances_now().get(f"{STACK}-{name}", 0), world.copies(name)
    if there or copies:
        yield f"{name} is {phase} with {there} instances and {copies} copies"


def outside_its_bounds(world: World, name: str) -> Iterator[str]:
    """No more copies are wanted than its file and its hold allow; of one that is awake and at rest,
    as many as the stored bounds say."""
    record = world.record(name)
    if record is None:
        return
    copies, highest = world.copies(name), _highest(record)
    stored = kinds.allowed(record.spec.kind, record.status.bounds)
    if copies > highest:
        yield f"{copies} copies are wanted, and {highest} are allowed"
    if stored.max_copies > highest or stored.min_copies > stored.max_copies:
        yield f"the bounds {stored} are stored, and {highest} copies are allowed"
    at_rest = record.status.phase is Phase.AWAKE and not world.states.running()
    if at_rest and not stored.min_copies <= copies <= stored.max_copies:
        yield f"{copies} copies are wanted, outside of {stored}"


def _highest(record: EndpointRecord) -> int:
    """No window of these files, and no override, allows more than the file's own maximum."""
    return record.spec.scaling.max_copies
