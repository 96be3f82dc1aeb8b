"""`make bench-startup`: ends with 1 when a handler takes longer than it may."""

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

from benchmarks.startup.events import ROOT, environment, event_of, handlers
from benchmarks.startup.refusing import Refusing, refusing

ASKED = 1.5  # times importing boto3 and making its one client
BASE = "boto3"
_CHILD_SECONDS = 120


@dataclass
class Taken:
    """Milliseconds of processor time of one thing's runs; the best was disturbed least."""

    imports: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    asked: int = 0
    error: str = ""

    @property
    def best(self) -> float:
        return min(map(sum, zip(self.imports, self.calls, strict=True)))


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
    return _table(taken, names)


def _run(name: str, one: Taken, folder: Path, aws: Refusing, *, counts: bool) -> None:
    """One fresh process; the first of each only compiles."""
    own = {} if name == BASE else environment(name)
    before = aws.asked
    place = BASE if name == BASE else str(ROOT / "functions" / name)
    event = "{}" if name == BASE else event_of(name)
    child = [sys.executable, str(Path(__file__).parent / "child.py"), place, event]
    done = subprocess.run(
        child, env=own | _environment(folder, aws), capture_output=True, timeout=_CHILD_SECONDS
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.decode()[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    if said["error"] == "ValidationError":  # its event or environment: nothing was measured
        raise SystemExit(f"{name} refused its sample: {done.stderr.decode()[-2000:]}")
    if counts:
        one.imports.append(said["import"])
        one.calls.append(said["call"])
        one.asked, one.error = aws.asked - before, said["error"]


def _environment(folder: Path, aws: Refusing) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT / "layers" / "autoscaler"),
        "PYTHONPYCACHEPREFIX": str(folder),  # compiled, as the layer is
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": aws.url,
        "HF_ENDPOINT": aws.url,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
    }


def _table(taken: dict[str, Taken], names: Sequence[str]) -> int:
    base = taken[BASE].best
    print(
        f"boto3 and one client: {base:.0f} ms of one core; a handler may take {ASKED} times that\n"
    )
    print(f"{'handler':20}{'import':>8}{'first call':>12}{'ratio':>8}  requests, how it ended")
    missed = []
    for name in names:
        one = taken[name]
        ratio = one.best / base
        mark = "" if ratio <= ASKED else "  MISSED"
        missed += [name] if mark else []
        print(
            f"{name:20}{min(one.imports):>8.0f}{min(one.calls):>12.0f}{ratio:>8.2f}"
            f"  {one.asked} {one.error}{mark}"
        )
    if missed:
        print(f"\nMISSED: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
