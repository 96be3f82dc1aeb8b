"""`make bench-lifecycle`: prints what one run in the embedded account measured, and what was asked.

Each part has an account of its own. Waits of SageMaker are scaled (90 simulated seconds a second)
where simulated time is measured; where the wall is, the account keeps the wall's time.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.lifecycle import fleet as fleets
from benchmarks.lifecycle.sleeps import Pair, Sleep
from benchmarks.lifecycle.story import Lived, StoryError, live
from benchmarks.lifecycle.wakes import Samples, Wakes
from benchmarks.staging.figures import Figure, at_most, show
from tests.embedded.stack import Stack, deployed
from tools.embedded.kernel.disorder import Disorder, Trouble

CALL_SECONDS = 0.05  # the slower end of what a call takes on AWS
LAMBDA_MIB_PER_CORE = 1769.0  # AWS gives a function of so much memory one core
FIELD_RELEASE_SECONDS = 660.0  # 10 to 12 minutes were measured on AWS (FACTS.md)
STALE_SECONDS = 960.0  # after which a sleeping endpoint is looked at in SageMaker again
SEED = 1


def main() -> None:
    """Measures and shows; ends with 1 when something that was asked for is missed."""
    parts: dict[str, Callable[[argparse.Namespace], list[Figure]]] = {
        "wakes": _wakes,
        "sleeps": _sleeps,
        "fleet": _fleet,
        "disorder": _disorder,
    }
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", choices=parts, help="one part alone")
    arguments.add_argument("--fleet", type=int, default=1000, help="endpoints in one tick")
    arguments.add_argument("--disturbed", type=int, default=6, help="endpoints under disorder")
    arguments.add_argument("--seed", type=int, default=SEED, help="of the disorder")
    given = arguments.parse_args()
    logging.getLogger("moto").setLevel(
        logging.CRITICAL + 1
    )  # it logs every error it was told to make
    figures = [
        figure
        for name, part in parts.items()
        if given.only in (None, name)
        for figure in part(given)
    ]
    Console().print(
        f"Load of the machine: {os.getloadavg()[0]:.1f}; times of the wall grow with it."
    )
    if not show(figures, os.cpu_count(), "Life of endpoints, in the embedded account"):
        raise SystemExit(1)


def _wakes(_given: argparse.Namespace) -> list[Figure]:
    with _real_time() as stack:
        wakes = Wakes(stack, endpoints=10)
        wakes.measure(1, cold=False)  # the account's own first time
        warm, cold = wakes.measure(20, cold=False), wakes.measure(4, cold=True)
    return [
        Figure(f"message to wake requested, median of {len(warm.seconds)}", _ms(warm, 50)),
        at_most("  99th percentile", warm.percentile(99), 1, "{:.3f} s"),
        Figure(f"  without a warm dispatcher, median of {len(cold.seconds)}", _ms(cold, 50)),
        at_most("  99th percentile", cold.percentile(99), 1, "{:.3f} s"),
    ]


def _sleeps(_given: argparse.Namespace) -> list[Figure]:
    with _scaled() as stack:
        pair = Pair(stack)
        sleeps = [pair.measure(release=60.0)]
        pair.wake()
        sleeps.append(pair.measure(release=FIELD_RELEASE_SECONDS))
    return [figure for sleep in sleeps for figure in _sleep(sleep)]


def _sleep(sleep: Sleep) -> list[Figure]:
    title = f"SageMaker lets an idle instance go after {sleep.release:.0f} s"
    return [
        Figure(f"idle decision to zero instances seen, if {title}", f"{sleep.ours:.0f} s"),
        Figure("  target tracking to its minimum of 0", f"{sleep.native:.0f} s"),
        at_most("  ours, of the native one's", sleep.ours / sleep.native, 0.5, "{:.2f}"),
        Figure("  native, from our decision on the same clock", f"{sleep.native_after_ours:.0f} s"),
    ]


def _fleet(given: argparse.Namespace) -> list[Figure]:
    fleet = fleets.Fleet(
        given.fleet, given.fleet * 27 // 100, given.fleet // 100, given.fleet // 50
    )
    with _real_time() as stack:
        fleets.settle(stack, fleet)
        traffic, clock = stack.account.front.traffic, stack.account.clock
        first = fleets.tick(stack)
        traffic.latency_seconds = CALL_SECONDS
        clock.jump(60)
        usual = fleets.tick(stack)
        clock.jump(STALE_SECONDS)
        worst = fleets.tick(stack)
        memory = stack.account.runtime.find(fleets.RECONCILE).launch.memory_bytes / 2**20
    found = [
        Figure(
            "one tick",
            f"{fleet.endpoints} endpoints: {fleet.awake} awake, {fleet.waking} waking, "
            f"{fleet.failed} failed",
        )
    ]
    pause = f"{CALL_SECONDS * 1000:.0f} ms a call"
    for what, tick in (
        ("first tick, cold", first),
        (f"usual tick, {pause}", usual),
        (f"all looked at again, {pause}", worst),
    ):
        metrics = tick.calls["monitoring:GetMetricData"]
        on_lambda = tick.processor_seconds * LAMBDA_MIB_PER_CORE / memory
        found += [
            at_most(f"  {what}", tick.seconds, 60, "{:.1f} s"),
            at_most("    GetMetricData", metrics, 10, "{:.0f} calls"),
            Figure("    all calls", f"{tick.calls.total():,}"),
            at_most(f"    processor, at the share of {memory:.0f} MB", on_lambda, 60, "{:.1f} s"),
        ]
    return found


def _disorder(given: argparse.Namespace) -> list[Figure]:
    disorder = Disorder(0.2, given.seed)
    names = [f"e{number}" for number in range(given.disturbed)]
    lived, stuck = Lived(), ""
    with _scaled() as stack:
        try:
            lived = live(stack, names, disorder)
        except StoryError as story:
            stuck = str(story)
    if stuck:
        Console().print(stuck)
    arrived = 0 if stuck else sum(len(phases) == 5 for phases in lived.reached.values())
    leftover = sum(len(things) for things in lived.left.values()) + lived.instances
    found = [
        Figure(
            "calls of the control plane that failed",
            f"{disorder.failed.total():,} of {disorder.calls.total():,}, {disorder.share:.1%}",
            "about 20%",
            0.17 <= disorder.share <= 0.23,
        ),
        *[Figure(f"  {kind}", f"{disorder.of_kind(kind):,}") for kind in Trouble],
        Figure(
            "endpoints that were deployed, slept, woke, slept and went",
            f"{arrived} of {len(names)}",
            "all",
            arrived == len(names),
        ),
        at_most("  requests without their answer", len(lived.unanswered), 0, "{:.0f}"),
        at_most("  things left behind", leftover, 0, "{:.0f}"),
    ]
    found += [
        Figure(f"  {operation}", f"{disorder.failures_of(operation)} of {count}")
        for operation, count in sorted(disorder.calls.items())
    ]
    return found


def _ms(samples: Samples, percentile: int) -> str:
    return f"{samples.percentile(percentile) * 1000:.0f} ms"


@contextmanager
def _scaled() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder)) as stack:
        yield stack


@contextmanager
def _real_time() -> Iterator[Stack]:
    with _scaled() as stack:
        fleets.disable_schedule(stack)
        stack.account.clock.set_speed(1)
        yield stack


if __name__ == "__main__":
    main()
