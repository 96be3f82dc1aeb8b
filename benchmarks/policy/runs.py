"""Runs of policies and of the clairvoyants, each once, on a pool of processes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from autoscaler.replay.engine import simulate
from autoscaler.replay.results import Outcome
from autoscaler.replay.world import World
from autoscaler.spec import EndpointSpec, parse_spec
from tools.simulator.bounds import zero_wait_usd
from tools.simulator.policies import OURS, Setting, make
from tools.simulator.priced_bound import lowest_total_usd

from .sources import Source, prepared

PROCESSES = 2


@dataclass(frozen=True)
class Terms:
    """What the sweep changes of the world; the defaults are those of the comparison."""

    lead_seconds: float = 245.0
    waiting_usd: float = 0.01  # of a request-minute, in the world and in the spec
    startup_billed: float = 1.0


DEFAULT = Terms()


@dataclass(frozen=True)
class Job:
    """One policy on one trace."""

    source: Source
    policy: str
    terms: Terms = DEFAULT


@dataclass(frozen=True)
class Bounds:
    """What the clairvoyants would have paid, in dollars, with how many copies at most.

    `lowest_total_usd` is None where nobody asked for it: it takes longer than the other.
    """

    requests: int
    days: float
    fleet: int
    zero_wait_usd: float
    lowest_total_usd: float | None


class Bench:
    """Remembers what was run. Use as a context manager: the pool ends with it."""

    def __init__(self, processes: int = PROCESSES) -> None:
        self._pool = ProcessPoolExecutor(processes)
        self._outcomes: dict[Job, Outcome] = {}
        self._bounds: dict[tuple[Source, Terms, bool], Bounds] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, jobs: Iterable[Job]) -> None:
        """Sees to it that all of them were run: two at a time, which asking one by one is not."""
        needed = dict.fromkeys(_as_run(job) for job in jobs)
        new = [job for job in needed if job not in self._outcomes]
        self._outcomes.update(zip(new, self._pool.map(_outcome, new), strict=True))

    def outcome(self, job: Job) -> Outcome:
        """What the policy did; runs it if that was not done yet."""
        ran = _as_run(job)
        self.run([ran])
        return repriced(self._outcomes[ran], job.terms.waiting_usd / ran.terms.waiting_usd)

    def bounds(
        self, sources: Sequence[Source], terms: Terms = DEFAULT, *, lowest: bool = False
    ) -> list[Bounds]:
        """Of each source; the zero-wait bound does not depend on the price of waiting."""
        keys = [(source, terms if lowest else _default_price(terms), lowest) for source in sources]
        new = [key for key in keys if key not in self._bounds]
        self._bounds.update(zip(new, self._pool.map(_bounds, new), strict=True))
        return [self._bounds[key] for key in keys]


def repriced(outcome: Outcome, factor: float) -> Outcome:
    """The same waits at so many times the price."""
    return replace(outcome, waiting_usd=outcome.waiting_usd * factor)


def the_spec(max_copies: int, terms: Terms) -> EndpointSpec:
    """The default spec: nothing in it but what has to be, the size and the price of waiting."""
    return parse_spec(
        {
            "name": "benchmark",
            "model": {"id": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"},
            "instances": {"types": ["ml.g6e.xlarge"]},
            "scaling": {
                "max_copies": max_copies,
                "waiting_usd_per_request_minute": f"{terms.waiting_usd:.6f}",
            },
        }
    )


def the_world(fleet: int, terms: Terms) -> World:
    """The world of the comparison; everybody begins with the always-on fleet."""
    usual = World()
    return replace(
        usual,
        cold_start=usual.with_lead(terms.lead_seconds),
        waiting_usd_per_request_minute=terms.waiting_usd,
        startup_billed=terms.startup_billed,
        max_copies=fleet,
        initial_copies=fleet,
    )


def _as_run(job: Job) -> Job:
    """Only ours looks at the price of waiting: what others do is run once and priced afterwards."""
    return job if job.policy == OURS else replace(job, terms=_default_price(job.terms))


def _default_price(terms: Terms) -> Terms:
    return replace(terms, waiting_usd=DEFAULT.waiting_usd)


def _outcome(job: Job) -> Outcome:
    trace, fleet = prepared(job.source)
    setting = Setting(the_spec(fleet, job.terms), fleet)
    outcome = simulate(trace, the_world(fleet, job.terms), make(job.policy, setting))
    return replace(outcome, points=())  # weeks of them would have to go from process to process


def _bounds(key: tuple[Source, Terms, bool]) -> Bounds:
    source, terms, lowest = key
    trace, fleet = prepared(source)
    world = the_world(fleet, terms)
    return Bounds(
        requests=len(trace),
        days=trace.seconds / 86400,
        fleet=fleet,
        zero_wait_usd=zero_wait_usd(trace, world),
        lowest_total_usd=lowest_total_usd(trace, world) if lowest else None,
    )
