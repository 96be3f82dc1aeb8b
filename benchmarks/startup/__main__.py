"""`make bench-startup`: ends with 1 when a handler takes more than it may.

Processor time on a shared machine differs by a third from run to run, also as a ratio. Where
valgrind is installed, the instructions are counted too, which are the same each time; they judge.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.startup import instructions
from benchmarks.startup.events import ROOT, environment, event_of, handlers
from benchmarks.startup.refusing import Refusing, refusing

ASKED = 1.5  # times importing boto3 and making its one client
BASE = "boto3"
_CHILD_SECONDS = 120


@dataclass
class Taken:
    """Milliseconds of processor time of one thing's runs; the best was disturbed least."""

    imports: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)  # up to AWS's first answer, with the import
    wholes: list[float] = field(default_factory=list)
    asked: int = 0
    error: str = ""
    instructions: int = 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.startup")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="one handler")
    options = parser.parse_args(arguments)
    names = [options.only] if options.only else handlers()
    taken = {name: Taken() for name in (BASE, *names)}
    with tempfile.TemporaryDirectory() as folder, refusing() as aws:
        for turn in range(options.rounds + 1):
            for name, one in taken.items():  # by turns, so that all share what disturbs
                _run(name, one, Path(folder), aws, counts=turn > 0)
        if instructions.countable():
            for name, one in taken.items():
                one.instructions = instructions.count(
                    *_child(name), _environment(name, folder, aws)
                )
    return _table(taken, names)


def _child(name: str) -> tuple[str, str]:
    if name == BASE:
        return BASE, "{}"
    return str(ROOT / "functions" / name), event_of(name)


def _run(name: str, one: Taken, folder: Path, aws: Refusing, *, counts: bool) -> None:
    """One fresh process; the first of each only compiles."""
    before = aws.asked
    command = [sys.executable, str(instructions.CHILD), *_child(name)]
    env = _environment(name, str(folder), aws)
    done = subprocess.run(command, env=env, capture_output=True, timeout=_CHILD_SECONDS)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.decode()[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    if said["error"] == "ValidationError":  # its event or environment: nothing was measured
        raise SystemExit(f"{name} refused its sample: {done.stderr.decode()[-2000:]}")
    if counts:
        one.imports.append(said["import"])
        one.calls.append(said["call"])
        one.wholes.append(said["whole"])
        one.asked, one.error = aws.asked - before, said["error"]


def _environment(name: str, folder: str, aws: Refusing) -> dict[str, str]:
    own = {} if name == BASE else environment(name)
    return own | {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT / "layers" / "autoscaler"),
        "PYTHONPYCACHEPREFIX": folder,  # compiled, as the layer is
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": aws.url,
        "HF_ENDPOINT": aws.url,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
    }


def _table(taken: dict[str, Taken], names: Sequence[str]) -> int:
    base = taken[BASE]
    counted = base.instructions
    print(f"boto3 and one client: {min(base.calls):.0f} ms of one core", end="")
    print(
        f", {counted / 1e6:,.0f} million instructions" if counted else " (no valgrind: time only)"
    )
    print(f"a handler may take {ASKED} times that until AWS has answered once\n")
    print(f"{'handler':20}{'import':>8}{'answer':>8}{'time':>7}{'instr.':>8}  its end, requests")
    missed = []
    for name in names:
        one = taken[name]
        time = min(one.calls) / min(base.calls)
        of_instructions = one.instructions / counted if counted else None
        if over := (time if of_instructions is None else of_instructions) > ASKED:
            missed.append(name)
        shown = "" if of_instructions is None else f"{of_instructions:.2f}"
        print(
            f"{name:20}{min(one.imports):>8.0f}{min(one.calls):>8.0f}{time:>7.2f}{shown:>8}"
            f"  {min(one.wholes):.0f} ms {one.asked} {one.error}{'  MISSED' if over else ''}"
        )
    if missed:
        print(f"\nMISSED: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
