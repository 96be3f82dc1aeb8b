"""Request traces: arrival_s, input_tokens, output_tokens; CSV, plain or gzip."""

from __future__ import annotations

import csv
import gzip
import io
import math
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.cli.client import RefusedError

COLUMNS = ("arrival_s", "input_tokens", "output_tokens")
_SEED = 20261124
_SPAN_SECONDS, _CALM = 12 * 60.0, 40
_BURST_FROM, _BURST = 5.5 * 60.0, 200
_LONG_ANSWER = (1500, 2500)  # tokens: R1 thinks before it answers
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Arrival:
    """One request: seconds after the first, and its sizes in tokens."""

    seconds: float
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Trace:
    """Requests to replay; `cut_to` says which beginning of a longer file they are.

    `needs`: the copies that its busiest minutes are known to need, 1 where nothing is known.
    """

    name: str
    arrivals: tuple[Arrival, ...]
    cut_to: str | None = None
    needs: int = 1

    def __str__(self) -> str:
        cut = f", only its first {self.cut_to}" if self.cut_to else ""
        return f"{len(self.arrivals)} requests of {self.name}{cut}"


def generated() -> Trace:
    """A small trace, always the same: a trickle of short answers, and after some minutes, when the
    endpoint is awake, a burst of long ones: more than one copy takes at once, for longer than a
    second one needs to come."""
    dice = random.Random(_SEED)
    calm = [dice.uniform(0, _SPAN_SECONDS) for _ in range(_CALM)]
    burst = [dice.uniform(_BURST_FROM, _SPAN_SECONDS) for _ in range(_BURST)]
    start = min(calm)
    arrivals = [
        Arrival(at - start, _tokens(dice, 5.5, 0.8), min(_tokens(dice, 4.6, 0.7), 1500))
        for at in calm
    ]
    arrivals += [
        Arrival(at - start, _tokens(dice, 5.5, 0.8), dice.randint(*_LONG_ANSWER)) for at in burst
    ]
    in_order = tuple(sorted(arrivals, key=lambda arrival: arrival.seconds))
    return Trace("a generated trace", in_order, needs=2)


def _tokens(dice: random.Random, mean: float, deviation: float) -> int:
    return int(dice.lognormvariate(mean, deviation)) + 5


def first_of(path: Path, minutes: float, most: int) -> Trace:
    """The beginning of a trace file; raises RefusedError naming file, line and field."""
    arrivals: list[Arrival] = []
    cut_to = None
    for arrival in _read(path):
        since = arrival.seconds - (arrivals[0].seconds if arrivals else arrival.seconds)
        if since > minutes * 60 or len(arrivals) >= most:
            cut_to = f"{minutes:g} minutes" if since > minutes * 60 else f"{most}"
            break
        arrivals.append(arrival)
    if not arrivals:
        raise RefusedError([f"{path}: holds no request"])
    start = arrivals[0].seconds
    moved = (Arrival(a.seconds - start, a.input_tokens, a.output_tokens) for a in arrivals)
    return Trace(path.name, tuple(moved), cut_to)


def _read(path: Path) -> Iterator[Arrival]:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            rows = csv.reader(io.TextIOWrapper(stream, encoding="utf-8", newline=""))
            yield from _rows(path, rows)
    except FileNotFoundError:
        raise RefusedError([f"{path}: there is no such trace"]) from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise RefusedError([f"{path}: cannot be read: {error}"]) from None


def _rows(path: Path, rows: Iterator[Sequence[str]]) -> Iterator[Arrival]:
    header = next(rows, [])
    if tuple(header) != COLUMNS:
        raise RefusedError([f"{path}: line 1: columns {header}, expected {','.join(COLUMNS)}"])
    latest = -math.inf
    for number, row in enumerate(rows, 2):
        arrival = _arrival(row)
        if arrival is None or arrival.seconds < latest:
            expected = "a time not before the last, and two whole numbers"
            raise RefusedError([f"{path}: line {number}: {row} is no request: {expected}"])
        latest = arrival.seconds
        yield arrival


def _arrival(row: Sequence[str]) -> Arrival | None:
    try:
        seconds, input_tokens, output_tokens = float(row[0]), int(row[1]), int(row[2])
    except (ValueError, IndexError):
        return None
    if (
        len(row) != len(COLUMNS)
        or not math.isfinite(seconds)
        or min(input_tokens, output_tokens) < 0
    ):
        return None
    return Arrival(seconds, max(1, input_tokens), max(1, output_tokens))
