"""`make bench-requests`: prints what became of the requests of one run, and what was asked.

The account runs up to 90 times as fast as the wall (`pace`). A fault that never fired fails it.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.requests.pace import FASTEST
from benchmarks.requests.storm import FAILED_WAKES, Plan, Storm, rage
from benchmarks.requests.verdict import Verdict, judge
from benchmarks.staging.figures import Figure, at_least, at_most, show
from tests.embedded.stack import deployed
from tools.embedded.sagemaker.trouble import Failure

SHOWN = 10


def main() -> None:
    """Measures and shows; ends with 1 when something that was asked for is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=10_000)
    arguments.add_argument("--sleeps", type=int, default=3, help="between the requests")
    arguments.add_argument("--seed", type=int, default=1, help="of all faults")
    given = arguments.parse_args()
    logging.getLogger("moto").setLevel(logging.CRITICAL + 1)
    plan = Plan(requests=given.requests, sleeps=given.sleeps, seed=given.seed)
    storm = Storm.of(plan)
    capacity = {"CapacitySeconds": "300"}
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder), **capacity) as stack:
        rage(stack, storm)
        verdict = judge(stack, storm)
    _say_what_missed(storm, verdict)
    figures = [*_answers(storm, verdict), *_faults(storm), *_times(storm)]
    if not show(figures, os.cpu_count(), "Requests of one endpoint, in the embedded account"):
        raise SystemExit(1)


def _answers(storm: Storm, verdict: Verdict) -> list[Figure]:
    witness = storm.witness
    repeated = sum(count - 1 for count in witness.announced.values())
    asked_again = sum(count - 1 for count in witness.asked.values())
    return [
        Figure("requests sent", f"{verdict.sent:,}"),
        at_least("  answered", len(verdict.answered), verdict.sent, "{:,.0f}"),
        at_most("  answered twice, differently", len(verdict.twice), 0, "{:,.0f}"),
        at_most("  answers that a refusal overwrote", len(verdict.undone), 0, "{:,.0f}"),
        at_most("  answered wrongly or in part", len(verdict.wrong), 0, "{:,.0f}"),
        at_most("  lost, or never announced", len(verdict.lost), 0, "{:,.0f}"),
        at_most("  refused", len(verdict.refused), 0, "{:,.0f}"),
        Figure("  announced once more, the same answer", f"{repeated:,}"),
        Figure("  the model was asked once more", f"{asked_again:,}"),
        at_most("  left in the queue or its dead letters", verdict.left_in_queues, 0, "{:,.0f}"),
    ]


def _faults(storm: Storm) -> list[Figure]:
    crashes, leftovers, trouble = storm.crashes, storm.leftovers, storm.trouble
    return [
        _fired("duplicated deliveries", leftovers.fired, leftovers.receives),
        _fired("dispatchers killed at work", crashes.fired, crashes.invocations),
        _fired("invocations of the model that failed", trouble.failed.total(), trouble.calls),
        *[_fired(f"  {failure}", trouble.failed[failure], trouble.calls) for failure in Failure],
        at_least("wakes that met no capacity", storm.failed_wakes, FAILED_WAKES, "{:.0f}"),
    ]


def _times(storm: Storm) -> list[Figure]:
    generations, sent = storm.witness.generations, storm.plan.requests
    longest = max(storm.witness.waited.values(), default=0.0)
    return [
        at_least("sleeps between the requests", storm.sleeps, storm.plan.sleeps, "{:.0f}"),
        at_least("wakes", len(generations["EndpointAwoke"]), storm.plan.sleeps, "{:.0f}"),
        Figure("longest wait for an answer, simulated", f"{longest:,.0f} s"),
        Figure("simulated time", f"{storm.simulated_seconds / 3600:.1f} h, up to {FASTEST:.0f}x"),
        Figure("time of the wall", f"{storm.wall_seconds:.0f} s"),
        Figure("  sending", f"{storm.sending_seconds:.0f} s"),
        Figure("  requests a second, over all of it", f"{sent / storm.wall_seconds:.1f}"),
    ]


def _fired(what: str, fired: int, chances: int) -> Figure:
    return Figure(what, f"{fired:,} of {chances:,}", "some", fired > 0)


def _say_what_missed(storm: Storm, verdict: Verdict) -> None:
    console = Console()
    console.print(f"Load of the machine: {os.getloadavg()[0]:.1f}.")
    if storm.stuck:
        console.print(f"[bold red]Gave up: {storm.stuck}")
    for what in ("twice", "undone", "wrong", "lost", "refused"):
        names: list[str] = getattr(verdict, what)
        if names:
            console.print(f"{what}: {', '.join(names[:SHOWN])}{' ...' * (len(names) > SHOWN)}")


if __name__ == "__main__":
    main()
