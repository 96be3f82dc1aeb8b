"""What the gateway costs: `python -m benchmarks.gateway [--streams N] [--rounds N] [--held N]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median, quantiles

import uvloop

from benchmarks.gateway.held import weighed
from benchmarks.gateway.load import Seen, measured

# As a model of 200 streams at once gives them: 20 tokens a second each.
FIRST_SECONDS, INTERVAL_SECONDS, TOKENS = 0.1, 0.05, 40
ASKED_MS = {50: 5.0, 99: 20.0}
ASKED_MIB = 200.0


@contextmanager
def process(module: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """A process that prints its port first; ended with the block. Gives port and process id."""
    command = [sys.executable, "-m", f"benchmarks.gateway.{module}", *arguments]
    quiet = {**os.environ, "POWERTOOLS_LOG_LEVEL": "WARNING", "PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=quiet) as running:
        try:
            assert running.stdout is not None
            yield int(running.stdout.readline()), running.pid
        finally:
            running.kill()


def at(values: Sequence[float], percent: int) -> float:
    """A percentile, in milliseconds."""
    return quantiles(values, n=100, method="inclusive")[percent - 1] * 1e3


async def overhead(model: str, gateway: str, streams: int, rounds: int) -> bool:
    """Both ways in turn, so that whatever else the machine does meets both."""
    ways = {"directly": model, "gateway": f"{gateway}/v1/chat/completions"}
    seen: dict[str, list[Seen]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in sorted(ways, reverse=bool(number % 2)):
            whole = FIRST_SECONDS + TOKENS * INTERVAL_SECONDS
            seen[name].append(await measured(ways[name], streams, 2, whole))
    print(f"{streams} streams at once, {TOKENS} tokens each, {INTERVAL_SECONDS * 1e3:.0f} ms apart")
    print(f"{'ms, median of the rounds':26}{'directly':>10}{'gateway':>10}{'more':>8}{'asked':>8}")
    kept = True
    for what in ("first", "whole"):
        for percent, asked in ASKED_MS.items():
            each = {n: [at(getattr(s, what), percent) for s in seen[n]] for n in ways}
            more = median(b - a for a, b in zip(each["directly"], each["gateway"], strict=True))
            kept &= more < asked
            row = f"{what} p{percent}"
            print(
                f"{row:26}{median(each['directly']):10.1f}{median(each['gateway']):10.1f}"
                f"{more:8.1f}{'< ' + format(asked, '.0f'):>8}"
            )
    return kept


async def hold(gateway: str, pid: int, connections: int) -> bool:
    found = await weighed(f"{gateway}/v1/chat/completions", pid, connections)
    print(
        f"{connections} held on one process: {found.held:.0f} MiB resident, {found.before:.0f} "
        f"before, {found.streaming:.0f} while all are answered (asked: below {ASKED_MIB:.0f}); "
        f"{found.answered} answered"
    )
    return max(found.held, found.streaming) < ASKED_MIB and found.answered == connections


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--streams", type=int, default=200)
    given.add_argument("--rounds", type=int, default=5)
    given.add_argument("--held", type=int, default=1000)
    chosen = given.parse_args()
    times = (str(FIRST_SECONDS), str(INTERVAL_SECONDS), str(TOKENS))
    with process("standin", *times) as (model_port, _):
        model = f"http://127.0.0.1:{model_port}"
        with process("served", model) as (port, _):
            gateway = f"http://127.0.0.1:{port}"
            quick = uvloop.run(overhead(model, gateway, chosen.streams, chosen.rounds))
        with process("served", model) as (port, pid):
            light = asyncio.run(hold(f"http://127.0.0.1:{port}", pid, chosen.held))
    sys.exit(0 if quick and light else 1)


if __name__ == "__main__":
    main()
